import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createProgress } from "../../cmd/doctor-progress.ts";
import { formatJson, formatLine, formatSummary } from "../../cmd/doctor-report.ts";
import type { Finding, Subject } from "../../src/diagnosis/finding.ts";

const routes = ["a", "b", "c", "d", "e", "f", "g"];
const STORE: Finding = { subject: { kind: "store" }, status: "ok", reason: "memory" };
const TENANT: Finding = {
  subject: { kind: "credential", credential: "qmatic", tenant: "isb" },
  status: "warning",
  reason: "short",
  hint: "raise it",
  facts: { expires_in: 20 },
};
const UPSTREAM: Finding = {
  subject: { kind: "upstream", upstream: "https://api.example", routes },
  status: "failure",
  reason: "said \u001b[31mred\n",
  hint: "check it",
};
const ALL = [STORE, TENANT, UPSTREAM];

describe("the report of doctor", () => {
  it("has one line each, whatever a server wrote", () => {
    expect(ALL.map((finding) => formatLine(finding, false))).toEqual([
      "ok    store: memory",
      "warn  credential qmatic, tenant isb: short. Hint: raise it",
      "FAIL  upstream https://api.example (routes a, b, c, d, e and 2 more): said \\x1b[31mred\\x0a. Hint: check it",
    ]);
    expect(formatSummary(ALL, false)).toBe("3 examined: 1 ok, 1 warning, 1 failed");
    expect(formatSummary([STORE], false)).toBe("1 examined: 1 ok");
  });

  it("stays on one line of printable text, whatever it is told", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (reason, hint) => {
        const line = formatLine({ ...UPSTREAM, reason, hint }, false);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      }),
    );
  });

  it("has colours where they are wanted", () => {
    expect(formatLine(STORE, true)).toBe("\u001b[32mok  \u001b[0m  store: memory");
    expect(formatSummary(ALL, true)).toContain("\u001b[1;31m3 examined: 1 ok");
  });

  it("is the same as JSON for programs", () => {
    expect(JSON.parse(formatJson(ALL))).toEqual({
      ok: false,
      counts: { ok: 1, warning: 1, failure: 1 },
      findings: [
        { kind: "store", name: "store", status: "ok", reason: "memory" },
        {
          kind: "credential",
          credential: "qmatic",
          tenant: "isb",
          name: "credential qmatic, tenant isb",
          status: "warning",
          reason: "short",
          hint: "raise it",
          facts: { expires_in: 20 },
        },
        expect.objectContaining({
          kind: "upstream",
          upstream: "https://api.example",
          routes,
          status: "failure",
        }),
      ],
    });
    expect(JSON.parse(formatJson([STORE, TENANT])).ok).toBe(true);
  });
});

describe("its progress", () => {
  function record(isTerminal: boolean, columns = 80) {
    const printed: string[] = [];
    const drawn: string[] = [];
    const progress = createProgress({
      print: ({ reason }) => void printed.push(reason),
      redraw: isTerminal ? (text) => void drawn.push(text) : undefined,
      columns: () => columns,
    });
    const subjects: readonly Subject[] = ALL.map(({ subject }) => subject);
    progress.planned(subjects);
    return { progress, printed, drawn };
  }

  it("prints in the planned order, each line as soon as those before it are there", () => {
    const { progress, printed } = record(false);
    progress.finished(TENANT);
    expect(printed).toEqual([]);
    progress.finished(STORE);
    expect(printed).toEqual(["memory", "short"]);
    progress.finished(UPSTREAM);
    expect(printed).toHaveLength(3);
  });

  it("redraws one line on a terminal, which names what is waited for and leaves nothing behind", () => {
    const { progress, drawn } = record(true, 60);
    progress.finished(TENANT);
    progress.tick();
    progress.finished(STORE);
    expect(drawn.slice(0, 3)).toEqual([
      "| 0 of 3 examined, waiting for store",
      "| 1 of 3 examined, waiting for store",
      "/ 1 of 3 examined, waiting for store",
    ]);
    expect(Math.max(...drawn.map((line) => line.length))).toBeLessThan(60);
    progress.finished(UPSTREAM);
    progress.end();
    expect(drawn.at(-1)).toBe("");
  });
});

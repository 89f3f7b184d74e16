import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { drawSoak } from "../../bench/soak/chart.ts";
import { createRandom, drawPlan, FAULTS } from "../../bench/soak/plan.ts";
import type { Sample } from "../../bench/soak/sampler.ts";
import { judgeRun, type Run, slope } from "../../bench/soak/verdict.ts";
import { createWorkspace } from "../e2e/support/workspace.ts";
import { projectDirectory } from "../support/project.ts";

/** A sample every ten seconds. */
function samplesOf(more: (atSeconds: number) => Partial<Sample>, minutes = 10): readonly Sample[] {
  return Array.from({ length: minutes * 6 }, (_, index) => ({
    atSeconds: (index + 1) * 10,
    residentMiB: 90,
    descriptors: 40,
    delayP99Ms: 11,
    delayMaxMs: 20,
    heapUsedMiB: 25,
    good: 590,
    faults: 6,
    unexpected: 0,
    ...more((index + 1) * 10),
  }));
}

function failuresOf(run: Partial<Run>): readonly string[] {
  const judgements = judgeRun({
    samples: samplesOf(() => ({})),
    violations: { expired: 0, crossed: 0, missing: 0 },
    unexpected: 0,
    requests: 36_000,
    descriptorsAtRest: { before: 24, after: 24 },
    ...run,
  });
  return judgements.filter(({ ok }) => ok !== true).map(({ what }) => what);
}

describe("the verdict of a soak", () => {
  const none = { expired: 0, crossed: 0, missing: 0 };

  it("is yes for a run without a fault", () => expect(failuresOf({})).toEqual([]));

  it.each<[string, Partial<Run>]>([
    ["resident set", { samples: samplesOf((s) => ({ residentMiB: 90 + s / 100 })) }],
    ["resident set", { samples: samplesOf((s) => ({ residentMiB: 90 + s / 500 }), 30) }],
    ["descriptors, slope", { samples: samplesOf((s) => ({ descriptors: 40 + s / 100 })) }],
    ["descriptors at rest", { descriptorsAtRest: { before: 24, after: 25 } }],
    ["unexpected", { unexpected: 1 }],
    ["expired", { violations: { ...none, expired: 1 } }],
    ["another tenant", { violations: { ...none, crossed: 1 } }],
    ["without their token", { violations: { ...none, missing: 1 } }],
  ])("is no for one fault alone: %s", (what, run) => {
    expect(failuresOf(run)).toEqual([expect.stringContaining(what)]);
  });

  it("leaves to a longer run what ten minutes cannot tell of the resident set", () => {
    expect(failuresOf({ samples: samplesOf((s) => ({ residentMiB: 90 + s / 150 })) })).toEqual([]);
  });

  it("does not hold growth against the warm-up", () => {
    const samples = samplesOf((s) => ({ residentMiB: s < 240 ? 60 + s / 8 : 90 }));
    expect(failuresOf({ samples })).toEqual([]);
  });

  it("says nothing of slopes where too little is left after the warm-up", () => {
    const short = samplesOf((s) => ({ residentMiB: 90 + s })).slice(0, 40);
    const [resident] = judgeRun({
      samples: short,
      violations: none,
      unexpected: 0,
      requests: 1,
      descriptorsAtRest: { before: 1, after: 1 },
    });
    expect(resident?.ok).toBeUndefined();
  });

  it("rests on least squares", () => {
    expect(
      slope([
        [0, 1],
        [1, 3],
        [2, 5],
      ]),
    ).toBeCloseTo(2);
    expect(
      slope([
        [0, 0],
        [1, 2],
        [2, 1],
        [3, 3],
      ]),
    ).toBeCloseTo(0.8);
    expect(slope([[5, 7]])).toBe(0);
  });
});

describe("the traffic of a soak", () => {
  it("has every kind, one upstream fault in a hundred, and is the same for the same seed", () => {
    const random = createRandom(1);
    const plans = Array.from({ length: 20_000 }, (_, id) => drawPlan(id, random));
    expect(new Set(plans.map(({ kind }) => kind)).size).toBe(10);
    expect(new Set(plans.map(({ target }) => target.tenant)).size).toBe(6);
    const faults = plans.filter(({ kind }) => FAULTS.has(kind)).length;
    expect(faults / plans.length).toBeCloseTo(0.01, 2);
    const again = createRandom(1);
    expect(Array.from({ length: 100 }, (_, id) => drawPlan(id, again))).toEqual(plans.slice(0, 100));
  });
});

describe("the picture of a soak", () => {
  it("is one SVG with a line for each series, for light and for dark ground", () => {
    const svg = drawSoak(
      samplesOf(() => ({})),
      { title: "a <soak> & more", subtitle: "60 requests/s" },
    );
    expect(svg.match(/<polyline [^>]*points="[\d., ]+"/g)).toHaveLength(7);
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).toContain("a &#60;soak&#62; &#38; more");
    expect(svg).not.toContain("NaN");
  });
});

describe("B09 npm run soak", () => {
  it("runs for as long as it is told, finds nothing amiss, and leaves figures and a picture", {
    timeout: 60_000,
  }, async () => {
    using workspace = createWorkspace();
    const svg = workspace.path("soak.svg");
    const json = workspace.path("soak.json");
    const args = ["bench/soak.ts", "--minutes=0.05", "--rate=40", `--svg=${svg}`, `--json=${json}`];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: projectDirectory });
    expect(stdout).toMatch(/^verdict: yes$/m);
    const { total, samples } = JSON.parse(readFileSync(json, "utf8")) as {
      total: { good: number; unexpected: number };
      samples: readonly Sample[];
    };
    expect(total.good).toBeGreaterThan(50);
    expect(total.unexpected).toBe(0);
    expect(samples.length).toBeGreaterThan(10);
    expect(readFileSync(svg, "utf8")).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  });
});

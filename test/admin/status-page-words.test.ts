import { describe, expect, it } from "vitest";
import type { RouteStatus } from "../../src/admin/status-document.ts";
import { linePath, niceTop } from "../../src/admin/status-page/charts.ts";
import { firstRequest, shellQuoted } from "../../src/admin/status-page/first-request.ts";
import { ago, ahead, amount, count, latency, percent, span } from "../../src/admin/status-page/format.ts";
import { hashOf, selectionOf } from "../../src/admin/status-page/page.ts";
import { judgeAll, type Summary } from "../../src/admin/status-page/verdict.ts";
import { readProjectFile } from "../support/project.ts";

const NOW_MS = Date.UTC(2030, 0, 1);
const at = (seconds: number): string => new Date(NOW_MS + seconds * 1_000).toISOString();

describe("figures in words", () => {
  it.each([
    [span(-3), "0 s"],
    [span(119.4), "119 s"],
    [span(120), "2 min"],
    [span(7_199), "119 min"],
    [span(7_200), "2 h"],
    [span(172_800), "2 d"],
    [ago(at(-1), NOW_MS), "just now"],
    [ago(at(30), NOW_MS), "just now"],
    [ago(at(-90), NOW_MS), "90 s ago"],
    [ahead(at(-5), NOW_MS), "now"],
    [ahead(at(12), NOW_MS), "in 12 s"],
    [count(1_234_567), "1\u202f234\u202f567"],
    [count(999), "999"],
    [amount(0), "0"],
    [amount(0.04), "< 0.1"],
    [amount(9.96), "10"],
    [amount(1_234.5), "1\u202f235"],
    [percent(0), "0 %"],
    [percent(0.0004), "< 0.1 %"],
    [percent(0.0123), "1.2 %"],
    [percent(0.256), "26 %"],
    [percent(1), "100 %"],
    [latency(undefined), "–"],
    [latency(0.0012), "1.2 ms"],
    [latency(0.25), "250 ms"],
    [latency(2.55), "2.6 s"],
  ])("%s is %s", (said, expected) => {
    expect(said).toBe(expected);
  });
});

describe("a chart's line", () => {
  const box = { end: 600, seconds: 600, width: 300, height: 50, top: 10 };
  it.each([
    [[], ""],
    [
      [
        [0, 0],
        [20, 10],
        [40, 20],
      ],
      "M0.0 50.0L10.0 0.0L20.0 0.0",
    ],
    [
      [
        [0, 5],
        [20, undefined],
        [40, 5],
      ],
      "M0.0 25.0M20.0 25.0",
    ],
    [
      [
        [0, 5],
        [300, 5],
      ],
      "M0.0 25.0M150.0 25.0",
    ],
    [
      [
        [-5, 5],
        [0, 5],
      ],
      "M0.0 25.0",
    ],
  ] as const)("through %j is %j", (points, expected) => {
    expect(
      linePath(
        points.map(([time, value]) => ({ at: time, value })),
        box,
      ),
    ).toBe(expected);
  });

  it.each([
    [0, 1],
    [0.013, 0.02],
    [1, 1],
    [3, 5],
    [501, 1_000],
  ])("up to %d has a scale up to %d", (highest, top) => {
    expect(niceTop(highest)).toBe(top);
  });
});

describe("the line to try", () => {
  const credentials = [
    { name: "people", provider: "zocdoc", prefetch: false, grant: "user" },
    { name: "empty", provider: "qmatic", prefetch: false, tenants: [] },
    { name: "q", provider: "qmatic", prefetch: false, tenants: ["isb", "riverside"] },
    { name: "z", provider: "zocdoc", prefetch: false, grant: "client_credentials" },
  ];
  const route = (more: Partial<RouteStatus>): RouteStatus => ({
    name: "r",
    path: "/r/",
    upstream: "https://api.example/",
    credential: "z",
    tenant: "none",
    methods: "any",
    deny: [],
    ...more,
  });
  const line = (routes: readonly RouteStatus[], more = {}): string | undefined =>
    firstRequest({ routes, credentials, listen: "127.0.0.1:8080", access_token_required: false, ...more });

  it.each([
    [[route({})], {}, "curl -i http://127.0.0.1:8080/r/"],
    [
      [route({ credential: "q", tenant: "path", path: "/q/{tenant}/" })],
      {},
      "curl -i http://127.0.0.1:8080/q/isb/",
    ],
    [
      [route({ credential: "q", tenant: "header", tenant_header: "x-tenant" })],
      {},
      "curl -i -H 'x-tenant: isb' http://127.0.0.1:8080/r/",
    ],
    [
      [route({ credential: "q", tenant: "host", tenant_host: "{tenant}.localhost" })],
      {},
      "curl -i -H 'Host: isb.localhost' http://127.0.0.1:8080/r/",
    ],
    [[route({ path: "/it's $here/" })], {}, "curl -i 'http://127.0.0.1:8080/it'\\''s $here/'"],
    [[route({})], { listen: "0.0.0.0:80" }, "curl -i http://127.0.0.1:80/r/"],
    [[route({})], { listen: "unix:/run/p.sock" }, "curl -i --unix-socket /run/p.sock http://localhost/r/"],
    [
      [route({})],
      { access_token_required: true },
      'curl -i -H "Pillion-Access: $PILLION_ACCESS_TOKEN" http://127.0.0.1:8080/r/',
    ],
    [
      [route({ credential: "none" }), route({ credential: "people" }), route({ credential: "empty" })],
      {},
      undefined,
    ],
  ])("for %j %j is %s", (routes, more, expected) => {
    expect(line(routes, more)).toBe(expected);
  });

  it("is safe to paste, whatever is in it", () => {
    expect(shellQuoted("a'; rm -rf ~ #`$(x)")).toBe("'a'\\''; rm -rf ~ #`$(x)'");
  });
});

describe("what is looked for", () => {
  it.each([
    ["#search=a+b%26c&only=failing&sort=left&down=", "a b&c", "failing", "left", true],
    ["#only=%3Cscript%3E&sort=upside", "", "all", "state", false],
    ["", "", "all", "state", false],
  ])("%j is read from the address, and written there", (hash, search, only, column, descending) => {
    const selection = selectionOf(hash);
    expect(selection).toEqual({ search, only, order: { column, descending } });
    expect(selectionOf(hashOf(selection))).toEqual(selection);
  });
});

describe("the verdict", () => {
  const none = { failing: 0, "at-risk": 0, fresh: 0, idle: 0 };
  const figures = { requests_per_second: 1, client_error_ratio: 0, server_error_ratio: 0 };
  const well = {
    ready: true,
    draining: false,
    started_at: at(-60),
    store: { kind: "redis", available: true },
    config: { last_reload_successful: true },
    traffic: { ...figures, window_seconds: 60, in_flight: 0, routes: {} },
    routes: [{}],
  } as unknown as Summary;

  it.each([
    [{}, { fresh: 3 }, "good", "All is well"],
    [{}, { idle: 3 }, "good", "Ready, no token in use"],
    [{}, { failing: 1, fresh: 2 }, "bad", "1 token cannot be had"],
    [{}, { "at-risk": 2 }, "warn", "2 tokens in use are not renewed in time"],
    [{ draining: true, ready: false }, { fresh: 1 }, "warn", "Shutting down"],
    [{ ready: false }, { fresh: 1 }, "bad", "Not ready"],
    [{ store: { kind: "redis", available: false } }, { fresh: 1 }, "bad", "The store (redis) cannot be used"],
    [
      { config: { last_reload_successful: false } },
      { fresh: 1, failing: 1 },
      "bad",
      "1 token cannot be had, and 1 more finding",
    ],
    [
      { traffic: { ...well.traffic, server_error_ratio: 0.5 } },
      { fresh: 1 },
      "warn",
      "50 % of requests end in 5xx",
    ],
    [
      { traffic: { ...well.traffic, requests_per_second: 0.02, server_error_ratio: 1 } },
      { fresh: 1 },
      "good",
      "All is well",
    ],
  ])("on %j with %j is %s: %s", (status, counts, severity, title) => {
    const verdict = judgeAll({ ...well, ...status } as Summary, { ...none, ...counts }, NOW_MS);
    expect(verdict).toMatchObject({ severity, title });
  });

  it("refers to sections that the runbook has", () => {
    const worst = {
      ...well,
      store: { kind: "redis", available: false },
      config: { last_reload_successful: false },
      traffic: { ...well.traffic, server_error_ratio: 1 },
    } as unknown as Summary;
    const { problems } = judgeAll(worst, { ...none, failing: 1, "at-risk": 1 }, NOW_MS);
    const sections = problems.map(({ runbook }) => runbook);
    expect(sections).toHaveLength(5);
    const runbook = readProjectFile("docs/runbook.md");
    for (const section of sections) expect(runbook).toContain(`\n## ${section}\n`);
    // What is read on the page is found again in the paragraph that it refers to.
    for (const { title, runbook: section } of problems) {
      const words = title.replace(/^[\d.]+ (?:%|tokens?) /, "");
      const [paragraph] = (runbook.split(`\n## ${section}\n`)[1] ?? "").split("\n## ");
      expect(paragraph).toContain(words);
    }
  });
});

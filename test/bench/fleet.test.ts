import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { drawFleet } from "../../bench/fleet/chart.ts";
import { createEventClock } from "../../bench/fleet/event-clock.ts";
import { requestsPerLifetime, smallestGapMs, summarize, worstSecond } from "../../bench/fleet/figures.ts";
import { kneeOf, type ModelResults, modelFleets, modelTables } from "../../bench/fleet/model.ts";
import { type FleetPlan, runFleet } from "../../bench/fleet/modelled-fleet.ts";
import { REDIS } from "../../bench/fleet/modelled-redis.ts";
import { createWorkspace } from "../e2e/support/workspace.ts";
import { projectDirectory } from "../support/project.ts";

const SIZES = { sidecars: [1, 4, 12], seed: 3, hours: 2, tenants: { hours: 3, coldStart: 5 } } as const;
const silent = (): void => {};

const COLD_START: FleetPlan = {
  sidecars: 12,
  tenants: 5,
  shared: true,
  requestsPerSecond: Number.POSITIVE_INFINITY,
  lifetimeSeconds: 3_600,
  startSpreadMs: 1_000,
  durationMs: 20_000,
  callEveryMs: 1_000,
  seed: 3,
};

describe("a modelled fleet", () => {
  let results: ModelResults;
  beforeAll(async () => {
    results = await modelFleets(SIZES, silent);
  });

  it("asks once per tenant and lifetime, however many sidecars share", () => {
    for (const { figures } of [...results.shared, ...results.burst, ...results.spaced]) {
      expect(figures.perLifetime).toEqual({ mean: 1, max: 1 });
    }
    expect(results.burst.map(({ figures }) => figures.tokenRequests)).toEqual([5, 5, 5]);
  });

  it("asks once per sidecar, tenant and lifetime where nothing is shared, and leaves Redis alone", () => {
    expect(results.burstAlone.map(({ figures }) => figures.tokenRequests)).toEqual([5, 20, 60]);
    for (const { figures } of results.alone) expect(figures.redis.commands).toBe(0);
    for (const [index, { figures }] of results.shared.entries()) {
      expect(figures.tokenRequests).toBeLessThanOrEqual(results.alone[index]?.figures.tokenRequests ?? 0);
    }
  });

  it("renews as the advisory window opens, and again after a deployment only where nobody has the token", () => {
    // 0 min, 46.8 to 49.2 min, and so on: three in two hours.
    expect(results.shared.map(({ figures }) => figures.tokenRequests)).toEqual([9, 9, 9]);
  });

  it("keeps a spacing of one request per second, and serves everybody", () => {
    for (const { figures } of results.spaced) {
      expect(figures.smallestGapMs).toBeGreaterThanOrEqual(1_000);
      expect(figures.worstSecond).toBe(1);
      expect(figures.unserved).toBe(0);
      expect(figures.handOver.maxMs).toBeLessThanOrEqual(1_100);
    }
    expect(results.broken).toEqual([]);
  });

  it("is the same for the same seed, and another for another", async () => {
    expect(await runFleet(COLD_START)).toEqual(await runFleet(COLD_START));
    expect(await runFleet({ ...COLD_START, seed: 4 })).not.toEqual(await runFleet(COLD_START));
  });

  it("whose Redis cannot keep up asks more often, but no more than without it, and serves everybody", async () => {
    const redis = { ...REDIS, commandMs: 20, scriptMs: 20 };
    const slow = await runFleet({ ...COLD_START, redis });
    expect(slow.perLifetime.max).toBeGreaterThan(1);
    expect(slow.tokenRequests).toBeLessThanOrEqual(60);
    expect(slow.unserved).toBe(0);
    expect(slow.refused).toBe(0);
  });

  it("has a table for each question, and names the laws that were broken", () => {
    const text = modelTables({ ...results, broken: ["sharing asks no more often, 12 sidecars"] });
    expect(text.match(/^\| sidecars/gm)).toHaveLength(3);
    expect(text.match(/^\| 12 /gm)).toHaveLength(3);
    expect(text).toContain("BROKEN: sharing asks no more often, 12 sidecars");
  });

  it("has a picture with a line for each series, for light and for dark ground", () => {
    const svg = drawFleet(results);
    expect(svg.match(/<polyline [^>]*points="[\d., ]+"/g)).toHaveLength(11);
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("names the knee where a tenant's token is first asked for twice", () => {
    const [first] = results.burst;
    if (first === undefined) throw new Error("no fleet");
    const bent = { ...first.figures, perLifetime: { mean: 1.2, max: 2 } };
    expect(kneeOf(results.burst)).toBeUndefined();
    expect(kneeOf([...results.burst, { sidecars: 50, figures: bent }])).toBe(50);
  });
});

describe("virtual time", () => {
  it("fires in order, what was set first at one moment first, and nothing that was cancelled", async () => {
    const clock = createEventClock();
    const fired: string[] = [];
    clock.schedule(20, () => fired.push(`c ${clock.now()}`));
    clock.schedule(10, () => fired.push(`a ${clock.now()}`));
    clock.schedule(10, () => fired.push(`b ${clock.now()}`));
    clock.schedule(15, () => fired.push("never")).cancel();
    clock.schedule(31, () => fired.push("later"));
    await clock.runUntil(30);
    expect(fired).toEqual(["a 10", "b 10", "c 20"]);
    expect(clock.now()).toBe(30);
    expect(clock.fired).toBe(3);
  });

  it("lets promises settle, and what an event itself put off to the next turn, before it goes on", async () => {
    const clock = createEventClock();
    const seen: number[] = [];
    clock.schedule(1, () => {
      const chain = async (): Promise<void> => {
        await new Promise((resolve) => setImmediate(resolve));
        for (let step = 0; step < 20; step += 1) await Promise.resolve();
        seen.push(clock.now());
      };
      void chain();
    });
    clock.schedule(2, () => seen.push(clock.now()));
    await clock.runUntil(2);
    expect(seen).toEqual([1, 2]);
  });
});

describe("the figures of a fleet", () => {
  it.each<[readonly number[], readonly number[]]>([
    [[], []],
    [[0], [1]],
    [[0, 5, 9], [3]],
    [
      [0, 800, 1_600],
      [1, 1, 1],
    ],
    [
      [0, 800, 805, 1_600],
      [1, 2, 1],
    ],
  ])("count the token requests at %j of one second's lifetime as %j", (atMs, counts) => {
    expect(requestsPerLifetime(atMs, 1_000)).toEqual(counts);
  });

  it("find the worst second wherever it begins, and the smallest gap", () => {
    expect(worstSecond([0, 900, 1_100, 1_899, 1_900, 5_000])).toBe(3);
    expect(worstSecond([])).toBe(0);
    expect(smallestGapMs([0, 900, 1_100])).toBe(200);
    expect(smallestGapMs([7])).toBeUndefined();
  });

  it("take percentiles from what there is", () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(summarize(hundred)).toEqual({ count: 100, p50Ms: 50, p99Ms: 99, maxMs: 100 });
    expect(summarize([])).toEqual({ count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
  });
});

describe("npm run fleet", () => {
  const run = promisify(execFile);

  it("puts real processes through a cold start, and leaves figures", async () => {
    using workspace = createWorkspace();
    const json = workspace.path("fleet.json");
    const args = ["bench/fleet.ts", "--processes=2", "--tenants=4", "--only=cold", `--json=${json}`];
    const { stdout } = await run(process.execPath, args, { cwd: projectDirectory });
    expect(stdout).toMatch(/^verdict: yes$/m);
    const { findings } = JSON.parse(readFileSync(json, "utf8")) as {
      findings: readonly { measurement: { tokenRequests: number; requests: number } }[];
    };
    expect(findings.map(({ measurement }) => measurement)).toEqual([
      expect.objectContaining({ tokenRequests: 4, requests: 8, failures: {} }),
    ]);
  });

  it.each([
    ["--only=warm", "cold-alone"],
    ["--processes=none", "--processes takes whole numbers"],
  ])("says what it takes when it is told %s", async (argument, words) => {
    const args = ["bench/fleet.ts", argument];
    await expect(run(process.execPath, args, { cwd: projectDirectory })).rejects.toThrow(words);
  });
});

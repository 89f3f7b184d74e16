import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BEGIN, END, replaceGenerated } from "../../../bench/compare/page.ts";
import { pillionConfiguration } from "../../../bench/compare/pillion.ts";
import { parsePlan } from "../../../bench/compare/plan.ts";
import { parseStat, treeOf } from "../../../bench/compare/process-tree.ts";
import { faultOf, rotated } from "../../../bench/compare/rounds.ts";
import { imageSettings } from "../../../bench/image.ts";
import { parseWrk } from "../../../bench/wrk.ts";
import { projectDirectory } from "../../support/project.ts";

describe("the benchmark's plan", () => {
  it("is seven rounds of all, before both upstreams", () => {
    expect(parsePlan([])).toMatchObject({
      kind: "whole",
      rounds: 7,
      connections: 64,
      requestsPerSecond: 1_000,
      bodyBytes: 2 ** 30,
      schemes: ["https", "http"],
      only: undefined,
      install: true,
    });
  });

  it("is small, and fetches nothing, where it is a smoke run", () => {
    expect(parsePlan(["--smoke"])).toMatchObject({ kind: "smoke", rounds: 1, seconds: 1, install: false });
  });

  it("follows its flags", () => {
    const args = ["--quick", "--only", "pillion, nginx", "--rounds", "7", "--scheme", "http", "--no-install"];
    expect(parsePlan(args)).toMatchObject({
      only: ["pillion", "nginx"],
      rounds: 7,
      schemes: ["http"],
      install: false,
    });
  });

  it.each([
    [["--rounds", "0"]],
    [["--seconds", "1.5"]],
    [["--connections", "-1"]],
    [["--scheme", "ftp"]],
    [["--fast"]],
    [["pillion"]],
  ])("refuses %j", (args) => {
    expect(() => parsePlan(args)).toThrow(args[0]?.replace("--", ""));
  });

  it("lets another proxy go first in each round", () => {
    expect([0, 1, 2, 3].map((round) => rotated(["a", "b", "c"], round).join(""))).toEqual([
      "abc",
      "bca",
      "cab",
      "abc",
    ]);
    expect(rotated([], 2)).toEqual([]);
  });
});

describe("a load", () => {
  it.each([
    [1_000, 0, undefined],
    [1_000, 1, undefined],
    [1_000, 2, "2 of 1002 requests failed"],
    [0, 0, "0 of 0 requests failed"],
  ])("of %i answers and %i failures: %s", (requests, failures, fault) => {
    expect(faultOf({ requests, failures, seconds: 1, p50Ms: 1, p99Ms: 1 })).toBe(fault);
  });
});

describe("the processor time of a proxy", () => {
  it("is that of its threads and of the children it has waited for, whatever its name", () => {
    const line = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 100 50 25 5 20 0 11 0 1";
    expect(parseStat(line)).toEqual({ pid: 42, parentPid: 7, cpuSeconds: 1.8 });
  });

  it("counts all that descends from it and nothing else", () => {
    const of = (pid: number, parentPid: number) => ({ pid, parentPid, cpuSeconds: 0 });
    const processes = [of(4, 3), of(1, 0), of(2, 1), of(3, 2), of(9, 1)];
    expect(treeOf(2, processes).map(({ pid }) => pid)).toEqual([2, 3, 4]);
    expect(treeOf(5, processes)).toEqual([]);
  });
});

describe("what wrk prints", () => {
  it("becomes requests, failures, and quantiles in milliseconds", () => {
    const output = `Running 2s test @ http://127.0.0.1:1/
  1 threads and 64 connections
  Latency Distribution
     50%  512.00us
     75%    1.20ms
     90%    1.90ms
     99%    1.02s
  25000 requests in 2.01s, 30.00MB read
  Socket errors: connect 1, read 2, write 3, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:  12437.81
`;
    const { p50Ms, ...rest } = parseWrk(output);
    expect(rest).toEqual({ requests: 25_000, failures: 15, seconds: 2.01, p99Ms: 1_020 });
    expect(p50Ms).toBeCloseTo(0.512);
  });

  it("is no requests where it prints nothing of the kind", () => {
    expect(parseWrk("unable to connect").requests).toBe(0);
  });
});

describe("Pillion in the benchmark", () => {
  it("has the flags and the environment of the image, but for paths inside it", () => {
    const { flags, environment } = imageSettings();
    expect(flags).toContain("--disable-proto=delete");
    expect(flags.every((flag) => flag.startsWith("--"))).toBe(true);
    expect(environment).toMatchObject({
      NODE_ENV: "production",
      MALLOC_ARENA_MAX: "1",
      MALLOC_TRIM_THRESHOLD_: "131072",
    });
    expect(Object.values(environment).some((value) => value.startsWith("/"))).toBe(false);
  });

  it("has as many routes and tenants as are asked for", () => {
    const setting = {
      ...({ scheme: "https", port: 1, originPort: 2, caFile: "/ca", token: "t" } as const),
      ...{ tokenUrl: "http://127.0.0.1:3/", directory: "/tmp" },
    };
    const text = pillionConfiguration(setting, false, { routes: 3, tenants: 5 });
    expect(text.match(/- name: r\d+\n {4}path: \/r\d+\/\{tenant\}\//g)).toHaveLength(3);
    expect(text.match(/^ {6}t\d+: /gm)).toHaveLength(5);
  });
});

describe("the page of the benchmark", () => {
  it("gets new figures between its two comments, and keeps the rest", () => {
    const page = `before\n${BEGIN}\nold\n${END}\nafter\n`;
    expect(replaceGenerated(page, "\nnew\n")).toBe(`before\n${BEGIN}\n\nnew\n\n${END}\nafter\n`);
    expect(replaceGenerated(replaceGenerated(page, "new"), "new")).toBe(replaceGenerated(page, "new"));
  });

  it.each(["", BEGIN, END, `${END}${BEGIN}`, `${BEGIN}${BEGIN}${END}`, `${BEGIN}${END}${END}`])(
    "is left alone without them: %j",
    (page) => {
      expect(() => replaceGenerated(page, "new")).toThrow("one line");
    },
  );

  it("is there", () => {
    const page = readFileSync(join(projectDirectory, "docs", "performance.md"), "utf8");
    expect(replaceGenerated(page, "new")).toContain("new");
  });
});

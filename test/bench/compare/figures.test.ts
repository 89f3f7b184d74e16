import { describe, expect, it } from "vitest";
import { behindTable } from "../../../bench/compare/behind.ts";
import { drawCpu } from "../../../bench/compare/chart.ts";
import { changes, parseRecord } from "../../../bench/compare/earlier.ts";
import type { Metric, Result } from "../../../bench/compare/figures.ts";
import { spread } from "../../../bench/compare/statistics.ts";
import { figuresTable, markdown, plainText, ratioToNginx } from "../../../bench/compare/table.ts";
import { isMet, judge, verdictTable } from "../../../bench/compare/verdict.ts";

function result(
  name: string,
  figures: Partial<Record<Metric, number>>,
  scheme: Result["scheme"] = "https",
): Result {
  const spreads = Object.entries(figures).map(([metric, value]) => [metric, spread([value])]);
  return { scheme, name, version: "1", figures: Object.fromEntries(spreads) };
}

const now = [
  result("pillion", { cpuMicroseconds: 60, addedP99Ms: 0.9, bodyMiBPerSecond: 900, startMs: 250 }),
  result("nginx", { cpuMicroseconds: 20, startMs: 15 }),
  result("http-proxy+agent", { cpuMicroseconds: 150 }),
  result("http-proxy-3", { bodyMiBPerSecond: 800, addedP99Ms: 2 }),
  result("pillion", { cpuMicroseconds: 30 }, "http"),
  result("nginx", { cpuMicroseconds: 10 }, "http"),
];

describe("the benchmark's figures", () => {
  it("are medians with the least and the greatest", () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
    expect(spread([]).median).toBeNaN();
  });

  it("are set beside nginx's before the same upstream", () => {
    expect(now.map((each) => ratioToNginx(each, now))).toEqual([3, 1, 7.5, undefined, 3, 1]);
  });

  it("make one table, without the columns of which nothing was measured", () => {
    const table = figuresTable(now);
    expect(table[0]).toEqual([
      "upstream",
      "proxy",
      "CPU : nginx",
      "CPU µs/request",
      "+p99 ms",
      "start ms",
      "body MiB/s",
    ]);
    expect(table[1]).toEqual(["https", "pillion", "3.00", "60.0", "0.90", "250", "900"]);
    expect(new Set(table.map((line) => line.length))).toEqual(new Set([7]));
    expect(plainText(table, 2).split("\n")).toHaveLength(7);
    expect(markdown(table, 2).split("\n")[1]).toBe("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
  });

  it("say who does better, be more or less the better", () => {
    expect(behindTable(now)).toEqual([
      ["", "Pillion", "better"],
      ["CPU per request, µs", "60.0", "nginx 20.0"],
      ["p99 added at a fixed rate, ms", "0.90", "nobody"],
      ["start, ms", "250", "nginx 15"],
      ["large bodies, MiB/s", "900", "nobody"],
    ]);
  });

  it("are drawn: a bar for each proxy, and a bar that would dwarf the rest is cut", () => {
    const svg = drawCpu([...now, result("slow <&>", { cpuMicroseconds: 5_000 })], "here");
    expect(svg.match(/<rect class="(bar|own)"/g)).toHaveLength(6);
    expect(svg).toContain("5000.0 (bar cut)");
    expect(svg).toContain("slow &#60;&#38;&#62;");
    const widths = [...svg.matchAll(/<rect class="(?:bar|own)" x="160" y="\d+" width="([\d.]+)"/g)];
    expect(Math.max(...widths.map(([, width]) => Number(width)))).toBe(570);
  });
});

describe("the benchmark's verdict", () => {
  const details = {
    routes: 1_000,
    tenants: 10_000,
    routing: spread([1.2]),
    atOnce: spread([1.5]),
    tokenMicroseconds: spread([0.5]),
  };

  it("holds each target against what was measured, and names what was not", () => {
    const lines = verdictTable(judge(now, details)).map(([, limit, measured, met]) => [limit, measured, met]);
    expect(lines).toEqual([
      ["limit", "measured", "met"],
      ["≤ 0.3", "", "not measured"],
      ["≤ 0.3", "0.40", "no"],
      ["≤ 0.7", "", "not measured"],
      ["≤ 2.2", "3.00", "no"],
      ["≤ 1", "", "not measured"],
      ["≤ 1", "0.90", "yes"],
      ["≤ 60", "", "not measured"],
      ["≤ 85", "", "not measured"],
      ["≤ 200", "250.00", "no"],
      ["≥ 1", "1.13", "yes"],
      ["≤ 1", "0.50", "yes"],
      ["≤ 1.05", "1.20", "no"],
    ]);
  });

  it.each([
    [1, 1, false, true],
    [1.001, 1, false, false],
    [1, 1, true, true],
    [0.999, 1, true, false],
    [Number.NaN, 1, false, undefined],
    [undefined, 1, true, undefined],
  ])("measured %s, limit %s, at least: %s → %s", (measured, limit, atLeast, met) => {
    expect(isMet({ target: "", measured, limit, atLeast })).toBe(met);
  });
});

describe("the change against an earlier run", () => {
  it("is told in multiples of nginx, of what both runs measured", () => {
    const then = [
      result("nginx", { cpuMicroseconds: 40 }),
      result("pillion", { cpuMicroseconds: 160 }),
      result("http-proxy+agent", { cpuMicroseconds: 280 }),
    ];
    expect(changes(now, then)).toEqual([
      ["upstream", "proxy", "CPU : nginx then", "now", "change"],
      ["https", "pillion", "4.00", "3.00", "-25.0 %"],
      ["https", "http-proxy+agent", "7.00", "7.50", "+7.1 %"],
    ]);
  });

  it("takes what --json wrote, and says so to anything else", () => {
    expect(parseRecord(JSON.stringify({ machine: {}, results: now }), "f").results).toEqual(now);
    for (const text of ["", "{", "null", "[]", "{}", '{"results":[1]}', '{"results":[{"scheme":"http"}]}']) {
      expect(() => parseRecord(text, "file.json")).toThrow(/^file\.json .*--json/);
    }
  });
});

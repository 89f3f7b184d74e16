import { describe, expect, it } from "vitest";
import { promqlNames } from "./promql.ts";

describe("the names in a PromQL expression", () => {
  it.each([
    ["up", [["up"]], []],
    ['rate(x_total{code=~"5..|by",route!=""}[5m] offset 5m) > bool 0.5', [["x_total", "code", "route"]], []],
    ["sum by (le, route) (rate(x_bucket[5m]))", [["x_bucket"]], ["le", "route"]],
    ["sum(a) without (code) / on (job) group_left (node) b{}", [["a"], ["b"]], ["code", "job", "node"]],
    ["clamp_max(0.05 * level:metric:op, 30) unless y", [["level:metric:op"], ["y"]], []],
    ["topk(10, max_over_time((a - time())[1d:5m]))", [["a"]], []],
  ] as const)("%s", (expression, selectors, groupings) => {
    const names = promqlNames(expression);
    expect(names.selectors.map(({ metric, labels }) => [metric, ...labels])).toEqual(selectors);
    expect(names.groupings).toEqual(groupings);
  });
});

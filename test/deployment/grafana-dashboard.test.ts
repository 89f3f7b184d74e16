/** `config/grafana/pillion.json` is a dashboard that any Grafana can be given. */
import { describe, expect, it } from "vitest";
import { readDashboard } from "../support/monitoring-files.ts";

const { panels, templating, annotations } = readDashboard();
const graphs = panels.filter(({ type }) => type !== "row");
const targets = graphs.flatMap((panel) => panel.targets);

describe("the dashboard", () => {
  it("has a part for each question that an operator asks", () => {
    const rows = panels.filter(({ type }) => type === "row").map(({ title }) => title);
    expect(rows).toEqual(["Traffic", "Latency", "Tokens", "Sessions and store", "Process"]);
  });

  it("asks the chosen data source for the chosen jobs and instances, everywhere", () => {
    expect(templating.list.map(({ name, type }) => `${type} ${name}`)).toEqual([
      "datasource datasource",
      "query job",
      "query instance",
    ]);
    const uids = [...graphs, ...targets].map(({ datasource }) => datasource?.uid);
    expect(new Set(uids)).toEqual(new Set([`\${datasource}`]));
    for (const expr of [...targets, ...annotations.list].map((each) => each.expr)) {
      const selectors = expr.match(/\b(?:pillion|process|nodejs)_\w+(?:\{[^}]*\})?/g) ?? [];
      expect(selectors.length).toBeGreaterThan(0);
      for (const selector of selectors) expect(selector).toContain('{job=~"$job", instance=~"$instance"');
    }
  });

  it("rates counters over an interval that Grafana fits to the scrapes", () => {
    const rates = targets.flatMap(({ expr }) => expr.match(/rate\([^[]*\[[^\]]*\]/g) ?? []);
    expect(rates.length).toBeGreaterThan(15);
    for (const rate of rates) expect(rate).toContain("[$__rate_interval]");
  });

  it("has panels beside and below each other, each with a number of its own", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });
});

/** Figures as a table for a terminal and for a page. Pure. */
import type { Metric, Result } from "./figures.ts";

interface Column {
  readonly title: string;
  readonly metric: Metric;
  readonly digits: number;
}

export const COLUMNS: readonly Column[] = [
  { title: "CPU µs/request", metric: "cpuMicroseconds", digits: 1 },
  { title: "requests/s", metric: "requestsPerSecond", digits: 0 },
  { title: "+p50 ms", metric: "addedP50Ms", digits: 2 },
  { title: "+p99 ms", metric: "addedP99Ms", digits: 2 },
  { title: "idle MiB", metric: "idleMiB", digits: 0 },
  { title: "loaded MiB", metric: "loadedMiB", digits: 0 },
  { title: "start ms", metric: "startMs", digits: 0 },
  { title: "body MiB/s", metric: "bodyMiBPerSecond", digits: 0 },
  { title: "body CPU s/GiB", metric: "bodyCpuSecondsPerGiB", digits: 2 },
];

export type Table = readonly (readonly string[])[];

/** `3.0 (2.9–3.2)`: the median, and the least and the greatest. */
export function cell(result: Result, { metric, digits }: Omit<Column, "title">): string {
  const value = result.figures[metric];
  if (value === undefined) return "";
  const [median, min, max] = [value.median, value.min, value.max].map((each) => each.toFixed(digits));
  return min === max ? `${median}` : `${median} (${min}–${max})`;
}

/** A proxy's CPU time as a multiple of nginx's before the same upstream; undefined where nginx was not measured. */
export function ratioToNginx(result: Result, results: readonly Result[]): number | undefined {
  const nginx = results.find(({ name, scheme }) => name === "nginx" && scheme === result.scheme);
  const [own, base] = [result, nginx].map((each) => each?.figures.cpuMicroseconds?.median);
  return own === undefined || base === undefined ? undefined : own / base;
}

export function figuresTable(results: readonly Result[]): Table {
  const columns = COLUMNS.filter(({ metric }) =>
    results.some(({ figures }) => figures[metric] !== undefined),
  );
  const header = ["upstream", "proxy", "CPU : nginx", ...columns.map(({ title }) => title)];
  const lines = results.map((result) => [
    result.scheme,
    result.name,
    ratioToNginx(result, results)?.toFixed(2) ?? "",
    ...columns.map((column) => cell(result, column)),
  ]);
  return [header, ...lines];
}

/** The first `left` columns are texts. */
export function plainText(table: Table, left: number): string {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((line) => line[column]?.length ?? 0)),
  );
  return table
    .map((line) =>
      line
        .map((text, column) => {
          const width = widths[column] ?? 0;
          return column < left ? text.padEnd(width) : text.padStart(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Markdown's. */
export function markdown(table: Table, left: number): string {
  const [header = [], ...lines] = table;
  const rule = header.map((_, column) => (column < left ? "---" : "---:"));
  return [header, rule, ...lines].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

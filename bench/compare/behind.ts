/** Who does better than Pillion, figure by figure, before a TLS upstream. Pure. */
import type { Metric, Result } from "./figures.ts";
import type { Table } from "./table.ts";

interface Discipline {
  readonly title: string;
  readonly metric: Metric;
  readonly digits: number;
  readonly moreIsBetter?: true;
}

const DISCIPLINES: readonly Discipline[] = [
  { title: "CPU per request, µs", metric: "cpuMicroseconds", digits: 1 },
  { title: "requests a second", metric: "requestsPerSecond", digits: 0, moreIsBetter: true },
  { title: "p50 added at a fixed rate, ms", metric: "addedP50Ms", digits: 2 },
  { title: "p99 added at a fixed rate, ms", metric: "addedP99Ms", digits: 2 },
  { title: "memory idle, MiB", metric: "idleMiB", digits: 0 },
  { title: "memory under load, MiB", metric: "loadedMiB", digits: 0 },
  { title: "start, ms", metric: "startMs", digits: 0 },
  { title: "large bodies, MiB/s", metric: "bodyMiBPerSecond", digits: 0, moreIsBetter: true },
];

export function behindTable(results: readonly Result[]): Table {
  const tls = results.filter(({ scheme }) => scheme === "https");
  const own = tls.find(({ name }) => name === "pillion");
  const lines = DISCIPLINES.flatMap(({ title, metric, digits, moreIsBetter }) => {
    const value = own?.figures[metric]?.median;
    if (value === undefined) return [];
    const sign = moreIsBetter === true ? -1 : 1;
    const better = tls
      .filter(({ name }) => !name.startsWith("pillion"))
      .map(({ name, figures }) => ({ name, value: figures[metric]?.median ?? Number.NaN }))
      .filter((each) => (each.value - value) * sign < 0)
      .toSorted((a, b) => (a.value - b.value) * sign);
    const names = better.map((each) => `${each.name} ${each.value.toFixed(digits)}`).join(", ");
    return [[title, value.toFixed(digits), names === "" ? "nobody" : names]];
  });
  return [["", "Pillion", "better"], ...lines];
}

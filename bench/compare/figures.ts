/** What is measured of one proxy before one upstream, a number for each round. */
import type { Scheme } from "./setting.ts";
import { type Spread, spread } from "./statistics.ts";

export interface Figures {
  readonly scheme: Scheme;
  readonly name: string;
  readonly version: string;
  /** User and system time of all its processes, at saturation. */
  readonly cpuMicroseconds: number[];
  readonly requestsPerSecond: number[];
  /** At a fixed rate: its quantile less that of the same round without a proxy. */
  readonly addedP50Ms: number[];
  readonly addedP99Ms: number[];
  readonly pacedCpuMicroseconds: number[];
  readonly idleMiB: number[];
  readonly loadedMiB: number[];
  readonly startMs: number[];
  readonly bodyMiBPerSecond: number[];
  readonly bodyCpuSecondsPerGiB: number[];
}

export const METRICS = [
  "cpuMicroseconds",
  "requestsPerSecond",
  "addedP50Ms",
  "addedP99Ms",
  "pacedCpuMicroseconds",
  "idleMiB",
  "loadedMiB",
  "startMs",
  "bodyMiBPerSecond",
  "bodyCpuSecondsPerGiB",
] as const;
export type Metric = (typeof METRICS)[number];

/** A metric that was not measured is not there. */
export interface Result {
  readonly scheme: Scheme;
  readonly name: string;
  readonly version: string;
  readonly figures: Readonly<Partial<Record<Metric, Spread>>>;
}

export function emptyFigures(scheme: Scheme, name: string, version: string): Figures {
  return {
    scheme,
    name,
    version,
    cpuMicroseconds: [],
    requestsPerSecond: [],
    addedP50Ms: [],
    addedP99Ms: [],
    pacedCpuMicroseconds: [],
    idleMiB: [],
    loadedMiB: [],
    startMs: [],
    bodyMiBPerSecond: [],
    bodyCpuSecondsPerGiB: [],
  };
}

export function summary(figures: Figures): Result {
  const { scheme, name, version } = figures;
  const measured = METRICS.filter((metric) => figures[metric].length > 0);
  return {
    scheme,
    name,
    version,
    figures: Object.fromEntries(measured.map((metric) => [metric, spread(figures[metric])])),
  };
}

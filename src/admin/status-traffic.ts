import type { Clock, Timer } from "../core/clock.ts";
import type { TrafficFigures, TrafficSample, TrafficStatus } from "./status-document.ts";

/** What has been counted since the start, for one route; the empty name stands for requests without one. */
export interface RouteTotals {
  requests: number;
  clientErrors: number;
  serverErrors: number;
  /** Requests by duration: one count per bound of `bounds`, and one for those above the last. Not cumulative. */
  durations: number[];
}

export interface TrafficTotals {
  readonly routes: ReadonlyMap<string, RouteTotals>;
  readonly inFlight: number;
}

/** Where the totals come from. */
export interface TrafficCounters {
  /** Upper bounds of the durations, in seconds. */
  readonly bounds: readonly number[];
  read(): Promise<TrafficTotals>;
}

/** Rates from counters that only grow: they are read every few seconds, and the differences are remembered. */
export interface Traffic {
  start(): void;
  stop(): void;
  /** Over the latest minute, up to the last reading. */
  recent(): TrafficStatus;
  /** What was sampled after this Unix time in seconds, the oldest first; ten minutes at most. */
  samples(afterSeconds: number): readonly TrafficSample[];
}

/** Between two readings. */
export const TRAFFIC_INTERVAL_MS = 5_000;
/** Reading takes at most this part of the time, however many series there are. */
const SHARE = 1 / 1_000;
/** But it goes on, also where a machine with too much to do makes it seem slow. */
const LONGEST_INTERVAL_MS = 30_000;
const KEPT_SAMPLES = 120;
/** Readings that count as now: a minute of them. */
const WINDOW = 12;

/** What ended between two readings. */
interface Reading {
  readonly seconds: number;
  readonly routes: ReadonlyMap<string, RouteTotals>;
}

export function createTraffic(clock: Clock, counters: TrafficCounters): Traffic {
  const { bounds } = counters;
  const samples: TrafficSample[] = [];
  const window: Reading[] = [];
  let last: { readonly atMs: number; readonly totals: TrafficTotals } | undefined;
  let timer: Timer | undefined;
  let running = false;

  const sample = async (): Promise<void> => {
    const totals = await counters.read();
    const atMs = clock.now();
    if (last !== undefined && atMs > last.atMs) {
      const routes = differences(totals.routes, last.totals.routes);
      const seconds = (atMs - last.atMs) / 1_000;
      window.push({ seconds, routes });
      if (window.length > WINDOW) window.shift();
      samples.push({ at: clock.wall() / 1_000, ...figures(sum(routes.values()), seconds, bounds) });
      if (samples.length > KEPT_SAMPLES) samples.shift();
    }
    last = { atMs, totals };
  };

  const run = (): void => {
    const startMs = clock.now();
    const arm = (): void => {
      const delayMs = Math.max(TRAFFIC_INTERVAL_MS, (clock.now() - startMs) / SHARE);
      if (running) timer = clock.schedule(Math.min(delayMs, LONGEST_INTERVAL_MS), run);
    };
    // Counters that are in memory cannot fail to be read; should they, the charts stand still.
    sample().then(arm, arm);
  };

  return {
    start() {
      if (running) return;
      running = true;
      run();
    },
    stop() {
      running = false;
      timer?.cancel();
    },
    recent() {
      const seconds = window.reduce((total, reading) => total + reading.seconds, 0);
      const names = new Set(window.flatMap(({ routes }) => [...routes.keys()]));
      const routes: [string, TrafficFigures][] = [...names]
        .filter((name) => name !== "")
        .map((name) => {
          const readings = window.flatMap(({ routes }) => routes.get(name) ?? []);
          return [name, figures(sum(readings), seconds, bounds)];
        });
      const all = window.flatMap((reading) => [...reading.routes.values()]);
      return {
        window_seconds: tenths(seconds),
        ...figures(sum(all), seconds, bounds),
        in_flight: last?.totals.inFlight ?? 0,
        routes: Object.fromEntries(routes),
      };
    },
    samples: (afterSeconds) => samples.filter(({ at }) => at > afterSeconds),
  };
}

/** Only of the routes where anything ended: a route that is idle costs nothing. */
function differences(
  now: ReadonlyMap<string, RouteTotals>,
  before: ReadonlyMap<string, RouteTotals>,
): ReadonlyMap<string, RouteTotals> {
  const changed = new Map<string, RouteTotals>();
  for (const [name, totals] of now) {
    const old = before.get(name);
    if (totals.requests === (old?.requests ?? 0)) continue;
    changed.set(name, {
      requests: totals.requests - (old?.requests ?? 0),
      clientErrors: totals.clientErrors - (old?.clientErrors ?? 0),
      serverErrors: totals.serverErrors - (old?.serverErrors ?? 0),
      durations: totals.durations.map((count, index) => count - (old?.durations[index] ?? 0)),
    });
  }
  return changed;
}

function sum(parts: Iterable<RouteTotals>): RouteTotals {
  const total: RouteTotals = { requests: 0, clientErrors: 0, serverErrors: 0, durations: [] };
  for (const { requests, clientErrors, serverErrors, durations } of parts) {
    total.requests += requests;
    total.clientErrors += clientErrors;
    total.serverErrors += serverErrors;
    for (const [index, count] of durations.entries())
      total.durations[index] = (total.durations[index] ?? 0) + count;
  }
  return total;
}

function figures(of: RouteTotals, seconds: number, bounds: readonly number[]): TrafficFigures {
  const ratio = (part: number): number => (of.requests === 0 ? 0 : rounded(part / of.requests));
  const p50 = quantile(0.5, of.durations, bounds);
  const p95 = quantile(0.95, of.durations, bounds);
  return {
    requests_per_second: seconds === 0 ? 0 : rounded(of.requests / seconds),
    client_error_ratio: ratio(of.clientErrors),
    server_error_ratio: ratio(of.serverErrors),
    ...(p50 === undefined ? {} : { latency_p50_seconds: rounded(p50) }),
    ...(p95 === undefined ? {} : { latency_p95_seconds: rounded(p95) }),
  };
}

/**
 * The value below which the part `q` of a histogram lies, evenly spread within its bucket, as Prometheus'
 * `histogram_quantile` has it. Above the last bound: that bound. undefined: nothing was observed.
 *
 * @param counts one per bound, and one for what is above the last
 */
export function quantile(
  q: number,
  counts: readonly number[],
  bounds: readonly number[],
): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let below = 0;
  for (const [index, upper] of bounds.entries()) {
    const count = counts[index] ?? 0;
    if (count > 0 && below + count >= q * total) {
      const lower = bounds[index - 1] ?? 0;
      return lower + (upper - lower) * ((q * total - below) / count);
    }
    below += count;
  }
  return bounds.at(-1);
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Which fleets are modelled, and what is said of them. The figures are for the same seed the same. */
import { type FleetFigures, type FleetPlan, runFleet } from "./modelled-fleet.ts";
import { REDIS } from "./modelled-redis.ts";
import { count, duration, table } from "./tables.ts";

export interface Modelled {
  readonly sidecars: number;
  readonly figures: FleetFigures;
}

export interface ModelResults {
  readonly hours: number;
  /** Tenants of the hours, and of the cold starts. */
  readonly tenants: { readonly hours: number; readonly coldStart: number };
  /** From a cold start on, with one rolling deployment. */
  readonly shared: readonly Modelled[];
  readonly alone: readonly Modelled[];
  /** All sidecars start within a second, and each is asked for every tenant within a few more. */
  readonly burst: readonly Modelled[];
  readonly burstAlone: readonly Modelled[];
  /** The same before a token URL that takes one request a second. */
  readonly spaced: readonly Modelled[];
  /** Laws that were broken, in words: a fault of the engine or of the model. */
  readonly broken: readonly string[];
}

export interface ModelOptions {
  /** Ascending. */
  readonly sidecars: readonly number[];
  readonly seed: number;
  /** Default 4. */
  readonly hours?: number;
  /** Default 10 and 20. */
  readonly tenants?: ModelResults["tenants"];
}

const HOUR_MS = 3_600_000;
/** Both providers' tokens live an hour. */
const LIFETIME_SECONDS = 3_600;
const CALL_EVERY_MS = 1_000;
const BURST_MS = 20_000;

/** `progress` gets a line for each fleet, as it ends. */
export async function modelFleets(
  { sidecars, seed, hours = 4, tenants = { hours: 10, coldStart: 20 } }: ModelOptions,
  progress: (line: string) => void,
): Promise<ModelResults> {
  const common = { lifetimeSeconds: LIFETIME_SECONDS, callEveryMs: CALL_EVERY_MS, seed };
  const unspaced = { ...common, requestsPerSecond: Number.POSITIVE_INFINITY };
  const overHours = {
    ...unspaced,
    tenants: tenants.hours,
    startSpreadMs: 10_000,
    rollout: { fromMs: HOUR_MS, forMs: HOUR_MS / 6 },
    durationMs: hours * HOUR_MS,
  };
  const burst = { ...unspaced, tenants: tenants.coldStart, startSpreadMs: 1_000, durationMs: BURST_MS };
  // One token a second, and what a last caller may wait besides.
  const queueMs = 2_000 * tenants.coldStart + 10_000;
  const spaced = { ...burst, requestsPerSecond: 1, durationMs: queueMs };

  const series = async (name: string, plan: Omit<FleetPlan, "sidecars">): Promise<readonly Modelled[]> => {
    const all: Modelled[] = [];
    for (const number of sidecars) {
      const startMs = performance.now();
      const figures = await runFleet({ ...plan, sidecars: number });
      all.push({ sidecars: number, figures });
      const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
      const { tokenRequests, worstSecond, lockWaits, refused, redis } = figures;
      progress(
        `${name}, ${count(number)} sidecars: ${count(tokenRequests)} token requests, ${count(worstSecond)} in the worst second; ` +
          `waits ${waits(lockWaits)}, ${count(refused)} × 503; Redis ${count(redis.worstSecond)} commands in the worst second, ` +
          `${count(redis.steadyPerSecond)} on average (${count(figures.events)} events in ${seconds} s)`,
      );
    }
    return all;
  };

  const results = {
    hours,
    tenants,
    shared: await series(`${hours} h, shared`, { ...overHours, shared: true }),
    alone: await series(`${hours} h, each for itself`, { ...overHours, shared: false }),
    burst: await series("cold start, shared", { ...burst, shared: true }),
    burstAlone: await series("cold start, each for itself", { ...burst, shared: false }),
    spaced: await series("cold start at 1 request/s, shared", { ...spaced, shared: true }),
  };
  return { ...results, broken: brokenLaws(results) };
}

/** What holds however large a fleet is, and however badly the store does. */
function brokenLaws(results: Omit<ModelResults, "broken">): readonly string[] {
  const broken: string[] = [];
  const law = (name: string, { sidecars }: Modelled, holds: boolean): void => {
    if (!holds) broken.push(`${name}, ${count(sidecars)} sidecars`);
  };
  const pairs = [
    ["hours", results.shared, results.alone],
    ["cold start", results.burst, results.burstAlone],
  ] as const;
  for (const [name, shared, alone] of pairs) {
    for (const [index, one] of shared.entries()) {
      const most = alone[index]?.figures.tokenRequests ?? 0;
      law(`${name}: sharing asks no more often`, one, one.figures.tokenRequests <= most);
      law(`${name}: everybody is served`, one, one.figures.unserved === 0 && one.figures.refused === 0);
    }
  }
  for (const one of results.spaced) {
    const { perLifetime, smallestGapMs, unserved } = one.figures;
    law("1 request/s: everybody is served in the end", one, unserved === 0);
    if (perLifetime.max === 1)
      law("1 request/s: the spacing is kept", one, (smallestGapMs ?? 1_000) >= 1_000);
  }
  return broken;
}

/** The first fleet for which a tenant's token was asked for more than once; undefined: none. */
export function kneeOf(series: readonly Modelled[]): number | undefined {
  return series.find(({ figures }) => figures.perLifetime.max > 1)?.sidecars;
}

/** Markdown. */
export function modelTables(results: ModelResults): string {
  const { hours, tenants } = results;
  const perHour = ({ figures }: Modelled): number => figures.tokenRequests / hours;
  const overHours = table(
    [
      "sidecars",
      "token requests per hour, each for itself",
      "shared",
      "of these per tenant and lifetime, mean / max",
      "Redis commands per second, on average",
      "worst",
    ],
    results.shared.map((one, index) => {
      const { perLifetime, redis } = one.figures;
      const alone = results.alone[index];
      return [
        count(one.sidecars),
        alone === undefined ? "" : count(perHour(alone)),
        count(perHour(one)),
        `${perLifetime.mean.toFixed(2)} / ${perLifetime.max}`,
        count(redis.steadyPerSecond),
        count(redis.worstSecond),
      ];
    }),
  );
  const coldStart = table(
    [
      "sidecars",
      "token requests, each for itself",
      "worst second",
      "token requests, shared",
      "worst second",
      "wait for another's token, p50 / p99 / max",
      "Redis commands in the worst second",
      "its longest queue",
    ],
    results.burst.map((one, index) => {
      const { tokenRequests, worstSecond, lockWaits, redis } = one.figures;
      const alone = results.burstAlone[index]?.figures;
      return [
        count(one.sidecars),
        count(alone?.tokenRequests ?? 0),
        count(alone?.worstSecond ?? 0),
        count(tokenRequests),
        count(worstSecond),
        waits(lockWaits),
        count(redis.worstSecond),
        duration(redis.longestQueueMs),
      ];
    }),
  );
  const spaced = table(
    [
      "sidecars",
      "token requests",
      "worst second",
      "smallest gap",
      "wait for another's token, p50 / p99 / max",
      "from token to use, p50 / p99 / max",
      "503 after 10 s",
      "all served after",
      "Redis commands in the worst second",
    ],
    results.spaced.map(({ sidecars, figures }) => [
      count(sidecars),
      count(figures.tokenRequests),
      count(figures.worstSecond),
      duration(figures.smallestGapMs ?? 0),
      waits(figures.lockWaits),
      waits(figures.handOver),
      count(figures.refused),
      figures.unserved === 0 ? duration(figures.servedAfterMs) : `${count(figures.unserved)} never`,
      count(figures.redis.worstSecond),
    ]),
  );
  return [
    `${hours} hours, ${tenants.hours} tenants`,
    overHours,
    `cold start within a second, ${tenants.coldStart} tenants, a Redis of ${count(1_000 / REDIS.commandMs)} commands/s`,
    coldStart,
    `the same at one token request per second`,
    spaced,
    ...results.broken.map((law) => `BROKEN: ${law}`),
  ].join("\n\n");
}

function waits({ p50Ms, p99Ms, maxMs }: FleetFigures["lockWaits"]): string {
  return `${duration(p50Ms)} / ${duration(p99Ms)} / ${duration(maxMs)}`;
}

/** What is done to a fleet of real processes, and what is held against it. Each begins with processes that know nothing. */
import { setTimeout as delay } from "node:timers/promises";
import type { RedisServer } from "../../test/support/redis-server.ts";
import { askAll, type Caller, createCaller, createSeen, type Seen } from "./callers.ts";
import { requestsPerLifetime, smallestGapMs, summarize, type Waits, worstSecond } from "./figures.ts";
import { type Fleet, startFleet } from "./processes.ts";
import { ANSWER_MS, type Provider, type ProviderName, startProvider } from "./provider.ts";
import { type RedisLoad, watchRedis } from "./redis-load.ts";

export interface Surroundings {
  readonly pillion: string;
  readonly processes: number;
  readonly tenants: number;
  readonly lifetimeSeconds: number;
  readonly lifetimes: number;
  readonly redis: RedisServer;
}

export interface Measurement {
  readonly scenario: string;
  readonly shared: boolean;
  readonly tenants: number;
  readonly tokenRequests: number;
  /** Of these, by the provider. */
  readonly refused: number;
  readonly perLifetime: { readonly mean: number; readonly max: number };
  readonly worstSecond: number;
  readonly smallestGapMs: number | undefined;
  readonly waits: Waits;
  /** From when a token was sent off by the provider until the first and the last process had served it. */
  readonly firstServed: Waits;
  readonly lastServed: Waits;
  readonly requests: number;
  readonly failures: Readonly<Record<string, number>>;
  /** Requests that came to the API with an expired token, another's or none. */
  readonly wrongTokens: number;
  readonly cpuSeconds: number;
  readonly redis: RedisLoad | undefined;
  readonly seconds: number;
}

export interface Judgement {
  readonly what: string;
  readonly figure: string;
  readonly limit: string;
  readonly ok: boolean;
}

export interface Finding {
  readonly measurement: Measurement;
  readonly judgements: readonly Judgement[];
}

const HOUR_SECONDS = 3_600;
/** What the provider's own limit has to be tried with, and what the shorter scenarios need. */
const SPACED_TENANTS = 20;
const FEWER_TENANTS = 200;
/** A pause of the callers is no failure: 503 with `Retry-After` while the provider's limit makes them wait. */
const AGAIN_MS = 500;
/** After so long they give up: each for itself would wait for as many seconds as there are processes and tenants. */
const PATIENCE_MS = 60_000;
/** Longest look interval with its jitter, and a machine with two cores. */
const HAND_OVER_LIMIT_MS = 1_500;

interface Trial {
  readonly scenario: string;
  readonly shared: boolean;
  readonly tenants: number;
  readonly lifetimeSeconds: number;
  /** Default zocdoc. */
  readonly provider?: ProviderName;
}

interface Stage {
  readonly fleet: Fleet;
  readonly provider: Provider;
  readonly callers: readonly Caller[];
  readonly tenants: readonly string[];
  readonly seen: Seen;
}

async function measure(
  { pillion, processes, redis }: Surroundings,
  trial: Trial,
  run: (stage: Stage) => Promise<void>,
): Promise<Measurement> {
  const { shared, lifetimeSeconds, provider: name = "zocdoc" } = trial;
  const tenants = Array.from({ length: trial.tenants }, (_, index) => `t${index}`);
  const redisUrl = shared ? redis.url : undefined;
  await using provider = await startProvider({ name, tenants, lifetimeSeconds });
  await using fleet = await startFleet({ pillion, processes, redisUrl, provider });
  const seen = createSeen();
  const callers = fleet.sidecars.map((sidecar) => createCaller(sidecar, seen, provider));
  const cpuSeconds = (): number => fleet.sidecars.reduce((sum, sidecar) => sum + sidecar.cpuSeconds(), 0);
  const cpuBefore = cpuSeconds();
  const watch = shared ? watchRedis(redis) : undefined;
  const startMs = performance.now();
  try {
    await run({ fleet, provider, callers, tenants, seen });
  } finally {
    await Promise.all(callers.map((caller) => caller.close()));
  }
  const seconds = (performance.now() - startMs) / 1_000;
  const load = await watch?.end();
  const served = [...seen.servedByToken.values()];
  const arrivalsMs = provider.arrivalsMs();
  const lifetimes = [...provider.arrivalsByTenant().values()].flatMap((arrivals) =>
    requestsPerLifetime(arrivals, lifetimeSeconds * 1_000),
  );
  const granted = lifetimes.reduce((sum, count) => sum + count, 0);
  return {
    scenario: trial.scenario,
    shared,
    tenants: trial.tenants,
    tokenRequests: arrivalsMs.length,
    refused: provider.refused(),
    perLifetime: { mean: granted / Math.max(1, lifetimes.length), max: Math.max(0, ...lifetimes) },
    worstSecond: worstSecond(arrivalsMs),
    smallestGapMs: smallestGapMs(arrivalsMs),
    waits: summarize(seen.waitsMs),
    firstServed: summarize(served.map(({ firstMs }) => firstMs)),
    lastServed: summarize(served.map(({ lastMs }) => lastMs)),
    requests: seen.requests,
    failures: Object.fromEntries(seen.failures),
    wrongTokens: provider.wrongTokens(),
    cpuSeconds: cpuSeconds() - cpuBefore,
    redis: load,
    seconds,
  };
}

const atMost = (what: string, figure: number, limit: number, unit = ""): Judgement => ({
  what,
  figure: `${Math.round(figure * 10) / 10}${unit}`,
  limit: `at most ${limit}${unit}`,
  ok: figure <= limit,
});
const failed = ({ failures }: Measurement): number =>
  Object.values(failures).reduce((sum, count) => sum + count, 0);
/** `12 × 503, 1 × no answer`, or nothing. */
export const failureText = ({ failures }: Measurement): string =>
  Object.entries(failures)
    .map(([why, times]) => `${times} × ${why}`)
    .join(", ");
const noneFailed = (measurement: Measurement, what = "requests that failed"): Judgement => {
  const judgement = atMost(what, failed(measurement), 0);
  return judgement.ok ? judgement : { ...judgement, figure: failureText(measurement) };
};

const ownTokens = ({ wrongTokens }: Measurement): Judgement =>
  atMost("requests that reached the API with a token that was not good there", wrongTokens, 0);

/** Everybody asks for every tenant once, all at the same time. */
export async function coldStart(around: Surroundings, shared: boolean): Promise<Finding> {
  const trial = {
    scenario: "cold start",
    shared,
    tenants: around.tenants,
    lifetimeSeconds: HOUR_SECONDS,
  };
  const measurement = await measure(around, trial, async ({ callers, tenants }) => {
    await Promise.all(callers.map((caller) => askAll(caller, tenants)));
  });
  const judgements = [noneFailed(measurement), ownTokens(measurement)];
  if (shared) judgements.push(atMost("token requests per tenant", measurement.perLifetime.max, 1));
  return { measurement, judgements };
}

/** Everybody goes on asking for every tenant, five times in a token's life. */
export async function steadyState(around: Surroundings, shared: boolean): Promise<Finding> {
  const { lifetimeSeconds, lifetimes } = around;
  const tenants = Math.min(around.tenants, FEWER_TENANTS);
  const trial = {
    scenario: `${lifetimes} lifetimes of ${lifetimeSeconds} s`,
    shared,
    tenants,
    lifetimeSeconds,
  };
  const measurement = await measure(around, trial, async (stage) => {
    await Promise.all(
      stage.callers.map((caller) =>
        keepAsking(caller, stage.tenants, (lifetimeSeconds * 1_000) / 5, lifetimeSeconds * lifetimes * 1_000),
      ),
    );
  });
  const judgements = [noneFailed(measurement), ownTokens(measurement)];
  if (shared)
    judgements.push(atMost("token requests per tenant and lifetime", measurement.perLifetime.max, 1));
  return { measurement, judgements };
}

/** Each tenant once in `everyMs`, evenly; resolves when all are answered. */
async function keepAsking(
  caller: Caller,
  tenants: readonly string[],
  everyMs: number,
  forMs: number,
): Promise<void> {
  const startMs = performance.now();
  const pending = new Set<Promise<unknown>>();
  for (let asked = 0; performance.now() - startMs < forMs; asked += 1) {
    const dueMs = startMs + (asked * everyMs) / tenants.length;
    if (dueMs > performance.now()) await delay(dueMs - performance.now());
    const request = caller.ask(tenants[asked % tenants.length] ?? "");
    pending.add(request);
    void request.finally(() => pending.delete(request));
  }
  await Promise.all(pending);
}

/** The one process that fetches is killed while its token requests are under way and the others wait. */
export async function holderKilled(around: Surroundings): Promise<Finding> {
  const tenants = Math.min(around.tenants, FEWER_TENANTS);
  const trial = { scenario: "holder killed", shared: true, tenants, lifetimeSeconds: HOUR_SECONDS };
  /** A process has so many exchanges with one token URL under way at most. */
  const underWay = Math.min(32, tenants);
  const measurement = await measure(
    around,
    trial,
    async ({ fleet, provider, callers, tenants: names, seen }) => {
      const [doomed] = fleet.sidecars;
      if (doomed === undefined) return;
      const ghost = createCaller(doomed, createSeen(), provider);
      provider.hold();
      const lost = askAll(ghost, names);
      await provider.granted(underWay);
      provider.release();
      const others = Promise.all(callers.slice(1).map((caller) => askAll(caller, names)));
      await delay(ANSWER_MS);
      await doomed.kill();
      await others;
      await Promise.all([lost, ghost.close()]);
      if (seen.requests === 0) throw new Error("a fleet of one has nobody left");
    },
  );
  return {
    measurement,
    judgements: [
      noneFailed(measurement, "requests of the others that failed"),
      ownTokens(measurement),
      atMost("token requests per tenant", measurement.perLifetime.max, 2),
      atMost("longest wait", measurement.waits.maxMs, 10_000, " ms"),
    ],
  };
}

/** Redis is killed, and comes back empty, while tokens are valid. */
export async function redisKilled(around: Surroundings): Promise<Finding> {
  const tenants = Math.min(around.tenants, FEWER_TENANTS);
  const trial = { scenario: "Redis killed", shared: true, tenants, lifetimeSeconds: HOUR_SECONDS };
  const PART_MS = 3_000;
  const measurement = await measure(around, trial, async ({ callers, tenants: names }) => {
    await Promise.all(callers.map((caller) => askAll(caller, names)));
    const traffic = callers.map((caller) => keepAsking(caller, names, 4_000, 3 * PART_MS));
    await delay(PART_MS);
    await around.redis.kill();
    await delay(PART_MS);
    await around.redis.restart();
    await Promise.all(traffic);
  });
  return { measurement, judgements: [noneFailed(measurement), ownTokens(measurement)] };
}

/** A token URL that takes one request a second and refuses the others; whoever is told to wait asks again, for a minute. */
export async function spacedColdStart(around: Surroundings, shared: boolean): Promise<Finding> {
  const trial = {
    scenario: "cold start, 1 request/s",
    shared,
    tenants: Math.min(around.tenants, SPACED_TENANTS),
    lifetimeSeconds: HOUR_SECONDS,
    provider: "qmatic",
  } as const;
  let unserved = 0;
  const measurement = await measure(around, trial, async ({ callers, tenants }) => {
    const untilMs = performance.now() + PATIENCE_MS;
    const askUntilServed = async (caller: Caller, tenant: string): Promise<void> => {
      while (!(await caller.ask(tenant))) {
        if (performance.now() > untilMs) {
          unserved += 1;
          return;
        }
        await delay(AGAIN_MS);
      }
    };
    await Promise.all(callers.flatMap((caller) => tenants.map((tenant) => askUntilServed(caller, tenant))));
  });
  const failures = failed(measurement) - (measurement.failures["503"] ?? 0);
  const judgements = [
    atMost("requests that failed, but for 503 after 10 s", failures, 0),
    ownTokens(measurement),
  ];
  if (shared) {
    const gapMs = measurement.smallestGapMs ?? Number.POSITIVE_INFINITY;
    judgements.push(
      atMost("tenants × processes not served within a minute", unserved, 0),
      atMost("token requests that were refused", measurement.refused, 0),
      atMost("token requests per tenant", measurement.perLifetime.max, 1),
      {
        what: "gap between token requests",
        figure: `${Math.round(gapMs)} ms`,
        limit: "at least 1000 ms",
        ok: gapMs >= 1_000,
      },
      atMost(
        "last process served after a token exists",
        measurement.lastServed.maxMs,
        HAND_OVER_LIMIT_MS,
        " ms",
      ),
    );
  }
  return { measurement, judgements };
}

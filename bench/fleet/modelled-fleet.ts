/**
 * A fleet over virtual time: the engine of `src/token/` as it is, once for each sidecar, before a modelled Redis and a
 * modelled token endpoint. One caller for each sidecar and tenant.
 */
import type { ClientCredentialsSpec } from "../../src/config/config.ts";
import { silentLogger } from "../../src/core/log.ts";
import { Secret } from "../../src/core/secret.ts";
import { createGuardedStore } from "../../src/store/guarded-store.ts";
import type { CredentialObserver } from "../../src/token/observer.ts";
import type { SecretReader } from "../../src/token/secret-reader.ts";
import type { Injection } from "../../src/token/token-source.ts";
import { createTokenSources, type TokenSources } from "../../src/token/token-sources.ts";
import { spec } from "../../test/token/engine.ts";
import { createRandom } from "../soak/plan.ts";
import { drawGapMs } from "./delay.ts";
import { createEventClock } from "./event-clock.ts";
import { requestsPerLifetime, smallestGapMs, summarize, type Waits, worstSecond } from "./figures.ts";
import { createModelledEndpoint } from "./modelled-endpoint.ts";
import { createModelledRedis, createOpenVault, REDIS, type RedisModel } from "./modelled-redis.ts";

export interface FleetPlan {
  readonly sidecars: number;
  readonly tenants: number;
  /** Whether they share their tokens in the Redis. */
  readonly shared: boolean;
  /** Of the token URL, which all tenants have in common. Infinity: not spaced. */
  readonly requestsPerSecond: number;
  readonly lifetimeSeconds: number;
  /** All sidecars start within so long, evenly. */
  readonly startSpreadMs: number;
  /** From when on, and within how long, each sidecar is replaced once by another without tokens. */
  readonly rollout?: { readonly fromMs: number; readonly forMs: number };
  readonly durationMs: number;
  /** A caller without an answer asks so long after the last one on average. */
  readonly callEveryMs: number;
  readonly seed: number;
  readonly redis?: RedisModel;
}

export interface FleetFigures {
  readonly tokenRequests: number;
  /** Within any 1000 ms. */
  readonly worstSecond: number;
  /** Between two arrivals at the token endpoint. */
  readonly smallestGapMs: number | undefined;
  /** Token requests for one of a tenant's tokens' lives. */
  readonly perLifetime: { readonly mean: number; readonly max: number };
  /** Of requests that had to wait for their token, and of them those whose sidecar did not fetch it itself. */
  readonly waits: Waits;
  readonly lockWaits: Waits;
  /** From when both the token and the wish for it were there, where another sidecar fetched it. */
  readonly handOver: Waits;
  /** 503. Each waited 10 s, or met a known outage. */
  readonly refused: number;
  /** Sidecars' tenants that had no token at the end, though somebody asks for it. */
  readonly unserved: number;
  /** When the last of the first tokens was there, everywhere. */
  readonly servedAfterMs: number;
  readonly redis: {
    readonly commands: number;
    readonly worstSecond: number;
    /** On average over the second half of the time. */
    readonly steadyPerSecond: number;
    readonly longestQueueMs: number;
    /** Operations that the store did not answer in time, or was not asked for after that. */
    readonly failed: number;
  };
  readonly events: number;
}

const SECRET = new Secret("not-a-secret");
const SECRETS: SecretReader = { read: () => SECRET, refresh: () => false };

function specOf(tenant: string, requestsPerSecond: number): ClientCredentialsSpec {
  return spec({
    clientAuth: "post",
    clientId: { kind: "literal", value: tenant },
    tokenRequestsPerSecond: requestsPerSecond,
  });
}

export async function runFleet(plan: FleetPlan): Promise<FleetFigures> {
  const random = createRandom(plan.seed);
  const clock = createEventClock();
  const endpoint = createModelledEndpoint(clock, random, plan.lifetimeSeconds);
  const redis = createModelledRedis(clock, random, plan.redis ?? REDIS);
  const specs = Array.from({ length: plan.tenants }, (_, index) =>
    specOf(`t${index}`, plan.requestsPerSecond),
  );
  const waitsMs: number[] = [];
  const lockWaitsMs: number[] = [];
  const handOversMs: number[] = [];
  let refused = 0;
  let failed = 0;
  let unserved = 0;
  let servedAfterMs = 0;

  /** One caller, until its sidecar is gone. */
  const startCaller = (
    sources: TokenSources,
    watches: readonly Watch[],
    index: number,
    gone: AbortSignal,
  ) => {
    const spec = specs[index] as ClientCredentialsSpec;
    const watch = watches[index] as Watch;
    const source = sources.source("machine", `t${index}`, spec);
    unserved += 1;
    const later = (meanMs: number): void => {
      clock.schedule(drawGapMs(meanMs, random), call);
    };
    const served = (): void => {
      if (watch.served) return;
      watch.served = true;
      unserved -= 1;
      servedAfterMs = clock.now();
    };
    const call = (): void => {
      if (gone.aborted) return;
      const askedMs = clock.now();
      const { fetches } = watch;
      const token = source.token();
      if (!(token instanceof Promise)) {
        served();
        return;
      }
      token.then(
        (injection) => {
          if (gone.aborted) return;
          served();
          waitsMs.push(clock.now() - askedMs);
          if (watch.fetches > fetches) return;
          lockWaitsMs.push(clock.now() - askedMs);
          const grantedMs = endpoint.grantedAtMs(bare(injection));
          handOversMs.push(clock.now() - Math.max(askedMs, grantedMs));
        },
        () => {
          if (gone.aborted) return;
          refused += 1;
          later(plan.callEveryMs);
        },
      );
    };
    // What is asked between two renewals of a token that is there changes nothing: one request, so that it counts as in
    // use, and one when it would have to wait if the renewal had failed.
    watch.renewed = (expiresAtMs) => {
      later(plan.callEveryMs);
      const mandatoryMs = Math.min(30_000, plan.lifetimeSeconds * 50);
      clock.schedule(expiresAtMs - mandatoryMs - clock.now(), () => {
        if (watch.expiresAtMs === expiresAtMs) later(plan.callEveryMs);
      });
    };
    later(plan.callEveryMs);
  };

  const startSidecar = (): (() => void) => {
    const gone = new AbortController();
    const watches = specs.map(() => createWatch());
    const store = createGuardedStore(redis.connect(), { clock, log: silentLogger });
    const vault = createOpenVault(store, () => {
      failed += 1;
    });
    const sources = createTokenSources({
      clock,
      random,
      log: silentLogger,
      secrets: SECRETS,
      endpoint,
      maxTokens: plan.tenants,
      vault: () => (plan.shared ? vault : undefined),
      observer: {
        credential: (_credential, tenant) => observerOf(watches[Number(tenant?.slice(1))] as Watch, clock),
      },
    });
    for (const index of specs.keys()) startCaller(sources, watches, index, gone.signal);
    return () => {
      gone.abort();
      unserved -= watches.filter(({ served }) => !served).length;
      void sources.close();
      void store.close();
    };
  };

  for (let started = 0; started < plan.sidecars; started += 1) {
    clock.schedule(((started + random()) / plan.sidecars) * plan.startSpreadMs, () => {
      const stop = startSidecar();
      if (plan.rollout === undefined) return;
      const { fromMs, forMs } = plan.rollout;
      clock.schedule(fromMs + random() * forMs - clock.now(), () => {
        stop();
        startSidecar();
      });
    });
  }
  await clock.runUntil(plan.durationMs);

  const lifetimes = [...endpoint.arrivalsByTenant.values()].flatMap((arrivals) =>
    requestsPerLifetime(arrivals, plan.lifetimeSeconds * 1_000),
  );
  return {
    tokenRequests: endpoint.arrivalsMs.length,
    worstSecond: worstSecond(endpoint.arrivalsMs),
    smallestGapMs: smallestGapMs(endpoint.arrivalsMs),
    perLifetime: {
      mean: endpoint.arrivalsMs.length / Math.max(1, lifetimes.length),
      max: lifetimes.reduce((most, count) => Math.max(most, count), 0),
    },
    waits: summarize(waitsMs),
    lockWaits: summarize(lockWaitsMs),
    handOver: summarize(handOversMs),
    refused,
    unserved,
    servedAfterMs,
    redis: {
      commands: redis.commands.total,
      worstSecond: redis.commands.worst(),
      steadyPerSecond: redis.commands.perSecond(plan.durationMs / 2, plan.durationMs),
      longestQueueMs: redis.longestQueueMs,
      failed,
    },
    events: clock.fired,
  };
}

/** What is known from outside of one sidecar's token of one tenant. */
interface Watch {
  fetches: number;
  served: boolean;
  /** Monotonic. */
  expiresAtMs: number;
  renewed(expiresAtMs: number): void;
}

function createWatch(): Watch {
  return { fetches: 0, served: false, expiresAtMs: 0, renewed() {} };
}

function observerOf(watch: Watch, clock: { now(): number; wall(): number }): CredentialObserver {
  return {
    requested() {
      watch.fetches += 1;
    },
    expiry(unixSeconds) {
      watch.expiresAtMs = unixSeconds * 1_000 - clock.wall() + clock.now();
      watch.renewed(watch.expiresAtMs);
    },
    served() {},
    unavailable() {},
  };
}

function bare(injection: Injection): string {
  return injection.headers[1]?.slice("Bearer ".length) ?? "";
}

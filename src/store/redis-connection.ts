import { type BackoffOptions, backoffMs } from "../core/backoff.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { RedisAddress } from "./redis-address.ts";
import { connectRedisClient, type RedisClient, RedisRefusal } from "./redis-client.ts";
import { createServerClock, redisTimeMs } from "./server-clock.ts";
import { type StoreTime, StoreUnavailable } from "./store.ts";

export type RedisCommand = readonly (string | Buffer)[];

/** One connection to Redis that comes back by itself. */
export interface RedisConnection {
  /**
   * The reply, once it fits what the command answers with: `judge` throws where it does not. Rejects with
   * `StoreUnavailable`, at once while there is no connection, or with `RedisRefusal` for an error reply of `expected`.
   */
  send<T>(command: RedisCommand, judge: (reply: unknown) => T, expected?: readonly string[]): Promise<T>;
  /** Resolves when the first attempt to connect has ended, however it did. */
  readonly tried: Promise<void>;
  /** What time it is at the server. */
  time(): StoreTime;
  close(): void;
}

export interface RedisConnectionDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  random(): number;
  /** Asked at each attempt, so that a rotated password is used; throws `ConfigError`. */
  address(): RedisAddress;
}

interface LiveClient {
  readonly client: RedisClient;
  /** Commands without an answer yet. */
  waiting: number;
  /** When the last answer came, or the first command went after all were answered. */
  progressMs: number;
}

const BACKOFF: BackoffOptions = { baseMs: 100, maxMs: 3_000 };
/** For TCP, TLS, login and the first PING together. */
const CONNECT_MS = 3_000;
/** A connection that has been silent this long with commands waiting is dead, whatever TCP believes. */
const STALLED_MS = 2_000;
/** How often the server is asked what time it is, since two clocks drift apart. */
const TIME_INTERVAL_MS = 60_000;
/** Error replies that another connection, to another server behind the same name, may not get. */
const DROPPING = new Set(["READONLY", "MASTERDOWN", "LOADING", "NOAUTH"]);

/**
 * node-redis keeps a connection on which an answer was not understood, and what follows is matched to the wrong commands.
 * Here whatever is odd ends the connection: an answer of one visitor never becomes another's.
 */
export function createRedisConnection(deps: RedisConnectionDeps): RedisConnection {
  const { clock, log, random } = deps;
  let live: LiveClient | undefined;
  let reason = "not connected yet";
  let attempt = 0;
  let retry: Timer | undefined;
  let nextTime: Timer | undefined;
  let closed = false;
  const serverClock = createServerClock(clock);

  async function connect(): Promise<void> {
    try {
      const address = deps.address();
      const connected = await connectRedisClient(address, {
        clock,
        timeoutMs: CONNECT_MS,
        serverClock,
        onBroken: (client, why) => drop(client, why),
      });
      if (closed) {
        connected.destroy();
        return;
      }
      live = { client: connected, waiting: 0, progressMs: 0 };
      attempt = 0;
      reason = "";
      hearTimeLater();
      log.info("store_connected", { upstream: `${address.host}:${address.port}` });
    } catch (error) {
      lost(error instanceof Error ? error.message : "unknown");
    }
  }

  function hearTimeLater(): void {
    nextTime?.cancel();
    nextTime = clock.schedule(TIME_INTERVAL_MS, () => {
      const askedAtMs = clock.now();
      send(["TIME"], redisTimeMs, ["NOPERM"]).then(
        (serverMs) => {
          if (serverMs !== undefined) serverClock.heard(serverMs, askedAtMs, clock.now());
          hearTimeLater();
        },
        () => {
          // The next connection asks anew; without the permission there is nothing to ask.
        },
      );
    });
  }

  function drop(broken: RedisClient, why: string): void {
    broken.destroy();
    if (live?.client !== broken) return;
    live = undefined;
    lost(why);
  }

  function lost(why: string): void {
    if (closed) return;
    if (why !== reason) log.warn("store_disconnected", { reason: why });
    reason = why;
    retry = clock.schedule(backoffMs(attempt, BACKOFF, random), () => void connect());
    attempt += 1;
  }

  async function send<T>(
    command: RedisCommand,
    judge: (reply: unknown) => T,
    expected: readonly string[] = [],
  ): Promise<T> {
    const present = live;
    if (present === undefined) throw new StoreUnavailable(`redis: ${reason}`);
    if (present.waiting > 0 && clock.now() - present.progressMs > STALLED_MS) {
      drop(present.client, "it stopped answering");
      throw new StoreUnavailable("redis: it stopped answering");
    }
    if (present.waiting === 0) present.progressMs = clock.now();
    present.waiting += 1;
    try {
      const reply = await present.client.send(command);
      return judge(reply);
    } catch (error) {
      if (!(error instanceof RedisRefusal)) {
        const why = error instanceof Error ? error.message : "unknown";
        drop(present.client, why);
        throw new StoreUnavailable(`redis: ${why}`, { cause: error });
      }
      if (expected.includes(error.code)) throw error;
      if (DROPPING.has(error.code)) drop(present.client, error.message);
      throw new StoreUnavailable(`redis: ${error.message}`, { cause: error });
    } finally {
      present.progressMs = clock.now();
      present.waiting -= 1;
    }
  }

  return {
    send,
    tried: connect(),
    time: serverClock.time,
    close() {
      closed = true;
      reason = "closed";
      retry?.cancel();
      nextTime?.cancel();
      live?.client.destroy();
      live = undefined;
    },
  };
}

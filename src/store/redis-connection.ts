import { type BackoffOptions, backoffMs } from "../core/backoff.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import { hostAndPort, type RedisAddress } from "./redis-address.ts";
import { connectRedisClient, type RedisClient, RedisRefusal } from "./redis-client.ts";
import { redisTimeMs, type ServerClock } from "./server-clock.ts";
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
  /** Which of the servers that fail one by one has a key; undefined: there is one only, or nobody knows. */
  partOf?(key: string): string | undefined;
  close(): void;
}

/** To one server. */
export interface NodeConnection extends RedisConnection {
  isLive(): boolean;
  /** Another server is the right one, so it is said: no waiting for what this one may still answer. */
  reconnect(reason: string): void;
}

export interface RedisConnectionDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Uniform in [0, 1). */
  random(): number;
  readonly serverClock: ServerClock;
  /** Asked at each attempt, so that a rotated password is used and a failover followed; throws `ConfigError`. */
  address(): RedisAddress | Promise<RedisAddress>;
  /** Default: any that is no Sentinel. */
  readonly role?: "any" | "primary";
  /** There is no connection any more, or an attempt to make one has failed. */
  onLost?(): void;
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
export function createRedisConnection(deps: RedisConnectionDeps): NodeConnection {
  const { clock, log, random, serverClock } = deps;
  let live: LiveClient | undefined;
  let reason = "not connected yet";
  let attempt = 0;
  let retry: Timer | undefined;
  let nextTime: Timer | undefined;
  const closing = new AbortController();
  let connecting = false;
  /** Of the latest connection. */
  let where = "";

  async function connect(): Promise<void> {
    connecting = true;
    try {
      const address = await deps.address();
      if (closing.signal.aborted) return;
      const connected = await connectRedisClient(address, {
        clock,
        timeoutMs: CONNECT_MS,
        role: deps.role ?? "any",
        serverClock,
        signal: closing.signal,
        onBroken: (client, why) => drop(client, why),
      });
      if (closing.signal.aborted) {
        connected.destroy();
        return;
      }
      live = { client: connected, waiting: 0, progressMs: 0 };
      attempt = 0;
      reason = "";
      where = hostAndPort(address);
      hearTimeLater();
      log.info("store_connected", { upstream: where });
    } catch (error) {
      lost(error instanceof Error ? error.message : "unknown");
    } finally {
      connecting = false;
    }
  }

  function hearTimeLater(): void {
    nextTime?.cancel();
    nextTime = clock.schedule(TIME_INTERVAL_MS, () => {
      const askedAtMs = clock.now();
      send(["TIME"], redisTimeMs, ["NOPERM"]).then(
        (serverMs) => {
          if (serverMs !== undefined) serverClock.heard(where, serverMs, askedAtMs, clock.now());
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
    if (closing.signal.aborted) return;
    if (why !== reason) log.warn("store_disconnected", { reason: why });
    reason = why;
    retry = clock.schedule(backoffMs(attempt, BACKOFF, random), () => void connect());
    attempt += 1;
    deps.onLost?.();
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
    isLive: () => live !== undefined,
    reconnect(why) {
      attempt = 0;
      if (live !== undefined) drop(live.client, why);
      if (closing.signal.aborted || connecting) return;
      retry?.cancel();
      void connect();
    },
    close() {
      closing.abort();
      reason = "closed";
      retry?.cancel();
      nextTime?.cancel();
      live?.client.destroy();
      live = undefined;
    },
  };
}

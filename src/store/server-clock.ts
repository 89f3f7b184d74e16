import type { Clock } from "../core/clock.ts";
import { type StoreTime, wallTime } from "./store.ts";

/** A store server's clock as it is known here: between two answers it goes on with this process's monotonic time. */
export interface ServerClock {
  /** The server said `serverMs` (Unix milliseconds) at some moment between these two of the monotonic clock. */
  heard(serverMs: number, askedAtMs: number, answeredAtMs: number): void;
  /** Before anything was heard: the wall clock, for want of better. */
  time(): StoreTime;
}

/** A wrong wall clock, or one that is set, changes nothing once the server was heard. */
export function createServerClock(clock: Clock): ServerClock {
  let offset: StoreTime | undefined;
  return {
    heard(serverMs, askedAtMs, answeredAtMs) {
      offset = { earliestMs: serverMs - answeredAtMs, latestMs: serverMs - askedAtMs };
    },
    time() {
      if (offset === undefined) return wallTime(clock);
      const nowMs = clock.now();
      return { earliestMs: nowMs + offset.earliestMs, latestMs: nowMs + offset.latestMs };
    },
  };
}

/** The answer to Redis's TIME, `[seconds, microseconds]`, in Unix milliseconds; undefined: something else. */
export function redisTimeMs(reply: unknown): number | undefined {
  if (!Array.isArray(reply) || reply.length !== 2) return undefined;
  const unixMs = Number(reply[0]) * 1_000 + Number(reply[1]) / 1_000;
  return Number.isFinite(unixMs) && unixMs > 0 ? unixMs : undefined;
}

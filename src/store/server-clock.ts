import type { Clock } from "../core/clock.ts";
import { type StoreTime, wallTime } from "./store.ts";

/** Of servers that were not heard this long nothing is known any more. */
const FORGET_MS = 24 * 3_600_000;

/** The clock of a store as it is known here: between two answers it goes on with this process's monotonic time. */
export interface ServerClock {
  /** `server` said `serverMs` (Unix milliseconds) at some moment between these two of the monotonic clock. */
  heard(server: string, serverMs: number, askedAtMs: number, answeredAtMs: number): void;
  /** Before anything was heard: the wall clock, for want of better. */
  time(): StoreTime;
}

/**
 * A wrong wall clock, or one that is set, changes nothing once a server was heard. Where several servers keep the store,
 * at once or one after the other, the bounds are those of all of them: what one of them dated never seems younger to a
 * reader than it is by another's clock.
 */
export function createServerClock(clock: Clock): ServerClock {
  const heard = new Map<string, StoreTime & { readonly atMs: number }>();
  let offset: StoreTime | undefined;
  return {
    heard(server, serverMs, askedAtMs, answeredAtMs) {
      heard.set(server, {
        earliestMs: serverMs - answeredAtMs,
        latestMs: serverMs - askedAtMs,
        atMs: answeredAtMs,
      });
      for (const [name, { atMs }] of heard) if (answeredAtMs - atMs > FORGET_MS) heard.delete(name);
      const offsets = [...heard.values()];
      offset = {
        earliestMs: Math.min(...offsets.map(({ earliestMs }) => earliestMs)),
        latestMs: Math.max(...offsets.map(({ latestMs }) => latestMs)),
      };
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

import type { Connection, TlsOptions } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { type Reached, reach, type Target, type Unreached } from "./reach.ts";

/** Ways to hosts, each gone once, whoever asks. */
export interface Reaches {
  /** Never rejects. */
  of(target: Target): Promise<Reached | Unreached>;
  /** Runs no more than a few at a time: a thousand hosts at once would be a fault of their own. */
  gated<T>(task: () => Promise<T>): Promise<T>;
}

const MAX_CONCURRENT = 16;

export function createReaches(clock: Clock): Reaches {
  const known = new Map<string, Promise<Reached | Unreached>>();
  const gated = createGate(MAX_CONCURRENT);
  return {
    gated,
    of(target) {
      const key = targetKey(target);
      const before = known.get(key);
      if (before !== undefined) return before;
      const now = gated(() => reach(target, clock));
      known.set(key, now);
      return now;
    },
  };
}

/** Equal for targets that nothing tells apart on the way: origin, TLS options, proxy. */
export function targetKey({ url, connection, http2 }: Pick<Target, "url" | "connection" | "http2">): string {
  return JSON.stringify([url.origin, connectionParts(connection), http2]);
}

function connectionParts({ tls, httpProxy }: Connection): readonly unknown[] {
  const parts: (keyof TlsOptions)[] = ["ca", "cert", "key", "serverName"];
  return [httpProxy?.href ?? null, ...parts.map((part) => tls?.[part] ?? null)];
}

/** Runs at most `limit` tasks at a time, the others in the order in which they came. */
export function createGate(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running < limit) running += 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      // Its place goes to the next; the count stays.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

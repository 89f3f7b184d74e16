import { LRUCache } from "lru-cache";
import { atMost } from "../core/lru.ts";

/** A bounded cache of things that own a timer: what falls out is closed. */
export interface TokenCache<T extends { close(): void }> {
  /** Counts as a use. */
  get(key: string): T | undefined;
  set(key: string, value: T): void;
  /** A pinned entry neither falls out nor counts towards the bound. */
  pin(key: string): void;
  unpin(key: string): void;
  values(): Iterable<T>;
}

/** `max` entries, the least recently used one falls out first. */
export function createTokenCache<T extends { close(): void }>(max: number): TokenCache<T> {
  const pinned = new Map<string, T>();
  const lru = new LRUCache<string, T>({
    ...atMost(max),
    dispose: (value, _key, reason) => {
      if (reason === "evict") value.close();
    },
  });
  /** Takes an entry out of one place and puts it into the other; nothing is closed. */
  const move = (key: string, value: T | undefined, to: { set(key: string, value: T): unknown }): void => {
    if (value === undefined) return;
    pinned.delete(key);
    lru.delete(key);
    to.set(key, value);
  };
  return {
    get: (key) => pinned.get(key) ?? lru.get(key),
    set(key, value) {
      lru.set(key, value);
    },
    pin: (key) => move(key, lru.peek(key), pinned),
    unpin: (key) => move(key, pinned.get(key), lru),
    *values() {
      yield* pinned.values();
      yield* lru.values();
    },
  };
}

import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import { createPatience } from "./patience.ts";
import { asStoreUnavailable, type Store, StoreUnavailable } from "./store.ts";

/** How long a request waits for the store at most. */
export const DEADLINE_MS = 500;
/** What of a moment in which this process stood still counts as the store's. */
const TICK_MS = 50;
/** While it is unavailable, it is asked this often whether it is back; nobody waits for that. */
export const PROBE_INTERVAL_MS = 250;
/** The same reason is not logged again within this time: a store may come and go many times a second. */
const LOG_INTERVAL_MS = 30_000;
/** Begins the names of records that are never there. */
const PROBE_NAME = "probe";
/** So many of those are tried to find one in a part of the store; a part that has none of them has next to nothing. */
const PROBE_NAMES = 1_000;

export interface GuardDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Of one part of the store, see `Store.partOf`; of one that is not parted, of all of it. */
interface Health {
  /** Why it is not asked; undefined: it is. */
  failure: string | undefined;
  probe: Timer | undefined;
  logged: { readonly reason: string; readonly atMs: number } | undefined;
  isOutageLogged: boolean;
}

/**
 * A store that answers in time or not at all. After a failure everybody is refused at once, until a probe in the
 * background finds the store well again: an outage costs one request one deadline, not each of them. Where a store has
 * parts that fail one by one this goes for each part.
 */
export function createGuardedStore(store: Store, { clock, log }: GuardDeps): Store {
  const patience = createPatience(clock, TICK_MS);
  const parts = new Map<string | undefined, Health>();
  let closed = false;

  function healthOf(part: string | undefined): Health {
    const present = parts.get(part);
    if (present !== undefined) return present;
    const health = { failure: undefined, probe: undefined, logged: undefined, isOutageLogged: false };
    parts.set(part, health);
    return health;
  }

  function failed(part: string | undefined, reason: string): void {
    const health = healthOf(part);
    const nowMs = clock.now();
    if (health.logged?.reason !== reason || nowMs - health.logged.atMs >= LOG_INTERVAL_MS) {
      health.logged = { reason, atMs: nowMs };
      health.isOutageLogged = true;
      log.warn("store_unavailable", { reason });
    }
    health.failure = reason;
    if (closed) return;
    health.probe?.cancel();
    health.probe = clock.schedule(PROBE_INTERVAL_MS, () => {
      const name = probeName(part);
      if (name === undefined) {
        // The store is parted otherwise by now.
        succeeded(part);
        parts.delete(part);
        return;
      }
      // How it ends is noted by `timed`; there is nobody to tell.
      timed(part, () => store.read(name)).catch(() => {});
    });
  }

  function probeName(part: string | undefined): string | undefined {
    if (part === undefined || store.partOf === undefined) return PROBE_NAME;
    for (let count = 0; count < PROBE_NAMES; count += 1) {
      if (store.partOf(`${PROBE_NAME}:${count}`) === part) return `${PROBE_NAME}:${count}`;
    }
    return undefined;
  }

  function succeeded(part: string | undefined): void {
    const health = healthOf(part);
    if (health.failure === undefined) return;
    health.failure = undefined;
    health.probe?.cancel();
    if (health.isOutageLogged) log.info("store_available");
    health.isOutageLogged = false;
  }

  /** `discard` gets a result that came too late for whoever asked. */
  function timed<T>(
    part: string | undefined,
    task: () => Promise<T>,
    discard?: (late: T) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let waiting = true;
      const fail = (error: StoreUnavailable): void => {
        waiting = false;
        failed(part, error.message);
        reject(error);
      };
      const giveUp = (): void => {
        if (waiting) {
          fail(new StoreUnavailable(`the ${store.kind} store gave no answer within ${DEADLINE_MS} ms`));
        }
      };
      const timer = patience.wait(DEADLINE_MS, giveUp);
      task().then(
        (result) => {
          timer.cancel();
          if (!waiting) {
            discard?.(result);
            return;
          }
          waiting = false;
          succeeded(part);
          resolve(result);
        },
        (error: unknown) => {
          timer.cancel();
          if (waiting) fail(asStoreUnavailable(error));
        },
      );
    });
  }

  function guarded<T>(
    part: string | undefined,
    task: () => Promise<T>,
    discard?: (late: T) => void,
  ): Promise<T> {
    const { failure } = healthOf(part);
    if (failure === undefined) return timed(part, task, discard);
    return Promise.reject(new StoreUnavailable(failure, { skipped: true }));
  }

  const partOf = (name: string): string | undefined => store.partOf?.(name);
  return {
    kind: store.kind,
    shared: store.shared,
    read: (name) => guarded(partOf(name), () => store.read(name)),
    write: (name, value, options) => guarded(partOf(name), () => store.write(name, value, options)),
    remove: (name, expected) => guarded(partOf(name), () => store.remove(name, expected)),
    take: (name) => guarded(partOf(name), () => store.take(name)),
    async lock(name, ttlMs) {
      const lock = await guarded(
        partOf(name),
        () => store.lock(name, ttlMs),
        // Nobody knows that it is held, so nobody else would release it.
        (late) => void late?.release(),
      );
      if (lock === undefined) return undefined;
      return {
        renew: (nextTtlMs) => guarded(partOf(name), () => lock.renew(nextTtlMs)),
        release: () => lock.release(),
      };
    },
    time: () => store.time(),
    ...(store.partOf === undefined ? {} : { partOf }),
    // Of all parts at once.
    countByCredential: () => guarded(undefined, () => store.countByCredential()),
    close() {
      closed = true;
      for (const { probe } of parts.values()) probe?.cancel();
      return store.close();
    },
  };
}

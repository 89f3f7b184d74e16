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
/** A record that is never there. */
const PROBE_NAME = "probe";

export interface GuardDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * A store that answers in time or not at all. After a failure everybody is refused at once, until a probe in the
 * background finds the store well again: an outage costs one request one deadline, not each of them.
 */
export function createGuardedStore(store: Store, { clock, log }: GuardDeps): Store {
  const patience = createPatience(clock, TICK_MS);
  let failure: string | undefined;
  let probe: Timer | undefined;
  let logged: { readonly reason: string; readonly atMs: number } | undefined;
  let isOutageLogged = false;
  let closed = false;

  function failed(reason: string): void {
    const nowMs = clock.now();
    if (logged?.reason !== reason || nowMs - logged.atMs >= LOG_INTERVAL_MS) {
      logged = { reason, atMs: nowMs };
      isOutageLogged = true;
      log.warn("store_unavailable", { reason });
    }
    failure = reason;
    if (closed) return;
    probe?.cancel();
    probe = clock.schedule(PROBE_INTERVAL_MS, () => {
      // How it ends is noted by `timed`; there is nobody to tell.
      timed(() => store.read(PROBE_NAME)).catch(() => {});
    });
  }

  function succeeded(): void {
    if (failure === undefined) return;
    failure = undefined;
    probe?.cancel();
    if (isOutageLogged) log.info("store_available");
    isOutageLogged = false;
  }

  /** `discard` gets a result that came too late for whoever asked. */
  function timed<T>(task: () => Promise<T>, discard?: (late: T) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      let waiting = true;
      const fail = (error: StoreUnavailable): void => {
        waiting = false;
        failed(error.message);
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
          succeeded();
          resolve(result);
        },
        (error: unknown) => {
          timer.cancel();
          if (waiting) fail(asStoreUnavailable(error));
        },
      );
    });
  }

  function guarded<T>(task: () => Promise<T>, discard?: (late: T) => void): Promise<T> {
    if (failure === undefined) return timed(task, discard);
    return Promise.reject(new StoreUnavailable(failure, { skipped: true }));
  }

  return {
    kind: store.kind,
    shared: store.shared,
    read: (name) => guarded(() => store.read(name)),
    write: (name, value, options) => guarded(() => store.write(name, value, options)),
    remove: (name, expected) => guarded(() => store.remove(name, expected)),
    take: (name) => guarded(() => store.take(name)),
    async lock(name, ttlMs) {
      const lock = await guarded(
        () => store.lock(name, ttlMs),
        // Nobody knows that it is held, so nobody else would release it.
        (late) => void late?.release(),
      );
      if (lock === undefined) return undefined;
      return {
        renew: (nextTtlMs) => guarded(() => lock.renew(nextTtlMs)),
        release: () => lock.release(),
      };
    },
    time: () => store.time(),
    countByCredential: () => guarded(() => store.countByCredential()),
    close() {
      closed = true;
      probe?.cancel();
      return store.close();
    },
  };
}

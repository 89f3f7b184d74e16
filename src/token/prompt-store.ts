import type { Clock, Timer } from "../core/clock.ts";
import { createPatience } from "../store/patience.ts";
import { StoreUnavailable } from "../store/store.ts";
import type { Vault } from "../store/vault.ts";

/**
 * The vault as machine tokens use it: it is asked where it answers promptly, and left out otherwise. Nobody has to have
 * it, and a request for a token may lose 50 ms by it at most.
 */
export interface PromptStore {
  /** Rejects with `StoreUnavailable`, and with nothing else. `discard` gets what came too late. */
  ask<T>(task: (vault: Vault) => Promise<T>, discard?: (late: T) => void): Promise<T>;
  /** What needs no answer while a request waits: as long as the vault itself takes. */
  vault(): Vault | undefined;
  close(): void;
}

export interface PromptStoreDeps {
  readonly clock: Clock;
  /** undefined: there is none that is shared, or not yet. */
  vault(): Vault | undefined;
}

/** A store that has given no answer at all for so long is left out; the rest of 50 ms is for this process to notice. */
export const SILENCE_MS = 32;
const TICK_MS = 4;
/** While it answers others an answer may take longer: many asked at once. */
const LONGEST_MS = 400;
/** How often a store that is left out is tried, in the background. */
export const RETRY_MS = 500;
/** A record that is never there. */
const PROBE_KEY = "probe";

export function createPromptStore({ clock, vault }: PromptStoreDeps): PromptStore {
  const patience = createPatience(clock, TICK_MS);
  /** When it last gave an answer, by `patience`. */
  let signMs = Number.NEGATIVE_INFINITY;
  let isLeftOut = false;
  let retry: Timer | undefined;
  let closed = false;

  const leaveOut = (): void => {
    isLeftOut = true;
    if (closed) return;
    retry?.cancel();
    retry = clock.schedule(RETRY_MS, () => {
      const present = vault();
      if (present === undefined) return;
      timed(() => present.read("token", PROBE_KEY)).then(
        () => {
          isLeftOut = false;
        },
        () => leaveOut(),
      );
    });
  };

  const timed = <T>(task: () => Promise<T>, discard?: (late: T) => void): Promise<T> =>
    new Promise((resolve, reject) => {
      const startMs = patience.spentMs();
      let waiting = true;
      const judge = (): void => {
        if (!waiting) return;
        const spentMs = patience.spentMs();
        const silentMs = spentMs - Math.max(startMs, signMs);
        if (silentMs < SILENCE_MS && spentMs - startMs < LONGEST_MS) {
          timer = patience.wait(SILENCE_MS - silentMs, judge);
          return;
        }
        waiting = false;
        reject(new StoreUnavailable(`the store gave no answer within ${spentMs - startMs} ms`));
        leaveOut();
      };
      let timer = patience.wait(SILENCE_MS, judge);
      task().then(
        (result) => {
          timer.cancel();
          signMs = patience.spentMs();
          if (waiting) resolve(result);
          else discard?.(result);
          waiting = false;
        },
        (error: unknown) => {
          timer.cancel();
          waiting = false;
          reject(error);
        },
      );
    });

  return {
    ask(task, discard) {
      const present = vault();
      if (present === undefined || isLeftOut || closed) {
        return Promise.reject(new StoreUnavailable("the store is left out for now", { skipped: true }));
      }
      return timed(() => task(present), discard);
    },
    vault,
    close() {
      closed = true;
      retry?.cancel();
    },
  };
}

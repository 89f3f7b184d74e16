import type { Clock, Timer } from "../core/clock.ts";
import { createPatience } from "../store/patience.ts";
import { StoreUnavailable } from "../store/store.ts";
import type { Vault } from "../store/vault.ts";

/**
 * The vault as machine tokens use it: it is asked where it answers promptly, and left out otherwise. Nobody has to have
 * it, and a request for a token may lose 50 ms by it at most.
 */
export interface PromptStore {
  /**
   * Rejects with `StoreUnavailable`, and with nothing else. `key`: of the token whose record or lock is asked for.
   * `discard` gets what came too late.
   */
  ask<T>(key: string, task: (vault: Vault) => Promise<T>, discard?: (late: T) => void): Promise<T>;
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
/** Begins the keys of records that are never there. */
const PROBE_KEY = "probe";
/** So many of those are tried to find one in a part of the store; a part that has none of them has next to nothing. */
const PROBE_KEYS = 1_000;

/** Of one part of the store, see `Vault.partOf`: that another part answers says nothing of this one. */
interface Promptness {
  /** When it last gave an answer, by `patience`. */
  signMs: number;
  isLeftOut: boolean;
  retry: Timer | undefined;
}

export function createPromptStore({ clock, vault }: PromptStoreDeps): PromptStore {
  const patience = createPatience(clock, TICK_MS);
  const parts = new Map<string | undefined, Promptness>();
  let closed = false;

  const promptnessOf = (part: string | undefined): Promptness => {
    const present = parts.get(part);
    if (present !== undefined) return present;
    const promptness = { signMs: Number.NEGATIVE_INFINITY, isLeftOut: false, retry: undefined };
    parts.set(part, promptness);
    return promptness;
  };

  const leaveOut = (part: string | undefined, promptness: Promptness): void => {
    promptness.isLeftOut = true;
    if (closed) return;
    promptness.retry?.cancel();
    promptness.retry = clock.schedule(RETRY_MS, () => {
      const present = vault();
      if (present === undefined) return;
      const key = probeKey(present, part);
      if (key === undefined) {
        // The store is parted otherwise by now.
        parts.delete(part);
        return;
      }
      timed(part, promptness, () => present.read("token", key)).then(
        () => {
          promptness.isLeftOut = false;
        },
        () => leaveOut(part, promptness),
      );
    });
  };

  const timed = <T>(
    part: string | undefined,
    promptness: Promptness,
    task: () => Promise<T>,
    discard?: (late: T) => void,
  ): Promise<T> =>
    new Promise((resolve, reject) => {
      const startMs = patience.spentMs();
      let waiting = true;
      const judge = (): void => {
        if (!waiting) return;
        const spentMs = patience.spentMs();
        const silentMs = spentMs - Math.max(startMs, promptness.signMs);
        if (silentMs < SILENCE_MS && spentMs - startMs < LONGEST_MS) {
          timer = patience.wait(SILENCE_MS - silentMs, judge);
          return;
        }
        waiting = false;
        reject(new StoreUnavailable(`the store gave no answer within ${spentMs - startMs} ms`));
        leaveOut(part, promptness);
      };
      let timer = patience.wait(SILENCE_MS, judge);
      task().then(
        (result) => {
          timer.cancel();
          promptness.signMs = patience.spentMs();
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
    ask(key, task, discard) {
      const present = vault();
      const part = present?.partOf("token", key);
      const promptness = promptnessOf(part);
      if (present === undefined || promptness.isLeftOut || closed) {
        return Promise.reject(new StoreUnavailable("the store is left out for now", { skipped: true }));
      }
      return timed(part, promptness, () => task(present), discard);
    },
    vault,
    close() {
      closed = true;
      for (const { retry } of parts.values()) retry?.cancel();
    },
  };
}

/** undefined: there is no such part any more. */
function probeKey(vault: Vault, part: string | undefined): string | undefined {
  if (part === undefined) return PROBE_KEY;
  for (let count = 0; count < PROBE_KEYS; count += 1) {
    if (vault.partOf("token", `${PROBE_KEY} ${count}`) === part) return `${PROBE_KEY} ${count}`;
  }
  return undefined;
}

import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
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
  /** Told of a store that is left out (`store_slow`) and of its return (`store_prompt`). */
  readonly log: Logger;
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
/** More often it is not told above the level `debug`: a store that is at its limit comes and goes. */
const LOG_INTERVAL_MS = 30_000;
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
  /** As which its being left out was told. */
  told: "warn" | "debug";
}

export function createPromptStore({ clock, log, vault }: PromptStoreDeps): PromptStore {
  const patience = createPatience(clock, TICK_MS);
  const parts = new Map<string | undefined, Promptness>();
  let warnedMs = Number.NEGATIVE_INFINITY;
  let closed = false;

  const promptnessOf = (part: string | undefined): Promptness => {
    const present = parts.get(part);
    if (present !== undefined) return present;
    const promptness: Promptness = {
      signMs: Number.NEGATIVE_INFINITY,
      isLeftOut: false,
      retry: undefined,
      told: "debug",
    };
    parts.set(part, promptness);
    return promptness;
  };

  /** Whoever asks for token requests that the store should have saved finds the reason here. */
  const tellSlow = (part: string | undefined, promptness: Promptness, reason: string): void => {
    const nowMs = clock.now();
    promptness.told = nowMs - warnedMs >= LOG_INTERVAL_MS ? "warn" : "debug";
    if (promptness.told === "warn") warnedMs = nowMs;
    log[promptness.told]("store_slow", { reason, ...(part === undefined ? {} : { upstream: part }) });
  };

  const tellPrompt = (part: string | undefined, { told }: Promptness): void => {
    log[told === "warn" ? "info" : "debug"]("store_prompt", part === undefined ? {} : { upstream: part });
  };

  const tryLater = (part: string | undefined, promptness: Promptness): void => {
    if (closed) return;
    promptness.retry?.cancel();
    promptness.retry = clock.schedule(RETRY_MS, () => {
      const present = vault();
      if (present === undefined) return;
      const key = probeKey(present, part);
      if (key === undefined) {
        // The store is parted otherwise by now.
        parts.delete(part);
        tellPrompt(part, promptness);
        return;
      }
      timed(part, promptness, () => present.read("token", key)).then(
        () => {
          promptness.isLeftOut = false;
          tellPrompt(part, promptness);
        },
        () => tryLater(part, promptness),
      );
    });
  };

  const leaveOut = (part: string | undefined, promptness: Promptness, reason: string): void => {
    if (promptness.isLeftOut) return;
    promptness.isLeftOut = true;
    if (closed) return;
    tellSlow(part, promptness, `${reason}: machine tokens do without it`);
    tryLater(part, promptness);
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
        const reason = `the store gave no answer within ${spentMs - startMs} ms`;
        reject(new StoreUnavailable(reason));
        leaveOut(part, promptness, reason);
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

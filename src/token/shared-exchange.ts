import type { ClientCredentialsSpec } from "../config/config.ts";
import type { Random } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import type { Secret } from "../core/secret.ts";
import type { Lock } from "../store/store.ts";
import { tokenKey } from "./cache-key.ts";
import { landed, pause } from "./flight.ts";
import { type HeldLock, holdLock, LOCK_TTL_MS } from "./held-lock.ts";
import type { PromptStore } from "./prompt-store.ts";
import { refreshPolicy, refreshWindows } from "./refresh-policy.ts";
import { readValue, type SecretReader } from "./secret-reader.ts";
import { localMoment, type SharedToken, storeMoment } from "./shared-record.ts";
import { forget, type PublishedToken, publish, readShared } from "./shared-tokens.ts";
import type { Attempt, AttemptHooks, TokenExchange, TokenNeed } from "./token-exchange.ts";

export interface SharedExchangeDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly secrets: SecretReader;
  readonly store: PromptStore;
}

export interface SharedExchange extends TokenExchange {
  /** Everything is ending: resolves when what was had is shared and locks are released, or could not be in time. */
  settled(): Promise<void>;
}

/**
 * Where requests are not spaced, one more of those who wait goes to the token endpoint after this time: what is left of
 * the 10 s that a request waits is enough for that. One only, since an endpoint that is slow is not helped by everybody
 * asking at once. Where they are spaced all go on waiting: the holder of the lock waits for its turn, too, and shows by
 * renewing the lock that it is alive.
 */
const PATIENCE_MS = 7_000;
/** How often another replica's token is looked for: this often at first, growing to the longest; ±25 % each time. */
const POLL = { firstMs: 50, factor: 2, awaitedMs: 800, backgroundMs: 2_000 };
/** However many tokens this process waits for, it does not look more often than once in so long for one of them. */
const POLL_EACH_MS = 4;
/** How often whoever waits tries whether the lock is free: its holder may have failed, or died. */
const LOCK_INTERVAL_MS = 1_000;
/** How long the end waits for the store. */
const SETTLING_MS = 1_000;
/** One forced refresh per key in so long, over all replicas (product contract §3, rule 9). */
const FORCED_INTERVAL_MS = 10_000;

/** What the store shows of one key, and its lock if it was free. */
interface Sight {
  readonly present: PublishedToken | undefined;
  readonly lock: Lock | undefined;
  /** False: it only reads. It may have good tokens still, but nobody puts a new one there. */
  readonly canLock: boolean;
}

/**
 * Memory was asked already; this asks the store next and the token endpoint last, so that one of many replicas fetches
 * a token and the others read it. A store that cannot be asked promptly changes nothing but that.
 *
 * The lock saves requests, no more: what is in the store is decided by compare and set, and the token that was asked for
 * last stays.
 */
export function createSharedExchange(inner: TokenExchange, deps: SharedExchangeDeps): SharedExchange {
  const { clock, random, secrets, store } = deps;
  /** Attempts under way, and what they leave to be done behind. */
  const unsettled = new Set<Promise<unknown>>();

  const tracked = <T>(promise: Promise<T>): Promise<T> => {
    const over = (): void => void unsettled.delete(promise);
    unsettled.add(promise);
    promise.then(over, over);
    return promise;
  };

  const take = (name: string): Promise<Lock | undefined> =>
    store.ask(
      name,
      (vault) => vault.lock("token", name, LOCK_TTL_MS),
      (late) => void late?.release(),
    );

  /** The lock, or for whoever has waited long the one that lets one more ask. */
  const takeEither = async (key: string, isLate: boolean): Promise<Lock | undefined> =>
    (await take(key)) ?? (isLate ? take(`${key} late`) : undefined);

  /** Lock and record in one go: what is read is what was there once the lock was taken. */
  const look = async (key: string, withLock: boolean, isLate: boolean): Promise<Sight> => {
    const locking = withLock ? takeEither(key, isLate) : Promise.resolve(undefined);
    const [locked, read] = await Promise.allSettled([
      locking,
      store.ask(key, (vault) => readShared(vault, key)),
    ]);
    const lock = locked.status === "fulfilled" ? locked.value : undefined;
    if (read.status === "fulfilled")
      return { present: read.value, lock, canLock: locked.status === "fulfilled" };
    void lock?.release();
    throw read.reason;
  };

  /** The attempt that finds this token granted, if it does as well as a new one. */
  const taken = ({ shared }: PublishedToken, need: TokenNeed, secret: Secret): Attempt | undefined => {
    const time = store.vault()?.time();
    const moment = time === undefined ? undefined : localMoment(shared.sentAtMs, time, clock);
    if (moment === undefined || !isAsGoodAsNew(shared, need, moment)) return undefined;
    const outcome = { kind: "token", token: shared.token } as const;
    return { outcome, clientId: need.clientId, secret, ...moment, durationMs: 0 };
  };

  const isAsGoodAsNew = (
    { token, forced }: SharedToken,
    { held, refused }: TokenNeed,
    { sentAtMs, sentAtWallMs }: { readonly sentAtMs: number; readonly sentAtWallMs: number },
  ): boolean => {
    const nowMs = clock.now();
    const windows = refreshWindows(sentAtMs, sentAtWallMs, token.lifetimeMs, random);
    const freshness = refreshPolicy(nowMs, clock.wall(), windows);
    // Refused again right after another replica had it forced: there is no better one to be had for now.
    if (refused?.equals(token.value) === true) {
      return forced && nowMs - sentAtMs < FORCED_INTERVAL_MS && freshness !== "expired";
    }
    if (held === undefined) return freshness === "fresh" || freshness === "advisory";
    return freshness === "fresh" && !held.equals(token.value);
  };

  const share = async (key: string, attempt: Attempt, need: TokenNeed): Promise<void> => {
    const vault = store.vault();
    if (vault === undefined || attempt.outcome.kind !== "token") return;
    const { token } = attempt.outcome;
    await publish(
      vault,
      key,
      {
        token,
        sentAtMs: storeMoment(attempt.sentAtMs, vault.time(), clock),
        forced: need.refused !== undefined,
      },
      clock.wall() + token.lifetimeMs - (clock.now() - attempt.sentAtMs),
    );
  };

  /** Asks the token endpoint. What came of it is shared behind, and the lock kept until then. */
  const fetch = async (
    spec: ClientCredentialsSpec,
    hooks: AttemptHooks & { readonly need: TokenNeed },
    signal: AbortSignal,
    held: HeldLock | undefined,
  ): Promise<Attempt> => {
    const { need } = hooks;
    const attempt = await inner.attempt(spec, hooks, signal);
    if (
      attempt.outcome.kind !== "token" ||
      attempt.clientId !== need.clientId ||
      attempt.secret === undefined
    ) {
      if (held !== undefined) void tracked(held.release());
      return attempt;
    }
    const key = tokenKey(need.identity, attempt.secret.fingerprint());
    const shared = share(key, attempt, need).catch(() => {
      // The other replicas fetch their own.
    });
    void tracked(shared.then(() => held?.release()));
    return attempt;
  };

  /** Forgotten before a new one is had, so that no replica starts with it should that fail. */
  const forgetRefused = (key: string, { shared, version }: PublishedToken, { refused }: TokenNeed): void => {
    const vault = store.vault();
    if (vault !== undefined && refused?.equals(shared.token.value) === true) {
      void forget(vault, key, version).catch(() => {});
    }
  };

  /** undefined: nothing can be shared now, since the secrets cannot be read or are another client's. */
  const presentSecret = (spec: ClientCredentialsSpec, clientId: string): Secret | undefined => {
    try {
      return readValue(secrets, spec.clientId) === clientId ? secrets.read(spec.clientSecret) : undefined;
    } catch {
      return undefined;
    }
  };

  /** What is in the store now, if it does; undefined also where the store cannot be asked. */
  const foundNow = async (spec: ClientCredentialsSpec, need: TokenNeed): Promise<Attempt | undefined> => {
    const secret = presentSecret(spec, need.clientId);
    if (secret === undefined) return undefined;
    try {
      const key = tokenKey(need.identity, secret.fingerprint());
      const { present } = await look(key, false, false);
      return present === undefined ? undefined : taken(present, need, secret);
    } catch {
      return undefined;
    }
  };

  /**
   * Without the lock, since the store could not be asked. A spaced token URL may have a queue of minutes: the store is looked
   * at meanwhile, as it may be back, and whoever finds the token there leaves the queue.
   */
  const fetchAlone = (
    spec: ClientCredentialsSpec,
    hooks: AttemptHooks & { readonly need: TokenNeed },
    signal: AbortSignal,
  ): Promise<Attempt> => {
    if (!isSpaced(spec)) return fetch(spec, hooks, signal, undefined);
    const queued = new AbortController();
    const leaving = new AbortController();
    const sending = (): void => queued.abort();
    const own = fetch(spec, { ...hooks, sending }, AbortSignal.any([signal, leaving.signal]), undefined);
    void own.then(sending);
    const watched = async (): Promise<Attempt> => {
      while (!queued.signal.aborted) {
        const pollMs = hooks.isAwaited() ? POLL.awaitedMs : POLL.backgroundMs;
        const delayMs = Math.max(pollMs, POLL_EACH_MS * unsettled.size);
        await pause(delayMs * (0.75 + random() / 2), clock, queued.signal);
        const found = queued.signal.aborted ? undefined : await foundNow(spec, hooks.need);
        if (found === undefined || queued.signal.aborted) continue;
        leaving.abort();
        return found;
      }
      return own;
    };
    return watched();
  };

  const attemptShared = async (
    spec: ClientCredentialsSpec,
    hooks: AttemptHooks & { readonly need: TokenNeed },
    signal: AbortSignal,
  ): Promise<Attempt> => {
    const { need, isAwaited } = hooks;
    let lockAtMs = clock.now();
    // Most find the token there: they need not take the lock for that. Who does not looks again at once, with it.
    let isFirst = true;
    let waitedMs = 0;
    let pollMs = POLL.firstMs;
    while (!signal.aborted) {
      const secret = presentSecret(spec, need.clientId);
      if (secret === undefined) break;
      const key = tokenKey(need.identity, secret.fingerprint());
      const withLock = !isFirst && clock.now() >= lockAtMs;
      if (withLock) lockAtMs = clock.now() + LOCK_INTERVAL_MS;
      let sight: Sight;
      try {
        sight = await look(key, withLock, !isSpaced(spec) && waitedMs >= PATIENCE_MS);
      } catch {
        break; // Each for itself, as without a store.
      }
      const { present, lock, canLock } = sight;
      const found = present === undefined ? undefined : taken(present, need, secret);
      if (found !== undefined) {
        void lock?.release();
        return found;
      }
      if (lock !== undefined) {
        if (present !== undefined) forgetRefused(key, present, need);
        return fetch(spec, hooks, signal, holdLock(lock, clock));
      }
      if (!canLock) break;
      if (isFirst) {
        isFirst = false;
        continue;
      }
      // As it was meant: that a process short of time takes longer is no reason to ask for more.
      const delayMs = Math.max(pollMs, POLL_EACH_MS * unsettled.size);
      waitedMs += delayMs;
      await pause(delayMs * (0.75 + random() / 2), clock, signal);
      pollMs = Math.min(pollMs * POLL.factor, isAwaited() ? POLL.awaitedMs : POLL.backgroundMs);
    }
    return fetchAlone(spec, hooks, signal);
  };

  return {
    attempt(spec, hooks, signal) {
      const { need } = hooks;
      return need === undefined || store.vault() === undefined
        ? inner.attempt(spec, hooks, signal)
        : tracked(attemptShared(spec, { ...hooks, need }, signal));
    },
    async settled() {
      const all = async (): Promise<void> => {
        while (unsettled.size > 0) await Promise.allSettled(unsettled);
      };
      await landed({ over: all() }, SETTLING_MS, clock);
    },
  };
}

function isSpaced({ tokenRequestsPerSecond }: ClientCredentialsSpec): boolean {
  return Number.isFinite(tokenRequestsPerSecond);
}

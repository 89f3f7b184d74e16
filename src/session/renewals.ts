import type { Random } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import { StoreUnavailable } from "../store/store.ts";
import type { Vault } from "../store/vault.ts";
import { pause } from "../token/flight.ts";
import type { Pacer } from "../token/pacer.ts";
import type { SecretReader } from "../token/secret-reader.ts";
import { transient } from "../token/token-outcome.ts";
import type { AnonymousMint } from "./anonymous.ts";
import { visitorIdentity } from "./identity.ts";
import { createOutages } from "./outages.ts";
import { isDoubtful, type VisitorToken } from "./record.ts";
import { hasMovedOn, type RenewalSubject } from "./renewal-subject.ts";
import { createSaver } from "./saver.ts";
import type { SessionCache } from "./session-cache.ts";
import { createTokenKeeper } from "./token-keeper.ts";
import { followToken, type Renewal } from "./token-slot.ts";
import { createUserRefresh } from "./user-refresh.ts";
import type { UserTokenExchange } from "./user-token-exchange.ts";

/**
 * Renews visitors' tokens, so that a crash at any step costs a session only where an answer never arrived
 * (docs/decisions/0013-refresh-token-rotation.md). What came of it is in the slot afterwards.
 */
export interface Renewals {
  /** The slot's one renewal: the one under way, else a new one. `forced`: the upstream refused the token. */
  begin(subject: RenewalSubject, forced?: boolean): Renewal;
  /** Makes the slot follow the record. Throws while the client id cannot be read. */
  follow(subject: Omit<RenewalSubject, "observer">): void;
  /** No new ones; resolves when those under way are over and stored, or after a while. */
  close(): Promise<void>;
}

export interface RenewalsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly secrets: SecretReader;
  readonly vault: Vault;
  readonly cache: SessionCache;
  readonly pacer: Pacer;
  readonly exchange: UserTokenExchange;
  readonly mint: AnonymousMint;
  /** Random, one per process: whose intents are its own. */
  readonly processId: string;
  /** Aborts when everything ends. */
  readonly closing: AbortController;
}

/** Longer than the exchange's deadline and the store's, so that a lock that has run out means a process that died. */
const LOCK_TTL_MS = 15_000;
/** Somebody else renews it: so often the record is looked at, and so long. */
const POLL = { minMs: 50, maxMs: 250 };
const POLL_LIMIT_MS = 20_000;
/** Between two requests for one session, whatever lifetimes the server gives. */
const MIN_INTERVAL_MS = 1_000;
/** An exchange under way is over within 10 s. */
const CLOSE_LIMIT_MS = 11_000;

export function createRenewals(deps: RenewalsDeps): Renewals {
  const { clock, random, log, secrets, vault, cache, pacer, exchange, mint, processId, closing } = deps;
  const underWay = new Set<Promise<void>>();
  let closed = false;

  const follow: Renewals["follow"] = ({ entry, slot, credential, spec }) => {
    const token = entry.record.tokens.get(credential);
    if (slot.spec !== spec) {
      slot.spec = spec;
      slot.outage = undefined;
    } else if (slot.token === token) return;
    const own = token !== undefined && token.grant === spec.kind;
    const usable = own && token.identity === visitorIdentity(credential, spec, secrets);
    followToken(slot, usable ? token : undefined, clock, random);
  };

  const followQuietly = (subject: RenewalSubject): void => {
    try {
      follow(subject);
    } catch {
      // The client id cannot be read at the moment; whoever asks for the token hears of it.
    }
  };

  const outages = createOutages({ clock, random, log });
  const saver = createSaver({ clock, random, log });
  const keeper = createTokenKeeper({
    log,
    cache,
    saver,
    exchange,
    closing: closing.signal,
    follow: followQuietly,
  });
  const refresh = createUserRefresh({
    clock,
    cache,
    exchange,
    keeper,
    outages,
    processId,
    closing: closing.signal,
  });

  const mintAnew = async (subject: RenewalSubject): Promise<void> => {
    const { slot, credential, spec, observer } = subject;
    if (spec.kind !== "anonymous") return;
    slot.sentAtMs = clock.now();
    const minted = await mint.mint(credential, spec, observer, closing.signal);
    if (minted.kind === "token") return keeper.keep(subject, minted.token, () => true);
    const { retryInMs, reason, error } = minted;
    slot.outage = { attempt: 0, nextAttemptAtMs: clock.now() + retryInMs, reason, error };
  };

  /**
   * With the lock held: the record as it is now decides. "busy": by the record somebody is at it, whatever became of
   * their lock.
   */
  const renewLocked = async (
    subject: RenewalSubject,
    before: VisitorToken | undefined,
  ): Promise<"done" | "busy"> => {
    const { entry, slot, credential, spec } = subject;
    await cache.reread(entry);
    followQuietly(subject);
    const { token } = slot;
    if (entry.gone || hasMovedOn(subject, before)) return "done";
    if (spec.kind === "anonymous") await mintAnew(subject);
    else if (token !== undefined && isDoubtful(token, processId)) {
      if (Math.abs(clock.wall() - (token.intent?.atMs ?? 0)) < LOCK_TTL_MS) return "busy";
      slot.doubtful = true;
      log.warn("session_refresh_failed", { credential, reason: "answer_lost" });
    } else if (token?.refreshToken !== undefined) await refresh(subject, spec, token, token.refreshToken);
    return "done";
  };

  const renew = async (subject: RenewalSubject, before: VisitorToken | undefined): Promise<void> => {
    const { entry, credential, spec } = subject;
    const startMs = clock.now();
    for (let pollMs = POLL.minMs; ; pollMs = Math.min(POLL.maxMs, pollMs * 2)) {
      // The turn first: with the lock in hand nothing is waited for that could outlast it.
      const turn =
        spec.kind === "user"
          ? await pacer.turn(spec.tokenUrl.href, spec.tokenRequestsPerSecond, closing.signal)
          : undefined;
      try {
        const lock = await vault.lock("session", `${entry.id}/${credential}`, LOCK_TTL_MS);
        if (lock !== undefined) {
          try {
            if ((await renewLocked(subject, before)) === "done") return;
          } finally {
            void lock.release();
          }
        }
      } finally {
        turn?.done();
      }
      if (clock.now() - startMs >= POLL_LIMIT_MS) {
        return outages.fail(
          subject,
          transient("internal", "was not asked: another process holds the session"),
        );
      }
      await pause(pollMs, clock, closing.signal);
      await cache.reread(entry);
      if (entry.gone) return;
      if (hasMovedOn(subject, before)) return followQuietly(subject);
    }
  };

  const fly = async (subject: RenewalSubject, renewal: Renewal, forced: boolean): Promise<void> => {
    const { entry, slot, credential } = subject;
    try {
      if (!forced) await pause(slot.sentAtMs + MIN_INTERVAL_MS - clock.now(), clock, closing.signal);
      await renew(subject, entry.record.tokens.get(credential));
    } catch (error) {
      if (error instanceof StoreUnavailable) outages.failByStore(subject, error);
      else if (closing.signal.aborted)
        outages.fail(subject, transient("closed", "was not asked: shutting down"));
      else {
        log.error("session_refresh_crashed", {
          credential,
          error: error instanceof Error ? error.message : "unknown",
        });
        outages.fail(subject, transient("internal", "was not asked"));
      }
    } finally {
      if (slot.renewal === renewal) slot.renewal = undefined;
    }
  };

  return {
    follow,
    begin(subject, forced = false) {
      const { slot } = subject;
      if (slot.renewal !== undefined) return slot.renewal;
      const renewal: Renewal = { over: Promise.resolve() };
      if (closed) {
        outages.fail(subject, transient("closed", "is not asked any more: shutting down"));
        return renewal;
      }
      slot.renewal = renewal;
      renewal.over = fly(subject, renewal, forced);
      underWay.add(renewal.over);
      void renewal.over.finally(() => underWay.delete(renewal.over));
      return renewal;
    },
    async close() {
      closed = true;
      await Promise.race([Promise.all(underWay), pause(CLOSE_LIMIT_MS, clock, closing.signal)]);
      await saver.flush();
      closing.abort();
    },
  };
}

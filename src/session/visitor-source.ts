import type { Credential, VisitorSpec } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { landed, pause } from "../token/flight.ts";
import type { CredentialObserver } from "../token/observer.ts";
import { waitedError } from "../token/token-error.ts";
import type { Injection } from "../token/token-source.ts";
import type { AnonymousMint } from "./anonymous.ts";
import type { VisitorToken } from "./record.ts";
import type { RenewalSubject } from "./renewal-subject.ts";
import type { Renewals } from "./renewals.ts";
import type { SessionCache, SessionEntry } from "./session-cache.ts";
import { isOpaqueValue } from "./session-id.ts";
import type { VisitorTokenSource } from "./sessions.ts";
import { createSlot, freshnessOf, isRenewable, isValid, type TokenSlot } from "./token-slot.ts";
import {
  clientUnreadable,
  loginRequired,
  overStore,
  storeUnavailable,
  visitorSubject,
} from "./visitor-error.ts";

export interface VisitorSourceDeps {
  readonly clock: Clock;
  readonly cache: SessionCache;
  readonly renewals: Renewals;
  readonly mint: AnonymousMint;
  readonly closing: AbortSignal;
  observer(credential: string, spec: VisitorSpec): CredentialObserver;
  newId(): string;
}

/** As a machine's token: a request waits so long (product contract §3, rule 11). */
const WAIT_LIMIT_MS = 10_000;
const FORCED_INTERVAL_MS = 10_000;
/** What another process may finish yet is looked at so often. */
const DOUBT_RECHECK_MS = 2_000;

/** Gives the tokens of one credential to the requests of one visitor. */
export type VisitorSources = (
  credential: Credential,
  spec: VisitorSpec,
  sessionId: string | undefined,
) => VisitorTokenSource;

export function createVisitorSources(deps: VisitorSourceDeps): VisitorSources {
  const { clock, cache, renewals, mint, closing } = deps;

  const serve = (subject: RenewalSubject, injection: Injection, source: "fresh" | "cached" | "advisory") => {
    cache.used(subject.entry);
    subject.observer.served(source);
    return injection;
  };

  const inOutage = ({ outage }: TokenSlot): boolean =>
    outage !== undefined && clock.now() < outage.nextAttemptAtMs;

  /** The token to send without waiting, as `token-source.ts` has it; undefined: there is none. */
  const ready = (subject: RenewalSubject): Injection | undefined => {
    const { slot } = subject;
    if (slot.injection === undefined) return undefined;
    switch (freshnessOf(slot, clock)) {
      case "fresh":
        return serve(subject, slot.injection, "cached");
      case "advisory":
        if (isRenewable(slot) && !inOutage(slot) && !closing.aborted) renewals.begin(subject);
        return serve(subject, slot.injection, "advisory");
      case "mandatory":
        if (isRenewable(slot) && !inOutage(slot)) return undefined;
        return serve(subject, slot.injection, "advisory");
      default:
        return undefined;
    }
  };

  const subjectOf = (
    entry: SessionEntry,
    credential: string,
    spec: VisitorSpec,
    observer: CredentialObserver,
  ): RenewalSubject => {
    let slot = entry.slots.get(credential);
    if (slot === undefined) {
      slot = createSlot(spec);
      entry.slots.set(credential, slot);
    }
    return { entry, slot, credential, spec, observer };
  };

  const follow = (subject: RenewalSubject): void => {
    try {
      renewals.follow(subject);
    } catch (error) {
      const { credential, spec } = subject;
      throw clientUnreadable(credential, spec, error);
    }
  };

  /** The token to send if nothing has to be waited for, not even for a reason why there is none. */
  const atOnce = (subject: RenewalSubject): Injection | undefined => {
    try {
      renewals.follow(subject);
    } catch {
      return undefined;
    }
    return ready(subject);
  };

  /** What a valid token allows to wait, or the limit. */
  const patienceMs = (slot: TokenSlot): number =>
    isValid(freshnessOf(slot, clock)) && slot.windows !== undefined
      ? Math.min(WAIT_LIMIT_MS, (slot.windows.expiresAtMs - clock.now()) / 2)
      : WAIT_LIMIT_MS;

  /**
   * The token that the renewal brings, or the one there is; rejects with the reason where there is none. undefined: the
   * session has ended meanwhile.
   */
  const obtain = async (subject: RenewalSubject): Promise<Injection | undefined> => {
    const { slot, entry, spec } = subject;
    for (let attempt = 0; ; attempt += 1) {
      follow(subject);
      const now = ready(subject);
      if (now !== undefined) return now;
      if (slot.doubtful && clock.now() - entry.checkedAtMs >= DOUBT_RECHECK_MS) {
        await overStore(() => cache.reread(entry));
        continue;
      }
      if (entry.gone) return undefined;
      refuseWhere(subject);
      const before = slot.token;
      const renewal = slot.renewal ?? renewals.begin(subject);
      const end = await landed(renewal, patienceMs(slot), clock);
      if (entry.gone) return undefined;
      follow(subject);
      if (slot.injection !== undefined && isValid(freshnessOf(slot, clock))) {
        return serve(subject, slot.injection, slot.token === before ? "advisory" : "fresh");
      }
      if (end === "limit" || attempt > 1) {
        subject.observer.unavailable("waited");
        throw waitedError(visitorSubject(subject.credential, spec), WAIT_LIMIT_MS);
      }
    }
  };

  /** Where waiting brings nothing. */
  const refuseWhere = ({ slot, credential, spec, observer }: RenewalSubject): void => {
    if (spec.kind === "user" && slot.token === undefined) throw loginRequired(credential);
    if (slot.unsaved !== undefined) {
      // Being stored for the first time is a moment, which the renewal under way includes; later tries are an outage.
      if (slot.renewal !== undefined) return;
      throw storeUnavailable();
    }
    if (slot.outage !== undefined && inOutage(slot)) {
      const error = slot.outage.error(slot.outage.nextAttemptAtMs - clock.now());
      if (slot.outage.reason !== undefined) observer.unavailable(slot.outage.reason);
      throw error;
    }
    if (!isRenewable(slot)) throw loginRequired(credential);
  };

  /** A visitor who is not known: the token first, so that no session is made for nothing. */
  const welcome = async (
    credential: string,
    spec: VisitorSpec,
    observer: CredentialObserver,
    made: (entry: SessionEntry) => void,
  ): Promise<Injection> => {
    if (spec.kind !== "anonymous") throw loginRequired(credential);
    const id = deps.newId();
    // Asked first, so that an outage of the store does not cost a token per request.
    await overStore(() => cache.load(id));
    const minted = await withinLimit(mint.mint(credential, spec, observer, closing));
    if (minted === undefined) {
      observer.unavailable("waited");
      throw waitedError(visitorSubject(credential, spec), WAIT_LIMIT_MS);
    }
    if (minted.kind === "failed") {
      if (minted.reason !== undefined) observer.unavailable(minted.reason);
      throw minted.error(minted.retryInMs);
    }
    const tokens = new Map<string, VisitorToken>([[credential, minted.token]]);
    const entry = await overStore(() => cache.create(id, tokens));
    const subject = subjectOf(entry, credential, spec, observer);
    follow(subject);
    made(entry);
    const { injection } = subject.slot;
    if (injection === undefined) throw loginRequired(credential);
    return serve(subject, injection, "fresh");
  };

  const withinLimit = async <T>(task: Promise<T>): Promise<T | undefined> => {
    const limit = new AbortController();
    const late = pause(WAIT_LIMIT_MS, clock, limit.signal).then(() => undefined);
    try {
      return await Promise.race([task, late]);
    } finally {
      limit.abort();
    }
  };

  const invalidate = async (subject: RenewalSubject, rejected: Injection): Promise<Injection | undefined> => {
    const { slot, entry } = subject;
    const isOther = (injection: Injection | undefined): injection is Injection =>
      injection !== undefined &&
      injection.headers[1] !== rejected.headers[1] &&
      isValid(freshnessOf(slot, clock));
    if (entry.gone) return undefined;
    follow(subject);
    if (isOther(slot.injection)) return serve(subject, slot.injection, "cached");
    if (slot.renewal === undefined || !slot.dropped) {
      if (!isRenewable(slot) || inOutage(slot) || closing.aborted) return undefined;
      if (clock.now() - slot.forcedAtMs < FORCED_INTERVAL_MS) return undefined;
      slot.forcedAtMs = clock.now();
      slot.dropped = true;
    }
    await landed(renewals.begin(subject, true), WAIT_LIMIT_MS, clock);
    if (entry.gone) return undefined;
    follow(subject);
    return isOther(slot.injection) ? serve(subject, slot.injection, "fresh") : undefined;
  };

  return ({ name }, spec, sessionId) => {
    let entry: SessionEntry | undefined;
    let created: string | undefined;

    const made = (session: SessionEntry): void => {
      entry = session;
      created = session.id;
    };

    const wait = async (id: string | undefined, observer: CredentialObserver): Promise<Injection> => {
      entry = id === undefined ? undefined : await overStore(() => cache.load(id));
      const had = entry === undefined ? undefined : await obtain(subjectOf(entry, name, spec, observer));
      return had ?? welcome(name, spec, observer, made);
    };

    return {
      token(unsent) {
        const id = created ?? (isOpaqueValue(sessionId) ? sessionId : undefined);
        const watch = deps.observer(name, spec);
        const observer = unsent === undefined ? watch : withoutServed(watch);
        entry = id === undefined ? undefined : cache.current(id);
        const now = entry === undefined ? undefined : atOnce(subjectOf(entry, name, spec, observer));
        if (now !== undefined) return now;
        return wait(id, observer);
      },
      async invalidate(rejected) {
        if (entry === undefined) return undefined;
        try {
          return await invalidate(subjectOf(entry, name, spec, deps.observer(name, spec)), rejected);
        } catch {
          return undefined;
        }
      },
      get created() {
        return created;
      },
    };
  };
}

/** For a request whose token has been counted already. */
function withoutServed(observer: CredentialObserver): CredentialObserver {
  return {
    requested: (outcome, durationSeconds) => observer.requested(outcome, durationSeconds),
    expiry: (unixSeconds) => observer.expiry(unixSeconds),
    served() {},
    unavailable: (reason) => observer.unavailable(reason),
  };
}

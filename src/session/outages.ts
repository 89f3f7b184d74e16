import type { Random } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { StoreUnavailable } from "../store/store.ts";
import { retryDelayMs } from "../token/retry-policy.ts";
import { failureText, tokenError } from "../token/token-error.ts";
import type { TokenFailure } from "../token/token-outcome.ts";
import type { RenewalSubject } from "./renewal-subject.ts";
import { freshnessOf, isValid } from "./token-slot.ts";
import { storeUnavailable, visitorSubject } from "./visitor-error.ts";

/** Puts slots into a known outage: until its next attempt requests fail fast, or go on with a valid token. */
export interface Outages {
  /** The server did not give a new token. */
  fail(subject: RenewalSubject, failure: TokenFailure): void;
  /** The store could not be asked, so the server was not either. */
  failByStore(subject: RenewalSubject, error: StoreUnavailable): void;
}

const STORE_RETRY_MS = 1_000;

export function createOutages({
  clock,
  random,
  log,
}: {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}): Outages {
  const fail = ({ slot, credential, spec }: RenewalSubject, failure: TokenFailure): void => {
    const nowMs = clock.now();
    const of = visitorSubject(credential, spec);
    const attempt = slot.outage === undefined ? 0 : slot.outage.attempt + 1;
    const rejected = failure.kind === "rejected";
    const valid = isValid(freshnessOf(slot, clock)) ? slot.windows : undefined;
    const delayMs = retryDelayMs(
      { attempt, rejected, retryAfterMs: failure.retryAfterMs, nowMs, valid },
      random,
    );
    slot.outage = {
      attempt,
      nextAttemptAtMs: nowMs + delayMs,
      reason: failure.reason,
      error: (retryInMs) => tokenError(of, failure, retryInMs),
    };
    log[rejected ? "error" : "warn"]("session_refresh_failed", {
      credential,
      reason: failure.reason,
      detail: failureText(of, failure),
      attempt: attempt + 1,
      retry_in_ms: Math.round(delayMs),
    });
  };

  const failByStore = ({ slot, credential }: RenewalSubject, error: StoreUnavailable): void => {
    slot.outage = {
      attempt: slot.outage?.attempt ?? 0,
      nextAttemptAtMs: clock.now() + STORE_RETRY_MS,
      reason: undefined,
      error: () => storeUnavailable(error),
    };
    log.warn("session_refresh_failed", { credential, reason: "store_unavailable", detail: error.message });
  };

  return { fail, failByStore };
}

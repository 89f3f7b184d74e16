import { backoffMs, type Random } from "../core/backoff.ts";
import type { RefreshWindows } from "./refresh-policy.ts";

/** What the time of the next attempt depends on. */
export interface FailedAttempt {
  /** Failures in a row before this one. */
  readonly attempt: number;
  /** The server refused the client by a parsed RFC 6749 error: only a person can mend that. */
  readonly rejected: boolean;
  /** What the server asked for by `Retry-After`, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  /** Windows of the token that is still valid; undefined when there is none. */
  readonly valid: RefreshWindows | undefined;
}

/** `backoffMs` never draws less than half of its base: a key is never asked for twice within a second. */
const BACKOFF = { baseMs: 2_000, maxMs: 30_000 };
const MIN_DELAY_MS = 1_000;
const MAX_DELAY_MS = 300_000;

/** 30 s ±10 %: at most one request per 30 s on average. */
const REJECTED = { minMs: 27_000, spreadMs: 6_000 };

/** 30 s with jitter downwards only, so that an endpoint that comes back is noticed within 30 s. */
const LONG_OUTAGE = { minMs: 24_000, spreadMs: 5_000 };

/** The attempt from which on the exponential backoff stands at its ceiling. */
const LONG_OUTAGE_ATTEMPT = 4;

/**
 * Milliseconds until the next attempt (product contract §3, rules 5 and 6).
 *
 * | failure | delay |
 * |---|---|
 * | transient, attempt 0, 1, 2, … | 1 … 2, 1 … 4, 1 … 8 s, up to 1 … 30 s (full jitter) |
 * | transient, no valid token, from attempt 4 on | 24 … 29 s |
 * | rejected | 27 … 33 s |
 *
 * While a token is valid no delay reaches over the opening of its mandatory window, nor over its expiry: an endpoint
 * that came back meanwhile is found before requests have to suffer. A longer `Retry-After` wins over all of it (with a
 * little jitter, as it was told to others too), up to 5 minutes.
 */
export function retryDelayMs(failed: FailedAttempt, random: Random): number {
  const ownMs = ownDelayMs(failed, random);
  if (failed.retryAfterMs === undefined) return ownMs;
  const jitterMs = random() * Math.min(1_000, failed.retryAfterMs * 0.1);
  return Math.min(MAX_DELAY_MS, Math.max(ownMs, failed.retryAfterMs + jitterMs));
}

function ownDelayMs({ attempt, rejected, nowMs, valid }: FailedAttempt, random: Random): number {
  if (rejected) return REJECTED.minMs + random() * REJECTED.spreadMs;
  if (valid === undefined) {
    return attempt < LONG_OUTAGE_ATTEMPT
      ? backoffMs(attempt, BACKOFF, random)
      : LONG_OUTAGE.minMs + random() * LONG_OUTAGE.spreadMs;
  }
  const boundaryAtMs = nowMs < valid.mandatoryAtMs ? valid.mandatoryAtMs : valid.expiresAtMs;
  const untilBoundaryMs = Math.max(MIN_DELAY_MS, boundaryAtMs - nowMs);
  return Math.min(backoffMs(attempt, BACKOFF, random), untilBoundaryMs);
}

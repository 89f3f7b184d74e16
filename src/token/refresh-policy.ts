import type { Random } from "../core/backoff.ts";

/**
 * What a request does with a token (product contract §3, rule 2).
 *
 * - `fresh`: it is sent.
 * - `advisory`: it is sent, and one refresh runs behind.
 * - `mandatory`: requests wait for the refresh; the token is still valid should that fail.
 * - `expired`: it is never sent.
 */
export type Freshness = "fresh" | "advisory" | "mandatory" | "expired";

/** When a token's two windows open and when it ends. Monotonic milliseconds, but for the last one. */
export interface RefreshWindows {
  readonly advisoryAtMs: number;
  readonly mandatoryAtMs: number;
  readonly expiresAtMs: number;
  /** The same end in Unix milliseconds: a second opinion after a sleep or a jump of the clock. */
  readonly expiresAtWallMs: number;
}

/** The advisory window's share of the lifetime, and the jitter as a share of that window. */
const ADVISORY_SHARE = 0.2;
const ADVISORY_JITTER = 0.1;
const MANDATORY_SHARE = 0.05;
const MANDATORY_MAX_MS = 30_000;

/**
 * Draws a token's windows. The jitter is drawn per token, so that tokens of one age are not refreshed in one step.
 *
 * | lifetime | advisory before expiry | mandatory before expiry |
 * |---|---|---|
 * | 3600 s | 648 … 792 s | 30 s |
 * | 300 s | 54 … 66 s | 15 s |
 * | 60 s | 10.8 … 13.2 s | 3 s |
 * | 8 s | 1.44 … 1.76 s | 0.4 s |
 *
 * `sentAtMs` and `sentAtWallMs` are when the token request was sent: the server's count cannot have begun earlier.
 */
export function refreshWindows(
  sentAtMs: number,
  sentAtWallMs: number,
  lifetimeMs: number,
  random: Random,
): RefreshWindows {
  const jitter = 1 - ADVISORY_JITTER + 2 * ADVISORY_JITTER * random();
  const expiresAtMs = sentAtMs + lifetimeMs;
  return {
    advisoryAtMs: expiresAtMs - lifetimeMs * ADVISORY_SHARE * jitter,
    mandatoryAtMs: expiresAtMs - Math.min(MANDATORY_MAX_MS, lifetimeMs * MANDATORY_SHARE),
    expiresAtMs,
    expiresAtWallMs: sentAtWallMs + lifetimeMs,
  };
}

/**
 * The one timing decision. Monotonic time decides; where wall time alone says that the token has expired, the machine
 * slept or its clock was set, and nobody here knows which: `mandatory`, that is recheck before use, and go on with it
 * if the check cannot be made. A wall clock that was set back changes nothing.
 */
export function refreshPolicy(nowMs: number, wallMs: number, windows: RefreshWindows): Freshness {
  if (nowMs >= windows.expiresAtMs) return "expired";
  if (nowMs >= windows.mandatoryAtMs || wallMs >= windows.expiresAtWallMs) return "mandatory";
  return nowMs >= windows.advisoryAtMs ? "advisory" : "fresh";
}

/**
 * Whether a token that a request was given at `givenAtMs` is none to send any more, because the request has had to wait
 * since: it has expired, or come into its mandatory window. One that was given in that window, for want of another, is
 * sent until it expires.
 */
export function hasAged(givenAtMs: number, nowMs: number, wallMs: number, windows: RefreshWindows): boolean {
  const freshness = refreshPolicy(nowMs, wallMs, windows);
  return freshness === "expired" || (freshness === "mandatory" && givenAtMs < windows.mandatoryAtMs);
}

import type { VisitorSpec } from "../config/config.ts";
import type { Random } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import type { ProxyError } from "../core/errors.ts";
import {
  type Freshness,
  type RefreshWindows,
  refreshPolicy,
  refreshWindows,
} from "../token/refresh-policy.ts";
import type { TokenUnavailableReason } from "../token/token-outcome.ts";
import { Injection } from "../token/token-source.ts";
import { isSameGrant, type VisitorToken } from "./record.ts";

/** A renewal under way. Requests join it; none of them can cancel it. Never rejects. */
export interface Renewal {
  over: Promise<void>;
}

/** A known outage: nothing is asked before `nextAttemptAtMs` (monotonic). */
export interface Outage {
  readonly attempt: number;
  readonly nextAttemptAtMs: number;
  /** undefined: it is not the token endpoint that failed. */
  readonly reason: TokenUnavailableReason | undefined;
  readonly error: (retryInMs: number) => ProxyError;
}

/** One session's token for one credential, as it is used in this process. */
export interface TokenSlot {
  /** What the token was found good for; another configuration looks again. */
  spec: VisitorSpec;
  /** The record's token that the rest is of; undefined: there is none. */
  token: VisitorToken | undefined;
  windows: RefreshWindows | undefined;
  injection: Injection | undefined;
  /** The upstream refused it: it is not sent again. */
  dropped: boolean;
  /** A process died while its refresh token was on its way: that is never sent again (docs/decisions/0013). */
  doubtful: boolean;
  /** Renewed, but not stored yet, and thus not used. */
  unsaved: VisitorToken | undefined;
  renewal: Renewal | undefined;
  outage: Outage | undefined;
  /** Monotonic milliseconds. */
  sentAtMs: number;
  forcedAtMs: number;
}

export function createSlot(spec: VisitorSpec): TokenSlot {
  return {
    spec,
    token: undefined,
    windows: undefined,
    injection: undefined,
    dropped: false,
    doubtful: false,
    unsaved: undefined,
    renewal: undefined,
    outage: undefined,
    sentAtMs: Number.NEGATIVE_INFINITY,
    forcedAtMs: Number.NEGATIVE_INFINITY,
  };
}

/** Follows the record: another token is judged anew, the same one keeps its windows. */
export function followToken(
  slot: TokenSlot,
  token: VisitorToken | undefined,
  clock: Clock,
  random: Random,
): void {
  const before = slot.token;
  slot.token = token;
  if (token?.intent === undefined) slot.doubtful = false;
  if (before !== undefined && token !== undefined && isSameGrant(before, token)) return;
  slot.dropped = false;
  slot.doubtful = false;
  slot.outage = undefined;
  slot.windows = token === undefined ? undefined : windowsOf(token, clock, random);
  slot.injection =
    token === undefined
      ? undefined
      : new Injection(["authorization", `Bearer ${token.accessToken.reveal()}`], slot.windows);
}

/** A record knows wall times only: what has passed since is taken off the monotonic present. */
export function windowsOf(token: VisitorToken, clock: Clock, random: Random): RefreshWindows {
  const ageMs = Math.max(0, clock.wall() - token.sentAtMs);
  return refreshWindows(clock.now() - ageMs, token.sentAtMs, token.lifetimeMs, random);
}

/** What a request does with the slot's token; `none`: there is none that may be sent. */
export function freshnessOf(slot: TokenSlot, clock: Clock): Freshness | "none" {
  if (slot.windows === undefined || slot.dropped) return "none";
  return refreshPolicy(clock.now(), clock.wall(), slot.windows);
}

/** Whether it can be sent at all. */
export function isValid(freshness: Freshness | "none"): boolean {
  return freshness !== "none" && freshness !== "expired";
}

/** Whether there is any way to a newer token. */
export function isRenewable({ token, doubtful, unsaved, spec }: TokenSlot): boolean {
  if (spec.kind === "anonymous") return true;
  return token?.refreshToken !== undefined && !doubtful && unsaved === undefined;
}

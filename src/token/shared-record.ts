import type { Clock } from "../core/clock.ts";
import { Secret } from "../core/secret.ts";
import type { StoreTime } from "../store/store.ts";
import type { GrantedToken } from "./token-outcome.ts";
import { isTokenFitForHeader, MAX_LIFETIME_MS } from "./token-response.ts";

/** A machine's token as replicas share it. */
export interface SharedToken {
  readonly token: GrantedToken;
  /** By the store's clock, in Unix milliseconds: when the token request was sent at the earliest. */
  readonly sentAtMs: number;
  /** It replaced a token that an upstream had refused. */
  readonly forced: boolean;
}

/** What is sealed. Each member has a name that never changes its meaning: replicas of two releases run side by side. */
export function encodeSharedToken({ token, sentAtMs, forced }: SharedToken): unknown {
  return {
    access_token: token.value.reveal(),
    lifetime_ms: token.lifetimeMs,
    sent_at_ms: sentAtMs,
    ...(token.scope === undefined ? {} : { scope: token.scope }),
    ...(forced ? { forced } : {}),
  };
}

/** undefined: it is no token that could be sent. Total: whatever was opened may be of another release. */
export function decodeSharedToken(content: unknown): SharedToken | undefined {
  if (typeof content !== "object" || content === null) return undefined;
  const members = content as Readonly<Record<string, unknown>>;
  const { access_token: value, lifetime_ms: lifetimeMs, sent_at_ms: sentAtMs, scope } = members;
  if (typeof value !== "string" || !isTokenFitForHeader(value)) return undefined;
  if (typeof lifetimeMs !== "number" || !(lifetimeMs > 0 && lifetimeMs <= MAX_LIFETIME_MS)) return undefined;
  if (typeof sentAtMs !== "number" || !Number.isFinite(sentAtMs)) return undefined;
  return {
    token: { value: new Secret(value), lifetimeMs, scope: typeof scope === "string" ? scope : undefined },
    sentAtMs,
    forced: members["forced"] === true,
  };
}

/** One moment on the clocks of this process. */
export interface LocalMoment {
  readonly sentAtMs: number;
  readonly sentAtWallMs: number;
}

/** Two clocks that drift, or a failover to a server whose clock is a little behind, may put a moment so far ahead. */
const DRIFT_MS = 1_000;

/**
 * When that was by this process's own clocks: never later than it was, however long the store's answers take. undefined:
 * it has not come yet, so one of the clocks was set and the token's age is unknown.
 */
export function localMoment(sentAtMs: number, time: StoreTime, clock: Clock): LocalMoment | undefined {
  const ageMs = time.latestMs - sentAtMs;
  if (ageMs < -DRIFT_MS) return undefined;
  const pastMs = Math.max(0, ageMs);
  return { sentAtMs: clock.now() - pastMs, sentAtWallMs: clock.wall() - pastMs };
}

/** The same the other way round, again never later. */
export function storeMoment(sentAtMs: number, time: StoreTime, clock: Clock): number {
  return time.earliestMs - (clock.now() - sentAtMs);
}

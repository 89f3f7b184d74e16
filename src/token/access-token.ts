import type { Random } from "../core/backoff.ts";
import type { Secret } from "../core/secret.ts";
import { type RefreshWindows, refreshWindows } from "./refresh-policy.ts";
import type { GrantedToken } from "./token-outcome.ts";

/** A machine's access token and all that is known of it. */
export interface AccessToken extends RefreshWindows {
  /** The bare token. */
  readonly value: Secret;
  readonly type: "Bearer";
  /** What the server says it granted; undefined where it says nothing, which means what was asked for. */
  readonly scope: string | undefined;
  readonly lifetimeMs: number;
  /** Unix milliseconds of the moment the request was sent. */
  readonly obtainedAtWallMs: number;
  /** The full cache key that it was had under, see `tokenKey`. */
  readonly key: string;
}

/** `sent` is when the token request was sent: the lifetime counts from there. */
export function accessToken(
  { value, lifetimeMs, scope }: GrantedToken,
  sent: { readonly sentAtMs: number; readonly sentAtWallMs: number },
  key: string,
  random: Random,
): AccessToken {
  return {
    value,
    type: "Bearer",
    scope,
    lifetimeMs,
    obtainedAtWallMs: sent.sentAtWallMs,
    key,
    ...refreshWindows(sent.sentAtMs, sent.sentAtWallMs, lifetimeMs, random),
  };
}

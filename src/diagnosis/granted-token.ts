import type { ClientCredentialsSpec } from "../config/config.ts";
import type { GrantedToken } from "../token/token-outcome.ts";
import { ok, type Verdict, warning } from "./finding.ts";

/** A token that came, beside what was asked for. */
export interface GrantedTokenContext {
  readonly spec: ClientCredentialsSpec;
  /** Unix milliseconds of the moment the request was sent. */
  readonly sentAtWallMs: number;
  readonly durationMs: number;
  /** What the provider will miss later, although it gave a token. */
  readonly omission: { readonly reason: string; readonly hint: string } | undefined;
}

/** Below this a token is renewed so often that the token endpoint's limits come near. */
const SHORT_LIFETIME_MS = 60_000;

/**
 * What is known of a token that was granted: its expiry, and its scope beside the one asked for (RFC 6749 §3.3: a server
 * may grant less, and must then say so). Says nothing of the token itself.
 */
export function judgeGrantedToken(token: GrantedToken, context: GrantedTokenContext): Verdict {
  const { spec, sentAtWallMs, durationMs } = context;
  const { lifetimeMs, scope } = token;
  const granted = scope?.split(" ").filter((part) => part !== "") ?? spec.scopes;
  const missing = spec.scopes.filter((asked) => !granted.includes(asked));
  const expiresAt = new Date(sentAtWallMs + lifetimeMs).toISOString();
  const facts = {
    expires_in: Math.round(lifetimeMs / 1_000),
    expires_at: expiresAt,
    scope: granted.join(" "),
    duration_ms: Math.round(durationMs),
  };
  const lifetime = `a token for ${facts.expires_in} s (until ${expiresAt.replace(/\.\d+Z$/, "Z")})`;
  const words = `${lifetime}, ${scopeWords(granted, scope)}, in ${facts.duration_ms} ms`;
  if (missing.length > 0) {
    return warning(
      `${words}; asked for, and not granted: ${missing.join(" ")}`,
      "have the client allowed these scopes at the provider, or take them out of scopes: calls that need them will get 403",
      { ...facts, missing_scope: missing.join(" ") },
    );
  }
  if (isForAnotherAudience(token, spec.audience)) {
    return warning(
      `${words}; the token names another audience than the one asked for`,
      "check audience, to the letter: a slash at its end counts",
      facts,
    );
  }
  if (context.omission !== undefined) {
    return warning(`${words}; ${context.omission.reason}`, context.omission.hint, facts);
  }
  if (lifetimeMs < SHORT_LIFETIME_MS) {
    return warning(`${words}; that is short`, "raise the lifetime of access tokens at the provider", facts);
  }
  if (spec.audience === undefined && shapeOf(token) === "encrypted") {
    return warning(
      `${words}; it is encrypted for the provider itself, and no audience was asked for`,
      "set audience to the API's identifier: without one such servers (Auth0) give a token that no API accepts",
      facts,
    );
  }
  const opaque = spec.audience === undefined && shapeOf(token) === "opaque";
  return ok(
    opaque ? `${words}; it is opaque: should the API answer 401, it may want an audience` : words,
    facts,
  );
}

function scopeWords(granted: readonly string[], told: string | undefined): string {
  if (granted.length === 0) return "no scope";
  return `scope ${granted.join(" ")}${told === undefined ? " (as asked)" : ""}`;
}

/** By the number of its parts: three of a signed JWT (RFC 7515 §7.1), five of an encrypted one (RFC 7516 §7.1). */
function shapeOf({ value }: GrantedToken): "signed" | "encrypted" | "opaque" {
  const parts = value.reveal().split(".");
  if (parts.length === 5 && parseJson(parts[0]) !== undefined) return "encrypted";
  return parts.length === 3 && parseJson(parts[1]) !== undefined ? "signed" : "opaque";
}

/** Only of a JWT that says so (RFC 7519 §4.1.3); its signature is for the API to judge. */
function isForAnotherAudience(token: GrantedToken, asked: string | undefined): boolean {
  if (asked === undefined || shapeOf(token) !== "signed") return false;
  const audience = parseJson(token.value.reveal().split(".")[1])?.["aud"];
  const named = Array.isArray(audience) ? audience : [audience];
  return named.some((name) => typeof name === "string") && !named.includes(asked);
}

function parseJson(part: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? "", "base64url").toString());
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

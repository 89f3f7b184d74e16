import { Secret } from "../core/secret.ts";
import { presentable } from "./redaction.ts";
import { parseRateLimitReset, parseRetryAfter } from "./retry-after.ts";
import type { TokenFailure, TokenOutcome, TransientReason } from "./token-outcome.ts";

/** A token endpoint's answer as it was read. */
export interface TokenAnswer {
  readonly status: number;
  /** Values of the fields that matter, by lower-case name. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** undefined where it was not read: the status alone decides, it is encoded, or it is larger than 1 MiB. */
  readonly body: string | undefined;
  readonly tooLarge: boolean;
}

export interface ResponseContext {
  /** Unix time in milliseconds, for dates. */
  readonly wallMs: number;
  /** What must not come back out of the answer, see `sensitiveForms`. */
  readonly sensitive: readonly string[];
}

const DEFAULT_LIFETIME_SECONDS = 300;
const MAX_LIFETIME_SECONDS = 30 * 86_400;
export const MAX_LIFETIME_MS = MAX_LIFETIME_SECONDS * 1_000;
const MAX_SCOPE_LENGTH = 2_000;

/** Printable ASCII (RFC 6749 appendix A.17). */
const REFRESH_TOKEN = /^[\x20-\x7e]{1,32768}$/;
/** Visible ASCII only (RFC 6750 §2.1 allows even less): a space or a line break would end the field's value. */
const HEADER_TOKEN = /^[\x21-\x7e]{1,32768}$/;
const DECIMAL = /^\d+(?:\.\d+)?$/;
const ERROR_CODE = /^[a-z][a-z0-9_.-]{0,63}$/;

/** RFC 6749 §5.2, and `access_denied` of §4.1.2.1 which Auth0 uses here: shown as they are, whatever the secret is. */
const KNOWN_ERRORS = new Set([
  "invalid_request",
  "invalid_client",
  "invalid_grant",
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
  "access_denied",
]);

/** Codes that say "later", whatever the status (RFC 6749 §4.1.2.1, RFC 8628 §3.5, Auth0's rate limit). */
const LATER = new Set(["temporarily_unavailable", "server_error", "too_many_requests", "slow_down"]);

export function isTokenFitForHeader(value: string): boolean {
  return HEADER_TOKEN.test(value);
}

/**
 * Whether the body can matter: of a redirect, a 429 or a 5xx it is not even read. Of a 201 it is: an endpoint that mints
 * tokens without being RFC 6749's may answer so.
 */
export function decidedByStatus(status: number): boolean {
  return status !== 200 && status !== 201 && (status < 400 || status === 429 || status >= 500);
}

/**
 * What an answer means (product contract §3, rules 6 and 8; RFC 6749 §5). Total: any bytes give a token that is fit to
 * be sent, or a failure. Only a 4xx with a parsed error code is the client's fault; everything else may pass by itself.
 */
export function tokenResponse(answer: TokenAnswer, context: ResponseContext): TokenOutcome {
  const { status } = answer;
  if (status === 200) return success(answer, context);
  if (status >= 500) return failure("http_5xx", `answered ${status}`, answer, context);
  if (status === 429) return failure("rate_limited", "answered 429: too many requests", answer, context);
  if (status >= 400) return clientError(answer, context);
  if (status >= 300) return failure("redirect", `answered ${status}, a redirect`, answer, context);
  return failure("malformed", `answered ${status} where only 200 carries a token`, answer, context);
}

function success(answer: TokenAnswer, context: ResponseContext): TokenOutcome {
  const malformed = (detail: string): TokenOutcome => failure("malformed", detail, answer, context);
  if (answer.tooLarge) return failure("too_large", "sent more than 1 MiB", answer, context);
  const encoding = contentEncoding(answer);
  if (encoding !== undefined) return malformed("sent a compressed answer, which was not asked for");

  const members = parseObject(answer.body);
  if (members === undefined) return malformed("answered 200 with something that is no JSON object");
  const value = members["access_token"];
  if (typeof value !== "string" || !isTokenFitForHeader(value)) {
    return malformed("answered 200 without an access_token that is fit for a header");
  }
  const type = members["token_type"];
  if (typeof type !== "string" || type.toLowerCase() !== "bearer") {
    return malformed("answered 200 with a token_type that is not Bearer");
  }
  const lifetimeMs = parseLifetimeMs(members["expires_in"]);
  if (lifetimeMs === undefined) {
    return malformed("answered 200 with an expires_in that is no positive number");
  }
  const refresh = members["refresh_token"];
  const refreshToken = typeof refresh === "string" && REFRESH_TOKEN.test(refresh) ? refresh : undefined;
  const sensitive = [...context.sensitive, value, ...(refreshToken === undefined ? [] : [refreshToken])];
  const scope = presentable(members["scope"], sensitive, MAX_SCOPE_LENGTH);
  return {
    kind: "token",
    token: {
      value: new Secret(value),
      lifetimeMs,
      scope,
      ...(refreshToken === undefined ? {} : { refreshToken: new Secret(refreshToken) }),
    },
  };
}

function clientError(answer: TokenAnswer, context: ResponseContext): TokenFailure {
  const members = contentEncoding(answer) === undefined ? parseObject(answer.body) : undefined;
  const code = members?.["error"];
  if (typeof code !== "string" || !ERROR_CODE.test(code)) {
    return failure("http_4xx", `answered ${answer.status} without an OAuth2 error`, answer, context);
  }
  const error = KNOWN_ERRORS.has(code) ? code : (presentable(code, context.sensitive) ?? "unknown_error");
  const description = presentable(members?.["error_description"], context.sensitive);
  const detail = `answered ${answer.status} ${error}${description === undefined ? "" : ` (${description})`}`;
  if (LATER.has(code)) return failure("http_4xx", detail, answer, context);
  return {
    kind: "rejected",
    reason: "rejected",
    error,
    ...(description === undefined ? {} : { description }),
    detail,
    retryAfterMs: retryAfterMs(answer, context),
    clientRefused: answer.status === 401 || code === "invalid_client",
  };
}

function failure(
  reason: TransientReason,
  detail: string,
  answer: TokenAnswer,
  context: ResponseContext,
): TokenFailure {
  return {
    kind: "transient",
    reason,
    detail,
    retryAfterMs: retryAfterMs(answer, context),
    clientRefused: answer.status === 401,
  };
}

function retryAfterMs({ status, headers }: TokenAnswer, { wallMs }: ResponseContext): number | undefined {
  const asked = parseRetryAfter(headers["retry-after"], wallMs);
  return asked ?? (status === 429 ? parseRateLimitReset(headers["x-ratelimit-reset"], wallMs) : undefined);
}

/** The content coding, undefined when there is none. */
function contentEncoding({ headers }: TokenAnswer): string | undefined {
  const value = headers["content-encoding"]?.trim().toLowerCase();
  return value === undefined || value === "" || value === "identity" ? undefined : value;
}

/** A JSON object's members, or undefined for any other text. */
function parseObject(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** `expires_in`: a positive number or decimal string of seconds; absent → 300 s; at most 30 days. */
function parseLifetimeMs(value: unknown): number | undefined {
  if (value === undefined) return DEFAULT_LIFETIME_SECONDS * 1_000;
  const seconds = typeof value === "string" && DECIMAL.test(value) ? Number(value) : value;
  if (typeof seconds !== "number" || !(seconds > 0)) return undefined;
  return Math.min(seconds, MAX_LIFETIME_SECONDS) * 1_000;
}

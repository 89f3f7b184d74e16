import { ProxyError } from "../core/errors.ts";
import type { TokenFailure, TransientReason } from "./token-outcome.ts";

/** Whose token an error is about. */
export interface TokenSubject {
  readonly credential: string;
  readonly tenant: string | undefined;
  readonly tokenUrl: URL;
}

const CHECK_ENDPOINT = "check token_url, and the health of the endpoint";

/** What a person can do, per reason. */
const HINTS: Readonly<Record<TransientReason | "rejected", string>> = {
  timeout: "check the network path to it, and its health",
  unreachable: "check token_url, DNS, the network path and http_proxy",
  tls: "check tls.ca, tls.cert, tls.key and the server's certificate",
  http_5xx: "it should pass when the server recovers",
  http_4xx: CHECK_ENDPOINT,
  rate_limited: "lower token_requests_per_second or ask for a higher limit",
  redirect: "token requests never follow redirects: write its target as token_url",
  malformed: CHECK_ENDPOINT,
  too_large: CHECK_ENDPOINT,
  expired: "its tokens expire before they arrive: raise their lifetime there",
  secret_unreadable: "check the reference of client_id and client_secret",
  closed: "the proxy is shutting down",
  internal: "this is a fault of the proxy",
  rejected: "check the credential's settings against the provider's",
};

const REJECTION_HINTS: Readonly<Record<string, string>> = {
  invalid_client: "check client_id, client_secret and client_auth",
  invalid_scope: "check scopes against what the client is allowed",
  unauthorized_client: "the client is not allowed this grant: enable it at the provider",
  access_denied: "check client_id, client_secret, audience, and that they belong to this environment",
};

/** What a process that serves does about it by itself. */
const BY_ITSELF: Readonly<Record<string, string>> = {
  http_5xx: "it is tried again by itself",
  rate_limited: "it is tried again by itself",
  secret_unreadable: "it is read again by itself",
  invalid_client: "a changed secret is tried at once",
};

/** 503 `TOKEN_UNAVAILABLE` with the time of the next attempt, or 502 `TOKEN_REJECTED`. */
export function tokenError(subject: TokenSubject, failure: TokenFailure, retryInMs: number): ProxyError {
  return withDetail(`${failureText(subject, failure)}; ${failureHint(failure)}`, failure, retryInMs);
}

/** The same for whoever asks once and does not try again. */
export function soleTokenError(subject: TokenSubject, failure: TokenFailure): ProxyError {
  return withDetail(
    `${failureText(subject, failure)}; ${stepFor(failure)}`,
    failure,
    failure.retryAfterMs ?? 0,
  );
}

function withDetail(detail: string, failure: TokenFailure, retryInMs: number): ProxyError {
  return failure.kind === "rejected"
    ? new ProxyError("TOKEN_REJECTED", detail)
    : new ProxyError("TOKEN_UNAVAILABLE", detail, { retryAfterSeconds: retryAfterSeconds(retryInMs) });
}

/** The request has waited as long as it may; the refresh goes on without it. */
export function waitedError(subject: TokenSubject, waitedMs: number): ProxyError {
  const seconds = Math.round(waitedMs / 1_000);
  const detail = `${owner(subject)}: no token after waiting ${seconds} s; the refresh goes on, try again`;
  return new ProxyError("TOKEN_UNAVAILABLE", detail, { retryAfterSeconds: 1 });
}

/** Whose token could not be had, and why: one clause without advice, for logs and the status page. */
export function failureText(subject: TokenSubject, failure: TokenFailure): string {
  return failure.reason === "secret_unreadable"
    ? `${owner(subject)}: ${failure.detail}`
    : `${owner(subject)}: the token endpoint ${subject.tokenUrl.host} ${failure.detail}`;
}

function owner({ credential, tenant }: TokenSubject): string {
  return tenant === undefined ? `credential ${credential}` : `credential ${credential}, tenant ${tenant}`;
}

/** What a person can do about it, and what a process that serves does by itself. */
export function failureHint(failure: TokenFailure): string {
  const byItself = BY_ITSELF[failure.kind === "rejected" ? failure.error : failure.reason];
  return [stepFor(failure), ...(byItself === undefined ? [] : [byItself])].join("; ");
}

/** What a person can do about it: one clause. */
function stepFor(failure: TokenFailure): string {
  return (failure.kind === "rejected" ? REJECTION_HINTS[failure.error] : undefined) ?? HINTS[failure.reason];
}

function retryAfterSeconds(retryInMs: number): number {
  return Math.max(1, Math.ceil(retryInMs / 1_000));
}

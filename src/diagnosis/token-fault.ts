import type { TokenFailure } from "../token/token-outcome.ts";
import type { Fault } from "./finding.ts";

/** A failed token request, and what was seen of the server beside it. */
export interface TokenFaultContext {
  /** `https://host/path` of the token URL, for words. */
  readonly tokenUrl: URL;
  /** The key that holds that URL. */
  readonly key: string;
  readonly asked: {
    readonly scopes: readonly string[];
    readonly audience: string | undefined;
    /** undefined: the credential has no choice of it. */
    readonly clientAuth: string | undefined;
  };
  /** undefined: there was no answer. */
  readonly answer: AnswerFacts | undefined;
  /** What the provider's own rules make of a refusal. */
  readonly providerHint: string | undefined;
  /** What further requests brought to light. */
  readonly found: {
    readonly clientAuth?: string | undefined;
    readonly refusedScopes?: readonly string[] | undefined;
  };
}

/** Never its text. */
export interface AnswerFacts {
  readonly status: number;
  readonly isHtml: boolean;
  /** Where a redirect leads to, without its query; undefined where that is no URL to be shown. */
  readonly location: URL | undefined;
}

const AUDIENCE = /audience|service not found|resource server|invalid_target/i;
const HTML_HINT =
  "a login page, a captive portal or a gateway answers there: check the path of the URL (OpenID Connect servers name theirs in /.well-known/openid-configuration) and what is on the way";

/**
 * The cause of a token request that failed with an answer, in words that follow "the token endpoint HOST", and the next
 * step. Connections that fail are `connectionFault`'s.
 */
export function tokenFault(failure: TokenFailure, context: TokenFaultContext): Fault {
  const { answer, key } = context;
  if (failure.kind === "rejected") return { reason: failure.detail, hint: rejectionHint(failure, context) };
  if (answer?.isHtml === true && failure.reason !== "http_5xx") {
    return {
      reason: `answered ${answer.status} with an HTML page where a token was expected`,
      hint: HTML_HINT,
    };
  }
  switch (failure.reason) {
    case "redirect":
      return { reason: redirectReason(failure.detail, answer), hint: redirectHint(key, answer) };
    case "rate_limited":
      return { reason: failure.detail, hint: rateLimitHint(failure.retryAfterMs) };
    case "http_4xx":
      return { reason: failure.detail, hint: clientErrorHint(context) };
    case "http_5xx":
      return {
        reason: failure.detail,
        hint: "the server itself fails: ask its operators, and run doctor again",
      };
    case "timeout":
      return {
        reason: failure.detail,
        hint: "it takes connections and does not answer: check its health, and a firewall that inspects what goes through",
      };
    case "expired":
      return { reason: failure.detail, hint: "raise the lifetime of access tokens at the provider" };
    case "secret_unreadable":
      return { reason: failure.detail, hint: "check the references of client_id and client_secret" };
    case "internal":
      return { reason: failure.detail, hint: "this is a fault of Pillion" };
    default:
      return {
        reason: failure.detail,
        hint: `check ${key}: this is not how an OAuth 2.0 token endpoint answers (RFC 6749 §5.1)`,
      };
  }
}

type Rejection = Extract<TokenFailure, { kind: "rejected" }>;

function rejectionHint(failure: Rejection, context: TokenFaultContext): string {
  const { asked, found, providerHint } = context;
  if (found.clientAuth !== undefined) {
    return `the server takes this client by another method: set client_auth: ${found.clientAuth}`;
  }
  if (asked.audience !== undefined && isAboutAudience(failure)) {
    return `check audience (${asked.audience}), to the letter: a slash at its end counts; the API must be registered there, and the client allowed to use it`;
  }
  if (asked.audience === undefined && isAboutAudience(failure)) {
    return "set audience to the API's identifier: this server wants one";
  }
  return providerHint ?? plainHint(failure, context);
}

function isAboutAudience({ error, description = "" }: Rejection): boolean {
  return AUDIENCE.test(error) || AUDIENCE.test(description);
}

function plainHint({ error }: Rejection, { asked, found }: TokenFaultContext): string {
  switch (error) {
    case "invalid_client":
      return `check client_id and client_secret, and that they belong to this server and environment${asked.clientAuth === undefined ? "" : "; another client_auth (basic, post, json) was refused as well"}`;
    case "unauthorized_client":
      return "the client is known, but not allowed this grant: enable client credentials for it at the provider";
    case "unsupported_grant_type":
      return "the server does not offer client credentials at this URL: check token_url, and enable the grant there";
    case "invalid_scope":
      return scopeHint(asked.scopes, found.refusedScopes);
    case "access_denied":
      return `check client_id and client_secret, and that they belong to this environment${asked.audience === undefined ? "; servers such as Auth0 refuse so where audience is missing" : ` and may use audience ${asked.audience}`}`;
    case "invalid_request":
      return `a parameter is missing or wrong: compare ${asked.clientAuth === undefined ? "" : "client_auth, "}scopes, audience and params with the provider's documentation`;
    case "invalid_grant":
      return "check client_id and client_secret, and that the client is not disabled at the provider";
    default:
      return "compare the credential's settings with the provider's documentation";
  }
}

function scopeHint(asked: readonly string[], refused: readonly string[] | undefined): string {
  if (refused !== undefined && refused.length > 0 && refused.length < asked.length) {
    return `refused is ${refused.join(" ")}, the others are granted: have it allowed for the client at the provider, or take it out of scopes`;
  }
  const all =
    asked.length === 0 ? "the server wants some: set scopes" : `scopes asked for: ${asked.join(" ")}`;
  return `have the client allowed them at the provider, or correct scopes (${all})`;
}

function redirectReason(detail: string, answer: AnswerFacts | undefined): string {
  const { location } = answer ?? {};
  return location === undefined ? detail : `${detail} to ${location.origin}${location.pathname}`;
}

function redirectHint(key: string, answer: AnswerFacts | undefined): string {
  const { location } = answer ?? {};
  return location === undefined
    ? `token requests never follow redirects: write the address of the token endpoint itself as ${key}`
    : `token requests never follow redirects: if that is the token endpoint, write it as ${key}; if it is a login page, ${key} is wrong`;
}

function rateLimitHint(retryAfterMs: number | undefined): string {
  const wait = retryAfterMs === undefined ? "wait a little" : `wait ${Math.ceil(retryAfterMs / 1_000)} s`;
  return `${wait} and run doctor again: another process may ask there at the same time, such as a running sidecar; a lower token_requests_per_second keeps below the limit`;
}

function clientErrorHint({ answer, key, tokenUrl }: TokenFaultContext): string {
  switch (answer?.status) {
    case 404:
    case 405:
    case 410:
      return `there is no token endpoint at ${tokenUrl.pathname}: check the path of ${key}`;
    case 400:
    case 401:
    case 403:
      return `a gateway before the token endpoint may refuse this machine, or ${key} names something else: check ${key}, and what the gateway allows`;
    default:
      return `check ${key}, and the health of the endpoint`;
  }
}

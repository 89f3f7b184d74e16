import type { Secret } from "../core/secret.ts";

/**
 * Why a token could not be had, where trying again may help. Public: values of the labels `outcome` and `reason`.
 */
export const TRANSIENT_REASONS = [
  /** No whole answer within the deadline. */
  "timeout",
  /** No name, no route, refused, or the connection broke. */
  "unreachable",
  /** The TLS handshake failed, or its files cannot be read. */
  "tls",
  /** Any 5xx. */
  "http_5xx",
  /** A 4xx without an RFC 6749 error that blames the client: a gateway's page, `temporarily_unavailable`. */
  "http_4xx",
  /** 429. */
  "rate_limited",
  /** Any 3xx; never followed. */
  "redirect",
  /** A success that is not one by RFC 6749 §5.1, or no HTTP at all. */
  "malformed",
  /** More than 1 MiB. */
  "too_large",
  /** A lifetime shorter than the exchange took. */
  "expired",
  /** The client's secret cannot be read, so nothing was sent. */
  "secret_unreadable",
  /** Shutting down. */
  "closed",
  /** A fault of Pillion's own. */
  "internal",
] as const;

export type TransientReason = (typeof TRANSIENT_REASONS)[number];

/** All values of the label `outcome` of `token_requests_total`. */
export const TOKEN_REQUEST_OUTCOMES = ["success", "rejected", ...TRANSIENT_REASONS] as const;
export type TokenRequestOutcome = (typeof TOKEN_REQUEST_OUTCOMES)[number];

/** All values of the label `reason` of `token_unavailable_total`. `waited`: 10 s went by while the refresh went on. */
export const TOKEN_UNAVAILABLE_REASONS = ["rejected", "waited", ...TRANSIENT_REASONS] as const;
export type TokenUnavailableReason = (typeof TOKEN_UNAVAILABLE_REASONS)[number];

/** What a token endpoint granted. */
export interface GrantedToken {
  readonly value: Secret;
  readonly lifetimeMs: number;
  readonly scope: string | undefined;
  /** Only a user's grant has one (RFC 6749 §4.4.3: a machine's has none). undefined: none came, or none that can be sent. */
  readonly refreshToken?: Secret | undefined;
}

interface Failure {
  /** What happened, for a person, to follow "the token endpoint HOST". Never holds a secret. */
  readonly detail: string;
  /** What the server asked for, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** The server did not accept id and secret (`invalid_client` or 401): reading the secret again may help. */
  readonly clientRefused: boolean;
}

/** Trying again may help. */
export interface TransientFailure extends Failure {
  readonly kind: "transient";
  readonly reason: TransientReason;
  /** Node's or OpenSSL's code of an error of the connection, such as ECONNREFUSED; for `doctor`. */
  readonly code?: string;
}

/** A 4xx with a parsed RFC 6749 error: somebody has to change something. */
export interface RejectedFailure extends Failure {
  readonly kind: "rejected";
  readonly reason: "rejected";
  /** The RFC 6749 §5.2 error code. */
  readonly error: string;
  /** `error_description`, where it may be shown; for `doctor`. */
  readonly description?: string;
}

export type TokenFailure = TransientFailure | RejectedFailure;
export type TokenOutcome = { readonly kind: "token"; readonly token: GrantedToken } | TokenFailure;

/** A transient failure for which no answer was read. */
export function transient(reason: TransientReason, detail: string, code?: string): TransientFailure {
  return {
    kind: "transient",
    reason,
    detail,
    retryAfterMs: undefined,
    clientRefused: false,
    ...(code === undefined ? {} : { code }),
  };
}

/** A token that lived shorter than its exchange took. */
export const EXPIRED_ON_ARRIVAL = transient("expired", "sent a token that had expired when it arrived");

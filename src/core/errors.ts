/**
 * Every error that Pillion answers with, on one screen (product contract, RFC 9457 and RFC 9209).
 * `proxyStatus` is the error type of the `Proxy-Status` field; undefined where RFC 9209 has none that fits.
 */
export const ERROR_TABLE = {
  ROUTE_NOT_FOUND: { status: 404, title: "No route matches this path", proxyStatus: "destination_not_found" },
  METHOD_NOT_ALLOWED: {
    status: 405,
    title: "The route does not take this method",
    proxyStatus: "http_request_denied",
  },
  OPERATION_DENIED: {
    status: 403,
    title: "The route denies this operation",
    proxyStatus: "http_request_denied",
  },
  TENANT_REQUIRED: { status: 400, title: "The request names no tenant", proxyStatus: "http_request_error" },
  TENANT_UNKNOWN: {
    status: 404,
    title: "The tenant is not configured",
    proxyStatus: "destination_not_found",
  },
  TARGET_INVALID: {
    status: 400,
    title: "The request target is ambiguous or malformed",
    proxyStatus: "http_request_error",
  },
  REQUEST_INVALID: { status: 400, title: "The request is malformed", proxyStatus: "http_request_error" },
  HEADERS_TOO_LARGE: {
    status: 431,
    title: "The request has too many or too large header fields",
    proxyStatus: "http_request_error",
  },
  HOST_NOT_ALLOWED: {
    status: 403,
    title: "This Host is not served here",
    proxyStatus: "http_request_denied",
  },
  ORIGIN_NOT_ALLOWED: {
    status: 403,
    title: "Requests from this web origin are refused",
    proxyStatus: "http_request_denied",
  },
  ACCESS_TOKEN_REQUIRED: {
    status: 403,
    title: "The proxy's access token is missing or wrong",
    proxyStatus: "http_request_denied",
  },
  EXPECTATION_FAILED: {
    status: 417,
    title: "The expectation cannot be met",
    proxyStatus: "http_request_error",
  },
  LOGIN_REQUIRED: { status: 401, title: "A user has to sign in first", proxyStatus: "http_request_denied" },
  LOGIN_FAILED: { status: 400, title: "The login did not succeed", proxyStatus: "http_request_error" },
  STORE_UNAVAILABLE: {
    status: 503,
    title: "The store of sessions cannot be reached",
    proxyStatus: "destination_unavailable",
  },
  TOKEN_UNAVAILABLE: {
    status: 503,
    title: "No valid access token can be had right now",
    proxyStatus: "destination_unavailable",
  },
  TOKEN_REJECTED: {
    status: 502,
    title: "The authorization server refuses this credential",
    proxyStatus: "proxy_configuration_error",
  },
  UPSTREAM_UNREACHABLE: {
    status: 502,
    title: "The upstream cannot be reached",
    proxyStatus: "connection_refused",
  },
  UPSTREAM_PROTOCOL_ERROR: {
    status: 502,
    title: "The upstream's answer is not valid HTTP",
    proxyStatus: "http_protocol_error",
  },
  UPSTREAM_TIMEOUT: {
    status: 504,
    title: "The upstream did not answer in time",
    proxyStatus: "http_response_timeout",
  },
  OVERLOADED: {
    status: 503,
    title: "Too many requests are under way",
    proxyStatus: "connection_limit_reached",
  },
  SHUTTING_DOWN: { status: 503, title: "The proxy is shutting down", proxyStatus: "destination_unavailable" },
  INTERNAL: { status: 500, title: "The proxy failed", proxyStatus: "proxy_internal_error" },
} as const satisfies Record<string, { status: number; title: string; proxyStatus: string }>;

/** A stable code of a proxy error; public API. */
export type ErrorCode = keyof typeof ERROR_TABLE;

interface ProxyErrorOptions {
  /** Seconds for `Retry-After`, rounded up. */
  readonly retryAfterSeconds?: number;
  /** Overrides the table's RFC 9209 error type where more is known, e.g. `dns_error`. */
  readonly proxyStatus?: string;
  /** Value of the `Allow` field of a 405. */
  readonly allow?: string;
  /** Where a user signs in; a member `login_url` of a LOGIN_REQUIRED problem. */
  readonly loginUrl?: string;
  /** The credential that a login was for, where that is known: the page that tells of its failure offers it again. */
  readonly credential?: string;
  readonly cause?: unknown;
}

/** An error that becomes one problem+json answer. `message` is shown to the caller: never a secret in it. */
export class ProxyError extends Error {
  override readonly name = "ProxyError";
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;
  readonly proxyStatus: string;
  readonly allow: string | undefined;
  readonly loginUrl: string | undefined;
  readonly credential: string | undefined;

  constructor(code: ErrorCode, detail: string, options: ProxyErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.proxyStatus = options.proxyStatus ?? ERROR_TABLE[code].proxyStatus;
    this.allow = options.allow;
    this.loginUrl = options.loginUrl;
    this.credential = options.credential;
  }

  get status(): number {
    return ERROR_TABLE[this.code].status;
  }

  /** True where the same request may succeed later without anybody changing anything. */
  get retryable(): boolean {
    return this.status >= 503;
  }
}

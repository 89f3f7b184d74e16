import { ProxyError } from "../core/errors.ts";

/** Failures by the `code` of Node's errors, undici's connector's and `src/transport/answer-errors.ts`; what is not here is a protocol error or unreachable. */
const CAUSES: Readonly<
  Record<string, { code: "UPSTREAM_UNREACHABLE" | "UPSTREAM_TIMEOUT"; type: string; words: string }>
> = {
  ENOTFOUND: { code: "UPSTREAM_UNREACHABLE", type: "dns_error", words: "its name does not resolve" },
  EAI_AGAIN: { code: "UPSTREAM_UNREACHABLE", type: "dns_error", words: "the name server does not answer" },
  ECONNREFUSED: { code: "UPSTREAM_UNREACHABLE", type: "connection_refused", words: "it refuses connections" },
  EHOSTUNREACH: {
    code: "UPSTREAM_UNREACHABLE",
    type: "destination_ip_unroutable",
    words: "there is no route to it",
  },
  ENETUNREACH: {
    code: "UPSTREAM_UNREACHABLE",
    type: "destination_ip_unroutable",
    words: "there is no route to it",
  },
  ECONNRESET: {
    code: "UPSTREAM_UNREACHABLE",
    type: "connection_terminated",
    words: "it closed the connection",
  },
  EPIPE: { code: "UPSTREAM_UNREACHABLE", type: "connection_terminated", words: "it closed the connection" },
  UND_ERR_SOCKET: {
    code: "UPSTREAM_UNREACHABLE",
    type: "connection_terminated",
    words: "it closed the connection",
  },
  ERR_PROXY_TUNNEL: {
    code: "UPSTREAM_UNREACHABLE",
    type: "destination_unavailable",
    words: "the HTTP proxy opened no tunnel",
  },
  EMFILE: {
    code: "UPSTREAM_UNREACHABLE",
    type: "proxy_internal_error",
    words: "this process has no free file descriptor",
  },
  ETIMEDOUT: {
    code: "UPSTREAM_TIMEOUT",
    type: "connection_timeout",
    words: "the connection was not made in time",
  },
  UND_ERR_CONNECT_TIMEOUT: {
    code: "UPSTREAM_TIMEOUT",
    type: "connection_timeout",
    words: "the connection was not made in time (timeouts.connect)",
  },
  UND_ERR_HEADERS_TIMEOUT: {
    code: "UPSTREAM_TIMEOUT",
    type: "http_response_timeout",
    words: "it did not answer in time (timeouts.headers)",
  },
  UND_ERR_BODY_TIMEOUT: {
    code: "UPSTREAM_TIMEOUT",
    type: "http_response_timeout",
    words: "its answer stalled (timeouts.idle)",
  },
};

const NEXT_STEP = {
  UPSTREAM_UNREACHABLE: "`pillion doctor` says which step on the way there fails.",
  UPSTREAM_TIMEOUT: "Try again, or give the route longer timeouts if the API needs them.",
} as const;

/** Node refuses to write such an answer: it is the upstream's that is wrong. */
const MALFORMED = new Set(["ERR_HTTP_INVALID_STATUS_CODE", "ERR_INVALID_CHAR"]);

const TLS_CODE = /^(ERR_TLS|ERR_SSL|EPROTO$|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;
const PROTOCOL_CODE = /^UND_ERR_(?:HEADERS_OVERFLOW|HTTP_PARSER)$/;

/** What went wrong between the proxy and the upstream, in the caller's terms. The upstream's host alone is named. */
export function upstreamError(error: Error, upstream: URL): ProxyError {
  // The caller's own doing, e.g. a body that stalled.
  if (error instanceof ProxyError) return error;
  const code = codeOf(error);
  const name = `The upstream ${upstream.host}`;
  if (PROTOCOL_CODE.test(code) || MALFORMED.has(code)) {
    return new ProxyError(
      "UPSTREAM_PROTOCOL_ERROR",
      `${name} answered with something that is not valid HTTP. Check its port and scheme.`,
      { cause: error },
    );
  }
  if (TLS_CODE.test(code)) {
    const detail = `${name} could not be verified by TLS (${code}). Check its certificate, tls.ca and tls.server_name.`;
    return new ProxyError("UPSTREAM_UNREACHABLE", detail, {
      cause: error,
      proxyStatus: "tls_certificate_error",
    });
  }
  const cause = CAUSES[code];
  if (cause === undefined) {
    return new ProxyError(
      "UPSTREAM_UNREACHABLE",
      `${name} could not be reached; \`pillion doctor\` says why.`,
      {
        cause: error,
        proxyStatus: "destination_unavailable",
      },
    );
  }
  return new ProxyError(cause.code, `${name} could not be used: ${cause.words}. ${NEXT_STEP[cause.code]}`, {
    cause: error,
    proxyStatus: cause.type,
  });
}

/**
 * True where the peer closed a connection that had been used before. When no byte of an answer came either, the
 * request was not processed, most likely: the peer closed it for being idle.
 */
export function isStaleConnection(error: Error): boolean {
  const socket: unknown = "socket" in error ? error.socket : undefined;
  const bytesRead: unknown =
    typeof socket === "object" && socket !== null && "bytesRead" in socket ? socket.bytesRead : 0;
  return CLOSED.has(codeOf(error)) && Number(bytesRead) > 0;
}

const CLOSED: ReadonlySet<string> = new Set(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"]);

function codeOf(error: Error): string {
  if ("code" in error && typeof error.code === "string") return error.code;
  return error instanceof AggregateError && error.errors[0] instanceof Error ? codeOf(error.errors[0]) : "";
}

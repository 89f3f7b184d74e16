import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";
import { ERROR_TABLE, type ErrorCode, ProxyError } from "../core/errors.ts";

/** The `type` of a problem (RFC 9457 §3.1.1): stable, one per code. */
const PROBLEM_BASE = "urn:pillion:problem:";

/** `urn:pillion:problem:tenant-unknown`; what stands behind the last colon is the anchor in docs/reference/errors.md. */
export function problemType(code: ErrorCode): string {
  return `${PROBLEM_BASE}${code.toLowerCase().replaceAll("_", "-")}`;
}

/**
 * A 401 has to say how to get in (RFC 9110 §15.5.2). No scheme that a browser knows, lest it ask its user for a password:
 * what is missing is a signed-in session.
 */
const CHALLENGE = 'Pillion-Session realm="pillion"';

/** An error as an answer. */
export interface Problem {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

/** An error of the proxy as a problem+json answer (RFC 9457) with a `Proxy-Status` field (RFC 9209). Pure. */
export function createProblem(error: ProxyError, requestId: string): Problem {
  const { status, title } = ERROR_TABLE[error.code];
  const body = `${JSON.stringify({
    type: problemType(error.code),
    title,
    status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
    ...(error.loginUrl === undefined ? {} : { login_url: error.loginUrl }),
  })}\n`;
  const headers = [
    "content-type",
    "application/problem+json",
    "content-length",
    String(Buffer.byteLength(body)),
    "cache-control",
    "no-store",
    "proxy-status",
    `pillion; error=${error.proxyStatus}; details="${error.code}"`,
    "x-request-id",
    requestId,
  ];
  if (status === 503)
    headers.push("retry-after", String(Math.max(1, Math.ceil(error.retryAfterSeconds ?? 1))));
  if (error.allow !== undefined) headers.push("allow", error.allow);
  if (status === 401) headers.push("www-authenticate", CHALLENGE);
  return { status, headers, body };
}

/** Makes an answer of an error. */
export type Presentation = (error: ProxyError, requestId: string) => Problem;

/** Whatever was thrown, as a `ProxyError`: the one place where a surprise becomes INTERNAL. */
export function toProxyError(thrown: unknown): ProxyError {
  if (thrown instanceof ProxyError) return thrown;
  return new ProxyError("INTERNAL", "The proxy failed on this request; its log has the reason.", {
    cause: thrown,
  });
}

/** Sends a problem, or cuts the connection where an answer has begun: half an answer must not look whole. */
export function sendProblem(
  response: ServerResponse,
  error: ProxyError,
  requestId: string,
  extra: readonly string[],
  present: Presentation = createProblem,
): void {
  if (beginProblem(response, error, requestId, extra, present)) response.end();
}

/** Sends the caller elsewhere, to be asked for by GET (RFC 9110 §15.4.4). */
export function sendRedirect(
  response: ServerResponse,
  location: string,
  requestId: string,
  extra: readonly string[],
): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const fields = ["location", location, "content-length", "0", "cache-control", "no-store"];
  response.writeHead(303, [...fields, "x-request-id", requestId, ...extra]).end();
}

/** The same, but leaves the message open though nothing of it is missing. False: the connection was cut. */
export function beginProblem(
  response: ServerResponse,
  error: ProxyError,
  requestId: string,
  extra: readonly string[],
  present: Presentation = createProblem,
): boolean {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return false;
  }
  const problem = present(error, requestId);
  response.writeHead(problem.status, [...problem.headers, ...extra]);
  // Without a body to write, Node would keep the head back until the message is ended.
  if (response.req.method === "HEAD") response.flushHeaders();
  else response.write(problem.body);
  return true;
}

/**
 * Reads what the caller still sends of a body that nobody wants and throws it away, so that it gets to read its
 * answer: a connection closed under a sender is reset, and the reset overtakes the answer (RFC 9112 §9.6).
 *
 * @param whenOver called once, when the body has ended, the caller is gone, or `limitMs` have passed
 */
export function discardBody(
  request: IncomingMessage,
  clock: Clock,
  limitMs: number,
  whenOver: () => void,
): void {
  if (request.readableEnded || request.closed) {
    whenOver();
    return;
  }
  const over = (): void => {
    timer.cancel();
    request.off("end", over).off("close", over);
    whenOver();
  };
  const timer = clock.schedule(limitMs, over);
  request.on("end", over).on("close", over).resume();
}

/** The same as bytes, for what Node's parser refused before there was a request. */
export function rawProblem(error: ProxyError, requestId: string): string {
  const { status, headers, body } = createProblem(error, requestId);
  let head = `HTTP/1.1 ${status} ${ERROR_TABLE[error.code].title}\r\nconnection: close\r\n`;
  for (let index = 0; index < headers.length; index += 2)
    head += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return `${head}\r\n${body}`;
}

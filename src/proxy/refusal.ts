import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";
import type { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { tenths } from "./exchange-log.ts";
import type { ProxyObserver } from "./observer.ts";
import type { RequestHead } from "./request-head.ts";
import { beginProblem, discardBody, type Presentation, sendProblem, toProxyError } from "./respond.ts";

/** Errors after which nothing more is read from the connection. */
const CLOSING_CODES: ReadonlySet<string> = new Set([
  "REQUEST_INVALID",
  "TARGET_INVALID",
  "HEADERS_TOO_LARGE",
  "EXPECTATION_FAILED",
  "OVERLOADED",
  "SHUTTING_DOWN",
]);

/** A refused body is read for so long, so that the refusal is not overtaken by a reset. */
const LINGER_MS = 1_000;

interface RefusalDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly observer: ProxyObserver;
}

/** A request that never had a destination. */
export interface Refused {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** undefined: it was not even that far, so its framing cannot be relied on. */
  readonly head: RequestHead | undefined;
  readonly requestId: string;
  readonly route: string | undefined;
  readonly cors: readonly string[];
  readonly startedAtMs: number;
  readonly bodyIdleMs: number;
  readonly accessLog: boolean;
  /** Default: problem+json. */
  readonly present?: Presentation;
}

/** Counts, logs and answers a refusal: the one way out for whatever was thrown before there was a destination. */
export function refuse(deps: RefusalDeps, refused: Refused, thrown: unknown): void {
  const { request, requestId, route, startedAtMs, accessLog } = refused;
  const error = toProxyError(thrown);
  const { status } = error;
  const method = request.method ?? "";
  deps.observer.rejected(error.code, route, method, status);
  const fields = {
    request_id: requestId,
    method,
    status,
    code: error.code,
    detail: error.message,
    ...(route === undefined ? {} : { route }),
  };
  if (error.code === "INTERNAL") {
    deps.log.error("request_failed", {
      ...fields,
      ...(error.cause instanceof Error ? { error: error.cause.message } : {}),
    });
  } else deps.log.debug("request_refused", fields);
  if (accessLog) deps.log.info("request", { ...fields, duration_ms: tenths(deps.clock.now() - startedAtMs) });
  answerRefused(deps.clock, refused, error);
}

type Unanswered = Pick<
  Refused,
  "request" | "response" | "head" | "requestId" | "cors" | "bodyIdleMs" | "present"
>;

/** Answers a refusal and sees to it that what is still to come of the request is not taken for another. */
export function answerRefused(clock: Clock, refused: Unanswered, error: ProxyError): void {
  const { request, response, head, requestId, cors, bodyIdleMs, present } = refused;
  const mayHaveBody =
    head?.hasBody ?? ("content-length" in request.headers || "transfer-encoding" in request.headers);
  // What follows a message of doubtful framing must not pass for a request.
  if (head === undefined || CLOSING_CODES.has(error.code)) {
    response.shouldKeepAlive = false;
    if (!beginProblem(response, error, requestId, cors, present)) return;
    if (mayHaveBody) discardBody(request, clock, LINGER_MS, () => response.end());
    else response.end();
    return;
  }
  sendProblem(response, error, requestId, cors, present);
  if (mayHaveBody) discardRest(request, clock, bodyIdleMs);
}

/** Behind an answer that is whole: the connection stays where the rest of the body comes in time. */
export function discardRest(request: IncomingMessage, clock: Clock, bodyIdleMs: number): void {
  discardBody(request, clock, bodyIdleMs, () => {
    if (!request.complete) request.socket.destroy();
  });
}

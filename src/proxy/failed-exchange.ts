import type { ErrorCode, ProxyError } from "../core/errors.ts";
import { exchangeLabels } from "./exchange-log.ts";
import type { ExchangeDeps, ExchangeParts } from "./exchange-parts.ts";
import { beginProblem, discardBody, sendProblem, sendRedirect } from "./respond.ts";

/** How loud a failure is, where it is not a warning: that somebody has to sign in is nobody's fault. */
const LEVELS: ReadonlyMap<ErrorCode, "error" | "debug"> = new Map([
  ["INTERNAL", "error"],
  ["LOGIN_REQUIRED", "debug"],
]);

/** What still comes of a refused body is read for so long, so that the refusal is not overtaken by a reset. */
const LINGER_MS = 1_000;

/**
 * Tells the caller, the log and the metrics of an exchange that failed.
 *
 * @param location where the caller is sent instead of being told what failed
 */
export function answerFailure(
  deps: ExchangeDeps,
  parts: ExchangeParts,
  error: ProxyError,
  location: string | undefined,
): void {
  const { response, requestId, extraHeaders, destination } = parts;
  destination.observer.failed(error.code);
  deps.log[LEVELS.get(error.code) ?? "warn"](response.headersSent ? "answer_truncated" : "request_failed", {
    ...exchangeLabels(parts),
    code: error.code,
    detail: error.message,
    ...(error.cause instanceof Error ? { error: error.cause.message } : {}),
  });
  if (error.code === "REQUEST_INVALID") refuseBody(deps, parts, error);
  else if (location !== undefined) sendRedirect(response, location, requestId, extraHeaders);
  else sendProblem(response, error, requestId, extraHeaders);
}

/** A body that stalled or is none leaves the connection of no use to a further request. */
function refuseBody(deps: ExchangeDeps, parts: ExchangeParts, error: ProxyError): void {
  const { request, response, requestId, extraHeaders } = parts;
  response.shouldKeepAlive = false;
  if (!beginProblem(response, error, requestId, extraHeaders)) return;
  const startBytes = request.socket.bytesRead;
  discardBody(request, deps.clock, LINGER_MS, () => {
    deps.memory.relayed(request.socket.bytesRead - startBytes);
    response.end();
  });
}

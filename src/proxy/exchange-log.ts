import type { LogFields } from "../core/log.ts";
import type { ExchangeParts } from "./exchange-parts.ts";

/** What every log line about an exchange says. Never the query, which may hold what is nobody's business. */
export function exchangeLabels(parts: ExchangeParts): LogFields {
  const { head, entry, destination, requestId, request } = parts;
  const path = request.url?.split("?", 1)[0];
  const trace = head.traceparent?.split("-")[1];
  return {
    request_id: requestId,
    route: entry.route.name,
    ...(destination.tenant === undefined ? {} : { tenant: destination.tenant }),
    method: head.method,
    ...(path === undefined ? {} : { path }),
    ...(trace === undefined ? {} : { trace_id: trace }),
  };
}

/** The access line (`log.access`) of an exchange that has ended. */
export function accessFields(
  parts: ExchangeParts,
  status: number,
  complete: boolean,
  durationMs: number,
  upstreamMs: number | undefined,
): LogFields {
  return {
    ...exchangeLabels(parts),
    status,
    outcome: complete ? "complete" : "aborted",
    duration_ms: tenths(durationMs),
    ...(upstreamMs === undefined ? {} : { upstream_ms: tenths(upstreamMs) }),
  };
}

/** Milliseconds to one decimal. */
export function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}

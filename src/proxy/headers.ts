import type { Route } from "../config/config.ts";
import type { Injection } from "../token/token-source.ts";
import { isDroppedFromResponse } from "./fields.ts";
import { rewriteLocation } from "./location.ts";
import type { RequestHead } from "./request-head.ts";

/** Lower-case names of the fields a route takes away from its caller's requests. Made once per route. */
export function callerFieldsDropped(route: Route): ReadonlySet<string> {
  const dropped = new Set([...route.requestHeaders.remove, ...(route.credential?.injectedFields ?? [])]);
  if (route.tenant.kind === "header") dropped.add(route.tenant.name);
  addNames(dropped, route.requestHeaders.set);
  return dropped;
}

/** Lower-case names of the fields a route takes away from its upstream's answers. Made once per route. */
export function upstreamFieldsDropped(route: Route): ReadonlySet<string> {
  const dropped = new Set(route.responseHeaders.remove);
  addNames(dropped, route.responseHeaders.set);
  return dropped;
}

function addNames(names: Set<string>, flat: readonly string[]): void {
  for (let index = 0; index < flat.length; index += 2) names.add((flat[index] as string).toLowerCase());
}

/**
 * The outbound field list, built from nothing: the caller's end-to-end fields, the proxy's own, the route's, and the
 * injected ones last, so that nothing before them can take their place.
 */
export function buildRequestHeaders(
  head: RequestHead,
  route: Route,
  dropped: ReadonlySet<string>,
  requestId: string,
  injection: Injection | undefined,
): string[] {
  const { fields } = head;
  const headers: string[] = [];
  for (let index = 0; index < fields.length; index += 3) {
    if (dropped.has(fields[index] as string)) continue;
    headers.push(fields[index + 1] as string, fields[index + 2] as string);
  }
  if (head.contentLength !== undefined) headers.push("content-length", String(head.contentLength));
  headers.push("via", "1.1 pillion", "x-request-id", requestId);
  headers.push(...route.requestHeaders.set);
  if (injection !== undefined) headers.push(...injection.headers);
  return headers;
}

export interface ResponseContext {
  readonly route: Route;
  readonly dropped: ReadonlySet<string>;
  /** The prefix by which the caller reached the route. */
  readonly prefix: string;
  readonly status: number;
  /** Flat name, value, … put behind the upstream's fields. */
  readonly extra: readonly string[];
}

/** The answer's field list for the caller, from the upstream's raw one (latin1 bytes, as the wire has them). */
export function buildResponseHeaders(raw: readonly (Buffer | string)[], context: ResponseContext): string[] {
  const { route } = context;
  const named = connectionNamed(raw);
  const headers: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = text(raw[index]);
    const lower = name.toLowerCase();
    if (isDroppedFromResponse(lower) || named?.has(lower) || context.dropped.has(lower)) continue;
    if (lower === "content-length" && context.status === 204) continue;
    const value = text(raw[index + 1]);
    headers.push(name, lower === "location" ? rewriteLocation(value, route, context.prefix) : value);
  }
  headers.push(...route.responseHeaders.set, ...context.extra);
  return headers;
}

/** Trailer fields as pairs for `addTrailers`; those that frame or steer are not trailers (RFC 9110 §6.5.1). */
export function buildTrailers(raw: readonly (Buffer | string)[]): [string, string][] {
  const trailers: [string, string][] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = text(raw[index]);
    const lower = name.toLowerCase();
    if (!isDroppedFromResponse(lower) && lower !== "content-length")
      trailers.push([name, text(raw[index + 1])]);
  }
  return trailers;
}

/** Fields that the upstream's `Connection` names, in lower case; undefined for the usual options. */
function connectionNamed(raw: readonly (Buffer | string)[]): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    if ((raw[index] as Buffer | string).length !== 10 || text(raw[index]).toLowerCase() !== "connection")
      continue;
    for (const part of text(raw[index + 1])
      .toLowerCase()
      .split(",")) {
      const option = part.trim();
      if (option === "" || option === "close" || option === "keep-alive") continue;
      named ??= new Set();
      named.add(option);
    }
  }
  return named;
}

function text(bytes: Buffer | string | undefined): string {
  if (bytes === undefined) return "";
  return typeof bytes === "string" ? bytes : bytes.toString("latin1");
}

import type { Route } from "../config/config.ts";
import type { Injection } from "../token/token-source.ts";
import { isDroppedFromResponse } from "./fields.ts";
import { rewriteLocation } from "./location.ts";
import type { RequestHead } from "./request-head.ts";
import type { RouteEntry } from "./route-table.ts";
import { setsSession } from "./session-cookie.ts";

/** Lower-case names of the fields a route takes away from its caller's requests. Made once per route. */
export function callerFieldsDropped(route: Route): ReadonlySet<string> {
  const dropped = new Set([...route.requestHeaders.remove, ...(route.credential?.injectedFields ?? [])]);
  if (route.tenant.kind === "header") dropped.add(route.tenant.name);
  // Encoded bodies hide their URLs; without the field most upstreams send none (RFC 9110 §12.5.3).
  if (route.rewriteUrls) dropped.add("accept-encoding");
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
  { route, callerFieldsDropped: dropped }: Pick<RouteEntry, "route" | "callerFieldsDropped">,
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
  if (head.takesTrailers) headers.push("te", "trailers");
  headers.push("via", "1.1 pillion");
  if (!dropped.has("x-request-id")) headers.push("x-request-id", requestId);
  headers.push(...route.requestHeaders.set);
  if (injection !== undefined) headers.push(...injection.headers);
  return headers;
}

export interface ResponseContext {
  readonly entry: Pick<RouteEntry, "route" | "upstreamFieldsDropped" | "basePath">;
  /** The prefix by which the caller reached the route. */
  readonly prefix: string;
  readonly status: number;
  /** Trailers can follow, as far as request, status and the caller's version go. */
  readonly mayTrail: boolean;
  /** Flat name, value, … put behind the upstream's fields. */
  readonly extra: readonly string[];
}

/** A header list as `DispatchController.rawHeaders` gives it: flat name, value, … */
export type RawFields = readonly (Buffer | string)[];

/** The answer's field list for the caller, from the upstream's raw one (latin1 bytes, as the wire has them). */
export function buildResponseHeaders(raw: RawFields, context: ResponseContext): string[] {
  const { route, upstreamFieldsDropped: dropped, basePath } = context.entry;
  let headers: string[] = [];
  let named: ReadonlySet<string> | undefined;
  let isChunked = false;
  let trailerAt = -1;
  for (let index = 0; index < raw.length; index += 2) {
    const name = text(raw[index]);
    const lower = name.toLowerCase();
    if (isDroppedFromResponse(lower)) {
      if (lower === "connection") named = addOptions(named, text(raw[index + 1]));
      else if (lower === "transfer-encoding") isChunked = true;
      continue;
    }
    if (dropped.has(lower) || (lower === "content-length" && isNeverFramed(context.status))) continue;
    if (lower === "trailer") trailerAt = headers.length;
    const value = text(raw[index + 1]);
    if (lower === "set-cookie" && setsSession(value)) continue;
    headers.push(
      name,
      lower === "location" ? rewriteLocation(value, route.upstream, basePath.slashed, context.prefix) : value,
    );
  }
  // Announced where none can come, the field would be a lie, and Node refuses to send it.
  if (trailerAt >= 0 && !(isChunked && context.mayTrail)) headers = without(headers, TRAILER);
  if (named !== undefined) headers = without(headers, named);
  headers.push(...route.responseHeaders.set, ...context.extra);
  return headers;
}

/** What lets a shared cache keep an answer to a request with `Authorization`, and what keeps it from doing so. */
const DECIDED = /(?:^|,)[ \t]*(?:public|must-revalidate|s-maxage|private|no-store)[ \t]*(?:[=,]|$)/i;

/**
 * The upstream was asked with a visitor's `Authorization`, which by itself keeps its answer out of shared caches (RFC 9111
 * §3.5). A cache on the caller's side sees none, so it has to be told.
 */
export function keepPrivate(headers: string[]): void {
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (
      name.length === 13 &&
      name.toLowerCase() === "cache-control" &&
      DECIDED.test(headers[index + 1] as string)
    )
      return;
  }
  headers.push("cache-control", "private");
}

/** 1xx and 204 have no content, so no field may frame one (RFC 9110 §8.6). */
function isNeverFramed(status: number): boolean {
  return status === 204 || status === 101;
}

const TRAILER: ReadonlySet<string> = new Set(["trailer"]);

/** Fields that steer or frame a message, and so may not come behind it (RFC 9110 §6.5.1). */
const NOT_TRAILERS: ReadonlySet<string> = new Set([
  "authorization",
  "cache-control",
  "cookie",
  "host",
  "location",
  "max-forwards",
  "range",
  "set-cookie",
  "trailer",
  "via",
]);

/** True for a field, its name in lower case, that may not come behind a message: it had to be known before. */
export function isNoTrailer(name: string): boolean {
  // A digest is known no sooner than the content's end (RFC 9530 §6.5).
  if (name === "content-digest") return false;
  return NOT_TRAILERS.has(name) || name.startsWith("content-") || name.startsWith("if-");
}

/** Trailer fields as pairs for `addTrailers`. */
export function buildTrailers(raw: RawFields, dropped: ReadonlySet<string>): [string, string][] {
  const trailers: [string, string][] = [];
  for (let index = 0; index < raw.length; index += 2) {
    const name = text(raw[index]);
    const lower = name.toLowerCase();
    if (isDroppedFromResponse(lower) || isNoTrailer(lower) || dropped.has(lower)) continue;
    trailers.push([name, text(raw[index + 1])]);
  }
  return trailers;
}

/** Adds the fields that a `Connection` names, in lower case; its usual options name none. */
function addOptions(named: ReadonlySet<string> | undefined, value: string): ReadonlySet<string> | undefined {
  const options = new Set(named);
  for (const part of value.toLowerCase().split(",")) {
    const option = part.trim();
    if (option !== "" && option !== "close" && option !== "keep-alive") options.add(option);
  }
  return options.size === 0 ? undefined : options;
}

function without(headers: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    if (!names.has(name.toLowerCase())) kept.push(name, headers[index + 1] as string);
  }
  return kept;
}

function text(bytes: Buffer | string | undefined): string {
  if (bytes === undefined) return "";
  return typeof bytes === "string" ? bytes : bytes.toString("latin1");
}

import type { IncomingMessage } from "node:http";
import { ProxyError } from "../core/errors.ts";
import { isDroppedByName, REQUEST_FIELDS } from "./fields.ts";
import { withoutSession } from "./session-cookie.ts";

/** A request's head, judged once: what the later steps need of it, and the fields that may go on. */
export interface RequestHead {
  readonly method: string;
  readonly host: string;
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
  readonly secFetchMode: string | undefined;
  readonly secFetchDest: string | undefined;
  readonly preflightMethod: string | undefined;
  readonly preflightHeaders: string | undefined;
  readonly authorization: string | undefined;
  readonly access: string | undefined;
  /** `Pillion-Session`, as sent. */
  readonly session: string | undefined;
  /** `Cookie` fields that hold a cookie of the proxy's own, as one; for reading those. */
  readonly ownCookies: string | undefined;
  readonly requestId: string | undefined;
  readonly traceparent: string | undefined;
  /** The caller waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean;
  /** The caller reads trailers (`TE: trailers`, RFC 9110 §10.1.4). */
  readonly takesTrailers: boolean;
  readonly hasBody: boolean;
  /** Bytes of a body sent with `Content-Length`; undefined: none or chunked. */
  readonly contentLength: number | undefined;
  /** Every field as Node gives it: flat name, value, … */
  readonly raw: readonly string[];
  /** End-to-end fields, flat: lower-case name, name as sent, value, … */
  readonly fields: readonly string[];
}

export interface HeadLimits {
  /** Header fields at most. */
  readonly headers: number;
}

type Specials = { -readonly [K in keyof RequestHead]?: RequestHead[K] | undefined };

const TRAILERS = /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i;

/** `uri-host [ ":" port ]` (RFC 9110 §7.2, RFC 3986 §3.2.2); no user, and nothing that could end an authority. */
const AUTHORITY = /^(?:\[[0-9a-f:.]+\]|(?:[a-z0-9._~!$&'()*+,;=-]|%[0-9a-f]{2})+)(?::\d{0,5})?$/i;

const NO_CONNECTION_OPTIONS: ReadonlySet<string> = new Set();

/**
 * Judges what Node's parser let through, on the raw field list and before any other work: version, number of fields,
 * Host, framing, Expect, and fields that may not be repeated. Throws REQUEST_INVALID, HEADERS_TOO_LARGE,
 * EXPECTATION_FAILED (RFC 9112 §§3.2, 6.1–6.3, RFC 9110 §10.1.1).
 */
export function judgeRequest(request: IncomingMessage, limits: HeadLimits): RequestHead {
  const raw = request.rawHeaders;
  if (request.httpVersionMajor !== 1 || request.httpVersionMinor > 1) {
    throw new ProxyError("REQUEST_INVALID", "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
  }
  if (raw.length > limits.headers * 2) {
    throw new ProxyError(
      "HEADERS_TOO_LARGE",
      `The request has ${raw.length / 2} header fields; limits.headers allows ${limits.headers}.`,
    );
  }

  const special: Specials = {};
  const fields: string[] = [];
  let connectionOptions = NO_CONNECTION_OPTIONS;
  let chunked = false;

  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    const value = raw[index + 1] as string;
    const lower = name.toLowerCase();
    switch (REQUEST_FIELDS.get(lower)) {
      case undefined:
        if (!isDroppedByName(lower)) fields.push(lower, name, value);
        break;
      case "drop":
        break;
      case "connection":
        connectionOptions = readConnection(value, connectionOptions);
        break;
      case "host":
        special.host = once("Host", special.host, value);
        break;
      case "content-length":
        special.contentLength = once("Content-Length", special.contentLength, readLength(value));
        break;
      case "transfer-encoding":
        if (chunked || value.toLowerCase() !== "chunked" || request.httpVersionMinor === 0) {
          throw new ProxyError(
            "REQUEST_INVALID",
            "Transfer-Encoding must be `chunked`, once, and in HTTP/1.1 only.",
          );
        }
        chunked = true;
        break;
      case "expect":
        if (special.expectsContinue === true || value.toLowerCase() !== "100-continue") {
          throw new ProxyError(
            "EXPECTATION_FAILED",
            "The only expectation known here is `100-continue`; leave the Expect field out.",
          );
        }
        special.expectsContinue = true;
        break;
      case "authorization":
        // Never forwarded, so a repeated one is no danger; it counts as an access token only when it is alone.
        special.authorization = special.authorization === undefined ? value : "";
        break;
      case "cookie": {
        const cookies = withoutSession(value);
        if (cookies !== value)
          special.ownCookies = special.ownCookies === undefined ? value : `${special.ownCookies};${value}`;
        if (cookies !== "") fields.push(lower, name, cookies);
        break;
      }
      case "origin":
        special.origin = once("Origin", special.origin, value);
        break;
      case "sec-fetch-site":
        special.secFetchSite = once("Sec-Fetch-Site", special.secFetchSite, value);
        fields.push(lower, name, value);
        break;
      case "sec-fetch-mode":
        special.secFetchMode = once("Sec-Fetch-Mode", special.secFetchMode, value);
        fields.push(lower, name, value);
        break;
      case "sec-fetch-dest":
        special.secFetchDest = once("Sec-Fetch-Dest", special.secFetchDest, value);
        fields.push(lower, name, value);
        break;
      case "access-control-request-method":
        special.preflightMethod = once("Access-Control-Request-Method", special.preflightMethod, value);
        break;
      case "access-control-request-headers":
        special.preflightHeaders =
          special.preflightHeaders === undefined ? value : `${special.preflightHeaders}, ${value}`;
        break;
      case "pillion-access":
        special.access = once("Pillion-Access", special.access, value);
        break;
      case "pillion-session":
        special.session = once("Pillion-Session", special.session, value);
        break;
      case "x-request-id":
        // Two of them identify nothing: an empty one is replaced.
        special.requestId = special.requestId === undefined ? value : "";
        break;
      case "traceparent":
        special.traceparent ??= value;
        fields.push(lower, name, value);
        break;
      case "te":
        if (TRAILERS.test(value)) special.takesTrailers = true;
        break;
    }
  }

  if (chunked && special.contentLength !== undefined) {
    throw new ProxyError("REQUEST_INVALID", "Content-Length and Transfer-Encoding exclude each other.");
  }
  if (special.host === undefined || special.host === "") {
    throw new ProxyError("REQUEST_INVALID", "The Host field is missing.");
  }
  if (!AUTHORITY.test(special.host)) {
    throw new ProxyError("REQUEST_INVALID", "The Host field is not a host with or without a port.");
  }
  const hasBody = chunked || (special.contentLength ?? 0) > 0;
  return {
    method: request.method ?? "",
    raw,
    host: special.host,
    origin: special.origin,
    secFetchSite: special.secFetchSite,
    secFetchMode: special.secFetchMode,
    secFetchDest: special.secFetchDest,
    preflightMethod: special.preflightMethod,
    preflightHeaders: special.preflightHeaders,
    authorization: special.authorization,
    access: special.access,
    session: special.session,
    ownCookies: special.ownCookies,
    requestId: special.requestId,
    traceparent: special.traceparent,
    // RFC 9110 §10.1.1: nothing to wait for without a body, and HTTP/1.0 knows no interim answers.
    expectsContinue: special.expectsContinue === true && hasBody && request.httpVersionMinor === 1,
    takesTrailers: special.takesTrailers ?? false,
    hasBody,
    contentLength: special.contentLength,
    fields: connectionOptions.size === 0 ? fields : withoutNamed(fields, connectionOptions),
  };
}

/** A caller's own request id is kept when it is short and harmless in a log line and in a header. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The caller's `X-Request-Id`; undefined: none, or none that is kept. */
export function ownRequestId({ requestId }: Pick<RequestHead, "requestId">): string | undefined {
  return requestId !== undefined && REQUEST_ID.test(requestId) ? requestId : undefined;
}

function once<T>(name: string, earlier: T | undefined, value: T): T {
  if (earlier !== undefined) throw new ProxyError("REQUEST_INVALID", `The ${name} field is repeated.`);
  return value;
}

function readLength(value: string): number {
  const length = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(length))
    throw new ProxyError("REQUEST_INVALID", "Content-Length is not a number of bytes.");
  return length;
}

/** Collects connection options (RFC 9110 §7.6.1), leaving out the two that name no field. */
function readConnection(value: string, earlier: ReadonlySet<string>): ReadonlySet<string> {
  const lower = value.toLowerCase();
  if (lower === "keep-alive" || lower === "close" || lower === "") return earlier;
  const options = new Set(earlier);
  for (const part of lower.split(",")) {
    const option = part.trim();
    if (option !== "" && option !== "close" && option !== "keep-alive") options.add(option);
  }
  return options;
}

function withoutNamed(fields: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let index = 0; index < fields.length; index += 3) {
    const lower = fields[index] as string;
    if (!names.has(lower)) kept.push(lower, fields[index + 1] as string, fields[index + 2] as string);
  }
  return kept;
}

import type { OutgoingHttpHeaders } from "node:http2";
import type { UpstreamDispatch } from "./upstream-pool.ts";

/** Asks the request for its headers. */
export function requestHeaders(options: UpstreamDispatch, authority: string): OutgoingHttpHeaders {
  const headers = joined(options.headers);
  headers[":authority"] = authority;
  headers[":method"] = options.method;
  headers[":path"] = options.path;
  headers[":scheme"] = "https";
  return headers;
}

/** Lower-case names (RFC 9113 §8.2); of what is repeated one field, Cookie as its own syntax has it (§8.2.3). */
export function joined(flat: readonly string[]): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = Object.create(null);
  for (let index = 0; index < flat.length; index += 2) {
    const name = (flat[index] as string).toLowerCase();
    const value = flat[index + 1] as string;
    const earlier = fields[name];
    fields[name] =
      earlier === undefined ? value : append(String(earlier), name === "cookie" ? ";" : ",", value);
  }
  return fields;
}

/** A field value must not end with a blank (RFC 9113 §8.2.1), which an empty member would leave there. */
function append(earlier: string, separator: string, value: string): string {
  return value === "" ? `${earlier}${separator}` : `${earlier}${separator} ${value}`;
}

export function statusOf(raw: readonly string[]): number {
  return Number(raw[raw.indexOf(":status") + 1]);
}

export function withoutPseudo(raw: readonly string[]): string[] {
  const fields: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    if (raw[index]?.startsWith(":") !== true) fields.push(raw[index] as string, raw[index + 1] as string);
  }
  return fields;
}

/** HTTP/1.1 frames in chunks what has no length; only then trailers can follow (RFC 9112 §7.1.2). */
export function framedAsHttp1(fields: string[]): string[] {
  for (let index = 0; index < fields.length; index += 2) {
    if (fields[index] === "content-length") return fields;
  }
  fields.push("transfer-encoding", "chunked");
  return fields;
}

import { rewriteJsonUrls, type UrlMapping } from "./json-urls.ts";

/** Longer bodies pass as they are. */
const MAX_BYTES = 1_048_576;

const JSON_TYPE = /^application\/json$|^[^/]+\/[^/]+\+json$/;
const UTF8 = /^"?utf-?8"?$/;

/** Digests of bytes that are no longer the same (RFC 9530; RFC 3230, RFC 1864), and parts that can no longer be had. */
const BYTE_BOUND: ReadonlySet<string> = new Set([
  "content-digest",
  "repr-digest",
  "digest",
  "content-md5",
  "accept-ranges",
]);

/** An answer in JSON, head and body, kept back until it is known what becomes of it. */
export class HeldJson {
  readonly status: number;
  readonly statusText: string | undefined;
  readonly headers: readonly string[];
  readonly chunks: Buffer[] = [];
  #bytes = 0;

  constructor(status: number, statusText: string | undefined, headers: readonly string[]) {
    this.status = status;
    this.statusText = statusText;
    this.headers = headers;
  }

  /** False: it has grown too long to be kept, and is to be let go as it is. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    this.chunks.push(chunk);
    return this.#bytes <= MAX_BYTES;
  }

  /** The answer as the caller gets it, its URLs leading back through the proxy. */
  rewrite(mapping: UrlMapping): { readonly headers: readonly string[]; readonly body: Buffer } {
    const body = Buffer.concat(this.chunks);
    const rewritten = rewriteJsonUrls(body, mapping);
    if (rewritten === undefined) return { headers: this.headers, body };
    return { headers: ofOtherBytes(this.headers, String(rewritten.length)), body: rewritten };
  }
}

/** What becomes of an answer on a route that rewrites URLs, by its head: only whole, plain JSON has URLs to rewrite. */
export function judgeJson(
  method: string,
  status: number,
  headers: readonly string[],
): "hold" | "head" | "pass" {
  if (status === 204 || status === 206 || status === 304) return "pass";
  let isJson = false;
  for (let index = 0; index < headers.length; index += 2) {
    const value = (headers[index + 1] as string).toLowerCase();
    switch ((headers[index] as string).toLowerCase()) {
      case "content-type":
        isJson = isUtf8Json(value);
        break;
      case "content-encoding":
        if (value !== "identity") return "pass";
        break;
      case "content-length":
        if (Number(value) > MAX_BYTES) return "pass";
        break;
      case "cache-control":
        // RFC 9110 §7.7.
        if (value.includes("no-transform")) return "pass";
        break;
    }
  }
  if (!isJson) return "pass";
  return method === "HEAD" ? "head" : "hold";
}

/** The fields of an answer to HEAD: how long the body of a GET would be is not known (RFC 9110 §8.6). */
export function ofUnknownBytes(headers: readonly string[]): string[] {
  return ofOtherBytes(headers, undefined);
}

function isUtf8Json(contentType: string): boolean {
  const [type = "", ...parameters] = contentType.split(";");
  if (!JSON_TYPE.test(type.trim())) return false;
  return parameters.every((parameter) => {
    const [name = "", value = ""] = parameter.split("=");
    return name.trim() !== "charset" || UTF8.test(value.trim());
  });
}

/** A weak ETag says that the meaning is the same and the bytes are not (RFC 9110 §8.8.1). */
function ofOtherBytes(headers: readonly string[], length: string | undefined): string[] {
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string;
    const value = headers[index + 1] as string;
    const lower = name.toLowerCase();
    if (BYTE_BOUND.has(lower)) continue;
    if (lower !== "content-length")
      kept.push(name, lower === "etag" && value.startsWith('"') ? `W/${value}` : value);
    else if (length !== undefined) kept.push(name, length);
  }
  return kept;
}

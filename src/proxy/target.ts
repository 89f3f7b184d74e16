import { ProxyError } from "../core/errors.ts";

/** A request target in origin form (RFC 9112 §3.2.1), judged and split; nothing in it is rewritten. */
export interface Target {
  /** The path as sent, byte for byte. */
  readonly path: string;
  /** The path with every percent-encoding undone once: what routes, `methods`, `allow` and `deny` judge. */
  readonly decodedPath: string;
  /** `?…` as sent, or "". */
  readonly query: string;
}

/** Whether it is one of the proxy's own, for logins and sessions, which never reach an upstream. */
export function isOwnPath({ decodedPath }: Target): boolean {
  return decodedPath.startsWith("/.pillion") && (decodedPath.length === 9 || decodedPath[9] === "/");
}

const HEX_PAIR = /^[0-9a-fA-F]{2}$/;

/** `.`, `/` and `\\` in more bytes than they need, which lenient UTF-8 decoders take for the real ones. */
const OVERLONG = /%(?:c0%a[ef]|c1%9c|e0%80%a[ef]|e0%81%9c|f0%80%80%a[ef]|f0%80%81%9c)/i;

function invalid(detail: string): ProxyError {
  return new ProxyError("TARGET_INVALID", detail);
}

/**
 * Judges a raw request target. What two parsers could read in two ways is refused, the rest passes unchanged.
 * Throws TARGET_INVALID for anything but origin form, `//` at the start, dot segments (plain or encoded), encoded
 * slashes and backslashes, `\`, `#`, control bytes, bytes outside ASCII, broken percent-encodings and overlong UTF-8.
 */
export function parseTarget(raw: string): Target {
  if (raw.charCodeAt(0) !== 0x2f /* / */) {
    throw invalid(
      "The request target must be a path that starts with `/`; absolute URLs, `*` and authorities are not served.",
    );
  }
  if (raw.charCodeAt(1) === 0x2f) throw invalid("The request target must not start with `//`.");

  let queryAt = raw.length;
  let encoded = false;
  let dots = false;
  for (let index = 0; index < raw.length; index++) {
    const code = raw.charCodeAt(index);
    if (code <= 0x20 || code >= 0x7f) {
      throw invalid(
        "The request target holds a control byte, a space or a byte outside ASCII; percent-encode it.",
      );
    }
    if (code === 0x23 /* # */)
      throw invalid("The request target holds a `#`; fragments are never sent to a server.");
    if (index >= queryAt) continue;
    if (code === 0x3f /* ? */) queryAt = index;
    else if (code === 0x25 /* % */) encoded = true;
    else if (code === 0x5c /* \ */) throw invalid("The path holds a backslash.");
    else if (code === 0x2e /* . */ && raw.charCodeAt(index - 1) === 0x2f) dots = true;
  }

  const path = queryAt === raw.length ? raw : raw.slice(0, queryAt);
  const decodedPath = encoded ? decode(path) : path;
  if ((dots || encoded) && hasDotSegment(decodedPath)) {
    throw invalid("The path has a `.` or `..` segment; send the path that is meant.");
  }
  return { path, decodedPath, query: queryAt === raw.length ? "" : raw.slice(queryAt) };
}

/** Undoes percent-encoding once. Refuses what changes a path's structure when it is decoded, and what is no encoding. */
function decode(path: string): string {
  if (OVERLONG.test(path))
    throw invalid("The path holds an overlong encoding of a dot, a slash or a backslash.");
  const bytes: number[] = [];
  for (let index = 0; index < path.length; index++) {
    const code = path.charCodeAt(index);
    if (code !== 0x25) {
      bytes.push(code);
      continue;
    }
    const pair = path.slice(index + 1, index + 3);
    if (!HEX_PAIR.test(pair))
      throw invalid("The path holds a `%` that is not followed by two hexadecimal digits.");
    const byte = Number.parseInt(pair, 16);
    if (byte === 0x2f || byte === 0x5c) throw invalid("The path holds an encoded slash or backslash.");
    if (byte < 0x20 || byte === 0x7f) throw invalid("The path holds an encoded control byte.");
    bytes.push(byte);
    index += 2;
  }
  return Buffer.from(bytes).toString("utf8");
}

/** True for `.` and `..` segments, also with a path parameter behind them (`..;x`), which some servers strip first. */
function hasDotSegment(path: string): boolean {
  let start = 1;
  while (start <= path.length) {
    let end = path.indexOf("/", start);
    if (end === -1) end = path.length;
    const parameter = path.indexOf(";", start);
    const length = (parameter === -1 || parameter > end ? end : parameter) - start;
    if (length === 1 && path.charCodeAt(start) === 0x2e) return true;
    if (length === 2 && path.charCodeAt(start) === 0x2e && path.charCodeAt(start + 1) === 0x2e) return true;
    start = end + 1;
  }
  return false;
}

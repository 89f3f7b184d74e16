import { isUtf8 } from "node:buffer";

/** Where absolute URLs of an upstream lead to instead. */
export interface UrlMapping {
  readonly upstream: URL;
  /** The upstream's own path, with a slash at its end. */
  readonly basePath: string;
  /** What takes the place of origin and base path, with a slash at its end. */
  readonly base: string;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * Puts another base before the absolute URLs of an upstream in a JSON text (RFC 8259). Only string values that are such
 * a URL as a whole are changed, names of members never; every other byte stays as it came. Pure; one pass.
 *
 * @returns undefined where nothing is to be changed, or the text is not JSON in UTF-8
 */
export function rewriteJsonUrls(json: Buffer, mapping: UrlMapping): Buffer | undefined {
  // One byte, one character: JSON's own signs are ASCII, and what lies between them is only copied.
  const text = json.toString("latin1");
  const matchers = prefixes(mapping);
  const originLengths = matchers.map((prefix) => prefix.indexOf("/", prefix.indexOf("//") + 2));
  const base = Buffer.from(JSON.stringify(mapping.base).slice(1, -1)).toString("latin1");
  let rewritten = "";
  let copiedTo = 0;
  for (let start = text.indexOf('"'); start !== -1; ) {
    const end = endOfString(text, start + 1);
    if (end === -1) return undefined;
    for (let index = 0; index < matchers.length; index++) {
      const rest = matchUrl(text, start + 1, end, matchers[index] as string, originLengths[index] as number);
      if (rest === -1 || isMemberName(text, end)) continue;
      rewritten += text.slice(copiedTo, start + 1) + base;
      copiedTo = rest;
      break;
    }
    start = text.indexOf('"', end + 1);
  }
  if (copiedTo === 0 || !isUtf8(json) || !isJson(text)) return undefined;
  return Buffer.from(rewritten + text.slice(copiedTo), "latin1");
}

/** Origin and base path, also with the port that goes without saying (RFC 9110 §4.2.3). */
function prefixes({ upstream, basePath }: UrlMapping): string[] {
  const { protocol, hostname, origin, port } = upstream;
  const forms = [origin + basePath];
  if (port === "") forms.push(`${protocol}//${hostname}:${protocol === "https:" ? 443 : 80}${basePath}`);
  return forms;
}

/** Where the string that begins at `from` is closed; -1: nowhere. */
function endOfString(text: string, from: number): number {
  for (let index = from; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) return index;
    if (code === BACKSLASH) index++;
  }
  return -1;
}

function isMemberName(text: string, end: number): boolean {
  let index = end + 1;
  while (" \t\r\n".includes(text.charAt(index)) && index < text.length) index++;
  return text.charCodeAt(index) === COLON;
}

/**
 * Where in the string from `start` to `end` the URL goes on behind `prefix`, escapes undone; -1: it is no such URL. The
 * slash at the prefix's end may be missing where the path ends there.
 */
function matchUrl(text: string, start: number, end: number, prefix: string, originLength: number): number {
  let at = start;
  for (let index = 0; index < prefix.length; index++) {
    const isLastSlash = index === prefix.length - 1;
    if (at >= end) return isLastSlash ? at : -1;
    const length = text.charCodeAt(at) === BACKSLASH ? escapeLength(text, at) : 1;
    const code = length === 1 ? text.charCodeAt(at) : unescaped(text, at, length);
    const wanted = prefix.charCodeAt(index);
    // Scheme and host have no case, a path has (RFC 3986 §6.2.2.1).
    if (code !== wanted && !(index < originLength && lowerCase(code) === wanted))
      return isLastSlash && (code === 0x3f || code === 0x23) ? at : -1;
    at += length;
  }
  return at;
}

function lowerCase(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
}

function escapeLength(text: string, at: number): number {
  return text.charAt(at + 1) === "u" ? 6 : 2;
}

/** The character of an escape, as far as it can stand in a URL. */
function unescaped(text: string, at: number, length: number): number {
  if (length === 2) return text.charAt(at + 1) === "/" ? 0x2f : -1;
  const digits = text.slice(at + 2, at + 6);
  return /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : -1;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

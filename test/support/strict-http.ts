/**
 * A second opinion on what requests a stream of bytes holds: RFC 9112 to the letter, with no leniency at all and no code
 * in common with the parsers that are judged by it.
 */

export interface StrictRequest {
  readonly method: string;
  /** Byte for byte. */
  readonly target: string;
  /** Flat name, value, …; as sent, without the blanks around values. */
  readonly headers: readonly string[];
  readonly framing: "none" | "length" | "chunked";
  readonly body: string;
  readonly trailers: readonly string[];
  /** False: the bytes end in the middle of the body. */
  readonly complete: boolean;
}

export type StrictResult =
  /** `length` bytes are read; of an incomplete request, all of them. */
  | { readonly kind: "request"; readonly request: StrictRequest; readonly length: number }
  /** Nothing wrong so far, but not even a head. `nothing`: not a byte. */
  | { readonly kind: "nothing" }
  | { readonly kind: "partial" }
  /** `request` is there where the head was good and its body is not. */
  | { readonly kind: "fault"; readonly what: string; readonly request?: StrictRequest };

export interface StrictOptions {
  /**
   * Bears what a server may: line breaks in front of a request, several blanks between the words of a request line, any
   * text for a chunk extension that it ignores (RFC 9112 §§2.2, 3, 7.1.1).
   */
  readonly asServer?: boolean;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([\\x21-\\x7e]+) HTTP/1\\.([01])$`);
const FIELD_LINE = new RegExp(`^(${TOKEN}):[ \\t]*([\\t\\x20-\\x7e\\x80-\\xff]*?)[ \\t]*$`);
const QUOTED = '"(?:[\\t\\x20\\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*"';
const EXTENSION = `[ \\t]*;[ \\t]*${TOKEN}(?:[ \\t]*=[ \\t]*(?:${TOKEN}|${QUOTED}))?`;
const CHUNK_LINE = new RegExp(`^([0-9a-fA-F]{1,16})(?:${EXTENSION})*$`);
const BORNE_CHUNK_LINE = /^([0-9a-fA-F]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/** Reads the first request of some bytes (latin1). */
export function readStrictly(bytes: string, options: StrictOptions = {}): StrictResult {
  let start = 0;
  if (options.asServer === true) while (/[\r\n]/.test(bytes.charAt(start))) start += 1;
  if (start === bytes.length) return { kind: "nothing" };
  const end = bytes.indexOf("\r\n\r\n", start);
  const text = bytes.slice(start, end === -1 ? bytes.length : end);
  const lines = text.split("\r\n");
  // What has come of the last line may still end in the first half of a line break.
  const last = end === -1 ? (lines.pop() ?? "") : "";
  if ([...lines, last.replace(/\r$/, "")].some((line) => /[\r\n]/.test(line)))
    return { kind: "fault", what: "a bare CR or LF" };
  if (end === -1) return { kind: "partial" };

  const [first = "", ...fieldLines] = lines;
  const line = REQUEST_LINE.exec(options.asServer === true ? first.replaceAll(/ +/g, " ") : first);
  if (line === null) return { kind: "fault", what: `request line ${JSON.stringify(first)}` };
  const [, method = "", target = "", minor] = line;
  const headers = readFields(fieldLines);
  if (typeof headers === "string") return { kind: "fault", what: headers };
  const framing = readFraming(headers, minor === "1");
  if (typeof framing === "string") return { kind: "fault", what: framing };

  const make = (body: string, complete: boolean, trailers: readonly string[] = []): StrictRequest => ({
    method,
    target,
    headers,
    framing: framing.kind,
    body,
    trailers,
    complete,
  });
  const bodyAt = end + 4;
  if (framing.kind === "chunked") return readChunks(bytes, bodyAt, make, options);
  const bodyEnd = bodyAt + framing.length;
  const complete = bytes.length >= bodyEnd;
  return {
    kind: "request",
    request: make(bytes.slice(bodyAt, bodyEnd), complete),
    length: Math.min(bytes.length, bodyEnd),
  };
}

function readFields(lines: readonly string[]): string[] | string {
  const fields: string[] = [];
  for (const line of lines) {
    const match = FIELD_LINE.exec(line);
    if (match === null) return `field line ${JSON.stringify(line)}`;
    fields.push(match[1] ?? "", match[2] ?? "");
  }
  return fields;
}

type Framing = { readonly kind: "none" | "length"; readonly length: number } | { readonly kind: "chunked" };

/** RFC 9112 §§3.2, 6.1–6.3. */
function readFraming(headers: readonly string[], isNew: boolean): Framing | string {
  const lengths = valuesOf(headers, "content-length");
  const codings = valuesOf(headers, "transfer-encoding");
  if (valuesOf(headers, "host").length !== 1) return "not one Host";
  if (lengths.length + codings.length > 1) return "more than one framing field";
  const [length] = lengths;
  const [coding] = codings;
  if (coding !== undefined)
    return coding.toLowerCase() === "chunked" && isNew ? { kind: "chunked" } : `coding ${coding}`;
  if (length === undefined) return { kind: "none", length: 0 };
  return /^\d{1,15}$/.test(length) ? { kind: "length", length: Number(length) } : `length ${length}`;
}

type Make = (body: string, complete: boolean, trailers?: readonly string[]) => StrictRequest;

/** RFC 9112 §7.1. */
function readChunks(bytes: string, start: number, make: Make, options: StrictOptions): StrictResult {
  const chunkLine = options.asServer === true ? BORNE_CHUNK_LINE : CHUNK_LINE;
  let body = "";
  let at = start;
  const incomplete = (): StrictResult => ({
    kind: "request",
    request: make(body, false),
    length: bytes.length,
  });
  const fault = (what: string): StrictResult => ({ kind: "fault", what, request: make(body, false) });
  const lineAt = (from: number): string | undefined => {
    const end = bytes.indexOf("\r\n", from);
    return end === -1 ? undefined : bytes.slice(from, end);
  };
  for (;;) {
    const line = lineAt(at);
    const seen = line ?? bytes.slice(at).replace(/\r$/, "");
    if (/[\r\n]/.test(seen)) return fault("a bare CR or LF in a chunk line");
    if (line === undefined) return incomplete();
    const match = chunkLine.exec(line);
    if (match === null) return fault(`chunk line ${JSON.stringify(line.slice(0, 80))}`);
    const size = Number.parseInt(match[1] ?? "", 16);
    at += line.length + 2;
    if (size === 0) break;
    body += bytes.slice(at, at + size);
    if (bytes.length < at + size + 2) return incomplete();
    if (!bytes.startsWith("\r\n", at + size)) return fault("a chunk longer than its size");
    at += size + 2;
  }
  const trailerLines: string[] = [];
  for (;;) {
    const line = lineAt(at);
    if (line === undefined) return incomplete();
    at += line.length + 2;
    if (line === "") break;
    trailerLines.push(line);
  }
  const trailers = readFields(trailerLines);
  if (typeof trailers === "string") return fault(trailers);
  return { kind: "request", request: make(body, true, trailers), length: at };
}

/** Every value of a field; the name in lower case. */
function valuesOf(headers: readonly string[], name: string): string[] {
  return headers.filter((_, at) => at % 2 === 1 && headers[at - 1]?.toLowerCase() === name);
}

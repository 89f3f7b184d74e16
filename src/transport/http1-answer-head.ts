import { headTooLarge, malformedAnswer } from "./answer-errors.ts";

/** `HTTP/1.x ` and three digits, a phrase perhaps (RFC 9112 §4). Other versions are none that this client asked for. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;

/** What may stand in a field value (RFC 9110 §5.5); line breaks were taken for lines before. */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/;

/** By character code: 1 for those of a field name (RFC 9110 §5.6.2). */
const TOKEN = tokenTable();

const CARRIAGE_RETURN = 0x0d;

function tokenTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of "!#$%&'*+-.^_`|~0123456789") table[character.charCodeAt(0)] = 1;
  for (let code = 0x41; code <= 0x5a; code += 1) {
    table[code] = 1;
    table[code + 0x20] = 1;
  }
  return table;
}

/**
 * Reads header or trailer fields, line by line as they come, and nothing that is not one: no bare line breaks, no
 * folded lines, no blanks before a colon, no control bytes (RFC 9112 §2.2, §5). Throws what `answer-errors.ts` makes.
 */
export class FieldReader {
  /** Flat name, value, …; latin1, as on the wire. */
  fields: string[] = [];
  /** As `STATUS_LINE` matched it. */
  statusLine: RegExpExecArray | undefined;
  /** The beginning of a line whose end has not come. */
  #rest = "";
  #bytes = 0;
  readonly #maxBytes: number;
  readonly #hasStatusLine: boolean;

  constructor(maxBytes: number, hasStatusLine: boolean) {
    this.#maxBytes = maxBytes;
    this.#hasStatusLine = hasStatusLine;
  }

  /** The place behind the empty line that ends the section; -1: all was read, and more has to come. */
  read(chunk: Buffer, from: number): number {
    const end = chunk.indexOf("\r\n\r\n", from, "latin1");
    // Behind a line that another chunk began, the section may end sooner; then less of the text is read.
    const to = end === -1 ? chunk.length : end + 4;
    const text = this.#rest + chunk.toString("latin1", from, to);
    const restLength = this.#rest.length;
    this.#rest = "";
    let at = 0;
    for (;;) {
      const lineFeed = text.indexOf("\n", at);
      if (lineFeed === -1) break;
      if (lineFeed === at || text.charCodeAt(lineFeed - 1) !== CARRIAGE_RETURN)
        throw malformedAnswer("a bare line feed");
      const lineEnd = lineFeed - 1;
      this.#count(lineFeed + 1 - at);
      if (lineEnd === at && (this.statusLine !== undefined || !this.#hasStatusLine))
        return from + lineFeed + 1 - restLength;
      this.#takeLine(text, at, lineEnd);
      at = lineFeed + 1;
    }
    this.#rest = at === 0 ? text : text.slice(at);
    this.#judgeRest();
    return -1;
  }

  /** For the next head on the same connection. */
  reset(): void {
    this.fields = [];
    this.statusLine = undefined;
    this.#rest = "";
    this.#bytes = 0;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#maxBytes) throw headTooLarge(this.#maxBytes);
  }

  /** What is no HTTP may never end its line. */
  #judgeRest(): void {
    const rest = this.#rest;
    if (this.#bytes + rest.length > this.#maxBytes) throw headTooLarge(this.#maxBytes);
    const bare = rest.indexOf("\r");
    if (bare !== -1 && bare !== rest.length - 1) throw malformedAnswer("a bare carriage return");
    if (
      this.#hasStatusLine &&
      this.statusLine === undefined &&
      !rest.startsWith("HTTP/1.".slice(0, rest.length))
    )
      throw malformedAnswer("no status line");
  }

  #takeLine(text: string, start: number, end: number): void {
    if (this.#hasStatusLine && this.statusLine === undefined) {
      this.statusLine = STATUS_LINE.exec(text.slice(start, end)) ?? undefined;
      if (this.statusLine === undefined) throw malformedAnswer("no status line");
      return;
    }
    const colon = text.indexOf(":", start);
    if (colon <= start || colon >= end) throw malformedAnswer("a line that is no field");
    for (let at = start; at < colon; at += 1)
      if (TOKEN[text.charCodeAt(at)] !== 1) throw malformedAnswer("a field name that is none");
    let from = colon + 1;
    let to = end;
    while (from < to && isBlank(text.charCodeAt(from))) from += 1;
    while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
    const value = text.slice(from, to);
    if (FORBIDDEN.test(value)) throw malformedAnswer("a field value with control bytes");
    this.fields.push(text.slice(start, colon), value);
  }
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** How an answer's body ends: not at all, for there is none; after `lengthBytes`; by its chunks; with the connection. */
export type BodyEnd = "none" | "length" | "chunks" | "close";

export interface AnswerHead {
  readonly status: number;
  readonly statusText: string;
  /** Flat name, value, …; latin1, as on the wire. */
  readonly fields: string[];
  readonly bodyEnd: BodyEnd;
  readonly lengthBytes: number;
  /** The connection may carry another request, as far as this head goes. */
  readonly mayStay: boolean;
  /** `Connection` and `Upgrade` say that the connection leaves HTTP (RFC 9110 §7.8). */
  readonly isSwitch: boolean;
  /** By `Keep-Alive: timeout=`; undefined: not said. */
  readonly keepAliveMs: number | undefined;
}

/** Lengths of the names that `judgeHead` looks for. */
const STEERING_SIZES: ReadonlySet<number> = new Set([7, 10, 14, 17]);

const SWITCHES = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i;

/** Judges a head that has come whole. Throws for framing that is ambiguous in any way (RFC 9112 §6.3). */
export function judgeHead(reader: FieldReader, method: string): AnswerHead {
  const [, minor = "", digits = "", statusText = ""] = reader.statusLine ?? [];
  const isHttp10 = minor === "0";
  const status = Number(digits);
  const { fields } = reader;
  let length: number | undefined;
  let isChunked = false;
  let connection = "";
  let namesProtocol = false;
  let keepAliveMs: number | undefined;
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] as string;
    // By their lengths first: most fields are none of these.
    if (!STEERING_SIZES.has(name.length)) continue;
    const value = fields[index + 1] as string;
    switch (name.toLowerCase()) {
      case "connection":
        connection = connection === "" ? value : `${connection},${value}`;
        break;
      case "upgrade":
        namesProtocol = true;
        break;
      case "keep-alive":
        keepAliveMs = keepAliveTimeoutMs(value);
        break;
      case "content-length":
        if (length !== undefined) throw malformedAnswer("Content-Length twice");
        length = parseLength(value);
        break;
      case "transfer-encoding":
        if (isChunked || isHttp10 || value.toLowerCase() !== "chunked")
          throw malformedAnswer("a Transfer-Encoding other than chunked");
        isChunked = true;
        break;
    }
  }
  if (isChunked && length !== undefined) throw malformedAnswer("Content-Length and Transfer-Encoding");
  const mayStay = staysOpen(connection, isHttp10);
  const isSwitch = namesProtocol && SWITCHES.test(connection);
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) {
    // What such an answer announces may follow all the same, in the way of the next one.
    const announces = isChunked || (length !== undefined && length > 0);
    // Another answer has to follow on the same connection (RFC 9110 §15.2).
    if (status < 200 && status !== 101 && (announces || !mayStay))
      throw malformedAnswer("an interim answer with a body, or that ends the connection");
    const stays = mayStay && method !== "HEAD" && !announces;
    return {
      status,
      statusText,
      fields,
      bodyEnd: "none",
      lengthBytes: 0,
      mayStay: stays,
      isSwitch,
      keepAliveMs,
    };
  }
  const bodyEnd = isChunked ? "chunks" : length === undefined ? "close" : length === 0 ? "none" : "length";
  return {
    status,
    statusText,
    fields,
    bodyEnd,
    lengthBytes: length ?? 0,
    mayStay: mayStay && bodyEnd !== "close",
    isSwitch,
    keepAliveMs,
  };
}

/** RFC 9112 §9.3: `close` goes before `keep-alive`, wherever each of them stands. */
function staysOpen(connection: string, isHttp10: boolean): boolean {
  if (connection === "") return !isHttp10;
  const options = connection.toLowerCase();
  if (options === "keep-alive") return true;
  const named = options.split(",").map((option) => option.trim());
  return !named.includes("close") && (!isHttp10 || named.includes("keep-alive"));
}

function parseLength(value: string): number {
  const length = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(length)) throw malformedAnswer("a Content-Length that is none");
  return length;
}

function keepAliveTimeoutMs(value: string): number | undefined {
  const seconds = /timeout=(\d{1,9})/i.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}

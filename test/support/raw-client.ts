/** A caller that writes bytes and reads answers, with nothing corrected on the way. */
import { connect, type Socket } from "node:net";

export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** Flat name, value, …, as sent. */
  readonly headers: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** The first value of a field; the name in lower case. */
  field(name: string): string | undefined;
}

export interface RawClient {
  readonly socket: Socket;
  /** Everything received and not yet taken as an answer, as latin1. */
  buffered(): string;
  send(text: string): void;
  /** The next whole answer, interim ones too. Rejects when the connection ends before it is whole. */
  answer(): Promise<Answer>;
  /** Resolves when the other side has ended or reset the connection. */
  closed(): Promise<void>;
}

/** Connects; `to` is a port on 127.0.0.1 or the path of a Unix socket. */
export async function connectRaw(to: number | string): Promise<RawClient> {
  const socket =
    typeof to === "number"
      ? connect({ port: to, host: "127.0.0.1", allowHalfOpen: true })
      : connect({ path: to, allowHalfOpen: true });
  let buffer = "";
  let ended = false;
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const check of [...waiting]) check();
  };
  const until = <T>(look: () => T | undefined, otherwise: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        try {
          const found = look();
          if (found === undefined && !ended) return;
          waiting.delete(check);
          resolve(found === undefined ? otherwise() : found);
        } catch (error) {
          waiting.delete(check);
          reject(error);
        }
      };
      waiting.add(check);
      check();
    });
  const end = (): void => {
    ended = true;
    wake();
  };
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    buffer += text;
    wake();
  });
  socket.on("end", end).on("close", end).on("error", end);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve).once("error", reject);
  });

  return {
    socket,
    buffered: () => buffer,
    send: (text) => void socket.write(text, "latin1"),
    answer: () =>
      until(
        () => {
          const parsed = parseAnswer(buffer, ended);
          if (parsed === undefined) return undefined;
          buffer = buffer.slice(parsed.length);
          return parsed.answer;
        },
        () => {
          throw new Error(`the connection ended in the middle of an answer: ${JSON.stringify(buffer)}`);
        },
      ),
    closed: () =>
      until(
        () => undefined,
        () => {},
      ),
  };
}

/** One request, its answer, and the end of the connection from this side. */
export async function roundTrip(to: number | string, request: string): Promise<Answer> {
  const client = await connectRaw(to);
  client.send(request);
  try {
    return await client.answer();
  } finally {
    client.socket.destroy();
  }
}

/** `GET /x` and fields → the bytes of a request; `Host: localhost` unless the fields have another. */
export function head(line: string, ...fields: readonly string[]): string {
  const host = fields.some((field) => /^host:/i.test(field)) ? [] : ["Host: localhost"];
  return [`${line} HTTP/1.1`, ...host, ...fields, "", ""].join("\r\n");
}

interface Parsed {
  readonly answer: Answer;
  readonly length: number;
}

function parseAnswer(text: string, ended: boolean): Parsed | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [statusLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const match = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(statusLine);
  if (match === null) throw new Error(`not a status line: ${JSON.stringify(statusLine)}`);
  const status = Number(match[1]);
  const headers = flat(lines);
  const start = headEnd + 4;
  const make = (body: string, length: number, trailers: readonly string[] = []): Parsed => ({
    answer: {
      status,
      reason: match[2] ?? "",
      headers,
      body,
      trailers,
      field: (name) => fieldOf(headers, name),
    },
    length,
  });
  if (status < 200 || status === 204 || status === 304) return make("", start);
  if (fieldOf(headers, "transfer-encoding") === "chunked") {
    const chunked = parseChunked(text, start);
    return chunked === undefined ? undefined : make(chunked.body, chunked.end, chunked.trailers);
  }
  const length = fieldOf(headers, "content-length");
  if (length === undefined) return ended ? make(text.slice(start), text.length) : undefined;
  const end = start + Number(length);
  return text.length < end ? undefined : make(text.slice(start, end), end);
}

function parseChunked(text: string, start: number) {
  let body = "";
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    at = lineEnd + 2;
    if (size === 0) {
      const end = text.startsWith("\r\n", at) ? at : text.indexOf("\r\n\r\n", at) + 2;
      if (end === 1) return text.startsWith("\r\n", at) ? { body, end: at + 2, trailers: [] } : undefined;
      const lines = end === at ? [] : text.slice(at, end - 2).split("\r\n");
      return { body, end: end + 2, trailers: flat(lines) };
    }
    if (text.length < at + size + 2) return undefined;
    body += text.slice(at, at + size);
    at += size + 2;
  }
}

function flat(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()];
  });
}

function fieldOf(headers: readonly string[], name: string): string | undefined {
  const index = headers.findIndex((field, at) => at % 2 === 0 && field.toLowerCase() === name);
  return index === -1 ? undefined : headers[index + 1];
}

/** Every value of a field in a flat list; the name in lower case. */
export function fieldValues(headers: readonly string[], name: string): string[] {
  return headers.filter((_, at) => at % 2 === 1 && headers[at - 1]?.toLowerCase() === name);
}

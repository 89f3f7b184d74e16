import type { IncomingMessage, ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";

/** One request, as the handlers see it. */
export interface Call {
  readonly request: IncomingMessage;
  readonly method: string;
  /** The request target exactly as it came. */
  readonly target: string;
  /** Path below the service's prefix, still encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Absolute address of the service by the request's `Host`, without a trailing slash; for links in answers. */
  readonly baseUrl: string;
}

/** What a handler answers; writing it is `send`'s job alone. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; left out, and with neither of the following: no body. */
  readonly json?: unknown;
  /** Sent as it is; `headers` name its type. */
  readonly text?: string;
  /** Writes the body itself, after the head; for streams. */
  readonly stream?: (response: ServerResponse) => void;
}

/** The connection is cut, or the request is never answered: what a fault asks for. */
export type Outcome = Answer | "refuse" | "hang";

/** The field's value when it was sent exactly once, else undefined: a doubled credential is none. */
export function soleHeader(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name];
  return values?.length === 1 ? values[0] : undefined;
}

/** Media type of the request's body, lower-case, without parameters; "" where none is given. */
export function mediaType(request: IncomingMessage): string {
  return (soleHeader(request, "content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/**
 * The whole body, or undefined where it exceeds `maxBytes`. A body too large is read to its end all the same, and
 * thrown away: to answer and close amid an upload is to reset the connection, and the caller may never see the answer.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= maxBytes) chunks.push(chunk);
  }
  return bytes <= maxBytes ? Buffer.concat(chunks) : undefined;
}

/** The body as a JSON object; undefined where it is anything else. */
export function parseJsonObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the answer: JSON or text with its length, compressed where the caller asks for gzip. */
export function send(call: Call, response: ServerResponse, answer: Answer): void {
  const headers: Record<string, string> = { ...answer.headers };
  if (answer.stream !== undefined) {
    response.writeHead(answer.status, headers);
    answer.stream(response);
    return;
  }
  let body: Buffer = Buffer.alloc(0);
  if (answer.json !== undefined || answer.text !== undefined) {
    if (answer.json !== undefined) headers["Content-Type"] ??= "application/json";
    body = Buffer.from(answer.text ?? JSON.stringify(answer.json));
    headers["Vary"] = "Accept-Encoding";
    if (acceptsGzip(call.request.headers["accept-encoding"])) {
      headers["Content-Encoding"] = "gzip";
      body = gzipSync(body);
    }
  }
  if (answer.status !== 204) headers["Content-Length"] = String(body.length);
  response.writeHead(answer.status, headers);
  response.end(body);
}

/** RFC 9110 §12.5.3, as far as gzip is concerned. */
export function acceptsGzip(acceptEncoding: string | string[] | undefined): boolean {
  const codings = String(acceptEncoding ?? "").split(",");
  return codings.some((coding) => /^\s*(?:x-)?gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$)[\d.]+\s*)?$/i.test(coding));
}

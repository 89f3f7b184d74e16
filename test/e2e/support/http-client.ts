import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly text: string;
  /** The body's JSON; undefined where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  readonly json: any;
}

export interface SendOptions {
  readonly method?: string;
  /** Host is the URL's unless it is given; a list is sent as repeated fields. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Framed by length, so that a GET may have one too. */
  readonly body?: string | Buffer;
  /** Without Content-Length, though the body has an end. */
  readonly chunked?: boolean;
  /** Default: a connection of its own, closed afterwards. */
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
}

/** Sends one request with its target byte for byte as written, which `fetch` does not. */
export function send(url: string, options: SendOptions = {}): Promise<Reply> {
  const origin = /^http:\/\/[^/]+/.exec(url)?.[0] ?? "";
  const { method = "GET", headers = {}, body, chunked = false, agent = false, signal } = options;
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(origin, {
      method,
      path: url.slice(origin.length) || "/",
      headers: { ...headers },
      agent,
      ...(signal === undefined ? {} : { signal }),
    });
    outgoing.on("error", reject);
    outgoing.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const whole = Buffer.concat(chunks);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          body: whole,
          text: whole.toString(),
          json: parseJson(whole.toString()),
        });
      });
    });
    if (chunked) outgoing.setHeader("Transfer-Encoding", "chunked");
    else if (body !== undefined) outgoing.setHeader("Content-Length", Buffer.byteLength(body));
    outgoing.end(body);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Writes bytes on a connection of their own and returns all that comes back until it is closed. */
export function exchangeRaw(origin: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes));
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(text));
  });
}

/** One connection that is kept, as clients with a pool have it. */
export function createKeptConnection(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 1 });
}

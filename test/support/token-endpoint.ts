import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";

/** A token request as it arrived. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly body: string;
  /** The certificate subject's common name that the client showed, if any. */
  readonly clientName: string | undefined;
}

/** What to do with one request. Headers and a body are sent with `status`; `act` is for all else. */
export type Answer =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Buffer;
      /** Held back until this resolves. */
      readonly after?: Promise<unknown>;
    }
  | { readonly act: (request: IncomingMessage, response: ServerResponse, socket: Socket) => void };

/** A token endpoint on loopback that does as it is told. */
export interface ScriptedTokenEndpoint {
  /** Its token URL. */
  readonly url: URL;
  /** All requests so far, in order. */
  readonly requests: readonly ReceivedRequest[];
  /** The number of TCP connections so far. */
  readonly connections: number;
  /** How the next requests are answered; the last one answers all that follow. Replaces what was said before. */
  answer(...answers: readonly [Answer | AnswerTo, ...(Answer | AnswerTo)[]]): void;
  /** Resolves once `count` requests have arrived in total. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

/** `count` counts all requests from 1. */
export type AnswerTo = (request: ReceivedRequest, count: number) => Answer;

/** A good answer; token values are `token-1`, `token-2`, … by default. */
export function granted(members: Readonly<Record<string, unknown>> = {}): AnswerTo {
  return (_request, count) => ({
    status: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      access_token: `token-${count}`,
      token_type: "Bearer",
      expires_in: 3_600,
      ...members,
    }),
  });
}

/** An RFC 6749 §5.2 error. */
export function refused(status: number, error: string, description?: string): Answer {
  return {
    status,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ error, ...(description === undefined ? {} : { error_description: description }) }),
  };
}

/** Takes the request and says nothing. */
export const silence: Answer = { act: () => {} };

/** Resets the connection. */
export const reset: Answer = { act: (_request, _response, socket) => void socket.resetAndDestroy() };

/** Sends the headers, then the body piece by piece, each when the promise resolves that `pace` gives. */
export function drip(pieces: Iterable<string>, pace: () => Promise<unknown>): Answer {
  return {
    act(_request, response) {
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      const run = async (): Promise<void> => {
        for (const piece of pieces) {
          await pace();
          if (response.destroyed) return;
          response.write(piece);
        }
        response.end();
      };
      run().catch(() => response.destroy());
    },
  };
}

/** Starts it on a free port; answers `granted()` until told otherwise. With `tls` it speaks https. */
export async function startTokenEndpoint(
  options: { readonly tls?: ServerOptions; readonly port?: number } = {},
): Promise<ScriptedTokenEndpoint> {
  const requests: ReceivedRequest[] = [];
  const sockets = new Set<Socket>();
  const waiting = new Set<() => void>();
  let connections = 0;
  let script: (Answer | AnswerTo)[] = [granted()];

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const socket = request.socket as Socket & { getPeerCertificate?(): { subject?: { CN?: string } } };
    const received: ReceivedRequest = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body: Buffer.concat(chunks).toString(),
      clientName: socket.getPeerCertificate?.().subject?.CN,
    };
    requests.push(received);
    const next = (script.length > 1 ? script.shift() : script[0]) ?? granted();
    const answer = typeof next === "function" ? next(received, requests.length) : next;
    for (const check of [...waiting]) check();
    if ("act" in answer) return answer.act(request, response, request.socket);
    await answer.after;
    if (response.destroyed) return;
    response.writeHead(answer.status, answer.headers);
    response.end(answer.body);
  };

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch(() => request.socket.destroy());
  };
  const server: Server =
    options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  server.on("connection", (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const scheme = options.tls === undefined ? "http" : "https";

  return {
    url: new URL(`${scheme}://127.0.0.1:${port}/oauth/token`),
    requests,
    get connections() {
      return connections;
    },
    answer(...answers) {
      script = [...answers];
    },
    received(count) {
      return new Promise((resolve) => {
        const check = (): void => {
          if (requests.length < count) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      });
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

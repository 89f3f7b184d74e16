import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** A request as it reached the upstream. */
export interface RecordedRequest {
  readonly method: string;
  /** Byte for byte. */
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** Tells connections apart. */
  readonly remotePort: number | undefined;
}

export type Respond = (request: RecordedRequest, response: ServerResponse) => void;

/** An upstream that records what comes in and answers as it is told. */
export interface Upstream extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly origin: string;
  readonly requests: readonly RecordedRequest[];
  /** The request that came last; throws when there was none. */
  last(): RecordedRequest;
  /** How the requests are answered that come from now on. */
  respond(how: Respond): void;
  /** Resolves once `count` requests have come in total. */
  received(count: number): Promise<void>;
  close(): Promise<void>;
}

/** 200 with a little JSON. */
export const answerOk: Respond = (_request, response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.end('{"ok":true}');
};

export async function startUpstream(initial: Respond = answerOk): Promise<Upstream> {
  const requests: RecordedRequest[] = [];
  const sockets = new Set<Socket>();
  const waiting = new Set<() => void>();
  let respond = initial;

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const recorded: RecordedRequest = {
      method: request.method ?? "",
      target: request.url ?? "",
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body: Buffer.concat(chunks),
      remotePort: request.socket.remotePort,
    };
    requests.push(recorded);
    for (const check of [...waiting]) check();
    respond(recorded, response);
  };
  const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
    handle(request, response).catch(() => request.socket.destroy());
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    origin: `http://127.0.0.1:${port}`,
    requests,
    last() {
      const request = requests.at(-1);
      if (request === undefined) throw new Error("no request has reached the upstream");
      return request;
    },
    respond(how) {
      respond = how;
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
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A gate that holds answers back until it is opened. */
export function createGate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

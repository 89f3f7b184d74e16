/** Upstreams for tests of the data plane: one that records what it is sent, one that answers with raw bytes. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer, type ServerOptions } from "node:https";
import { createServer as createRawServer, type Server as NetServer, type Socket } from "node:net";

export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  /** Flat name, value, … */
  readonly headers: readonly string[];
  readonly socket: Socket;
}

export interface Upstream extends AsyncDisposable {
  readonly origin: URL;
  readonly requests: readonly RecordedRequest[];
  /** Connections that are open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** Resolves when no connection is open. */
  idle(): Promise<void>;
}

/** An HTTP/1.1 upstream on a free port of 127.0.0.1; with `tls` it speaks TLS. */
export async function startUpstream(answer: RequestListener, tls?: ServerOptions): Promise<Upstream> {
  const requests: RecordedRequest[] = [];
  const listener: RequestListener = (request, response) => {
    const { method = "", url = "", rawHeaders, socket } = request;
    requests.push({ method, url, headers: rawHeaders, socket });
    answer(request, response);
  };
  const server =
    tls === undefined
      ? createServer({ keepAliveTimeout: 60_000 }, listener)
      : createSecureServer({ keepAliveTimeout: 60_000, ...tls }, listener);
  const watched = await listen(server, tls === undefined ? "http" : "https");
  return { ...watched, requests };
}

/** An upstream that hands over each connection and what comes on it; it answers nothing by itself. */
export function startRawUpstream(onData: (socket: Socket, text: string, connection: number) => void) {
  let connections = 0;
  const server = createRawServer((socket) => {
    connections += 1;
    const connection = connections;
    socket.on("error", () => {});
    socket.on("data", (bytes) => onData(socket, bytes.toString("latin1"), connection));
  });
  return listen(server, "http");
}

/** A port of 127.0.0.1 where nobody listens. */
export async function closedPort(): Promise<number> {
  const { origin, [Symbol.asyncDispose]: close } = await startRawUpstream(() => {});
  await close();
  return Number(origin.port);
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("latin1");
}

async function listen(server: Server | NetServer, scheme: string): Promise<Omit<Upstream, "requests">> {
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0) for (const resolve of waiting.splice(0)) resolve();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    origin: new URL(`${scheme}://127.0.0.1:${port}/`),
    sockets,
    idle: () =>
      sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => void waiting.push(resolve)),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** An HTTP/2 upstream on node:http2, by ALPN on TLS, that records what it is sent. */
import {
  createSecureServer,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";

export interface Http2Upstream extends AsyncDisposable {
  readonly origin: URL;
  /** The header list of every stream. */
  readonly requests: readonly IncomingHttpHeaders[];
  /** Every connection so far. */
  connections(): number;
  /** Sessions open now. */
  readonly sessions: ReadonlySet<ServerHttp2Session>;
}

export async function startHttp2Upstream(
  options: SecureServerOptions,
  answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  port = 0,
): Promise<Http2Upstream> {
  const requests: IncomingHttpHeaders[] = [];
  const sessions = new Set<ServerHttp2Session>();
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createSecureServer(options);
  server.on("secureConnection", () => connections++);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  server.on("sessionError", () => {});
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => {});
    requests.push(headers);
    answer(stream, headers);
  });
  await new Promise<void>((resolve) => void server.listen(port, "127.0.0.1", () => resolve()));
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : 0;
  return {
    origin: new URL(`https://127.0.0.1:${bound}/`),
    requests,
    sessions,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Limits, ListenAddress } from "../config/config.ts";
import { ProxyError } from "../core/errors.ts";

export interface HttpListenerOptions {
  readonly limits: Limits;
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** The bytes of the answer to what Node's parser refused, and to CONNECT. */
  refuse(error: ProxyError): string;
}

/** Where a request came in. */
export interface Locality {
  /** undefined for a Unix socket. */
  readonly port: number | undefined;
  /** The address of this end of the connection; undefined for a Unix socket. */
  readonly address: string | undefined;
}

/** An HTTP/1.1 listener with its limits, on TCP or a Unix socket. */
export interface HttpListener {
  /** Resolves with the real address as people write it; rejects with Node's error (EADDRINUSE, EACCES, …). */
  listen(address: ListenAddress): Promise<string>;
  locate(request: IncomingMessage): Locality;
  /** True when more connections are open than `limits.connections`. */
  isFull(): boolean;
  /** Stops accepting; kept connections get `Connection: close` with their next answer. Resolves when the last is gone. */
  close(): Promise<void>;
  /** Cuts what is left; how many connections that were in use. */
  destroy(): number;
}

/** Connections taken beyond the limit so that they can be told 503; more are dropped unanswered. */
const OVERFLOW_CONNECTIONS = 64;

export function createHttpListener(options: HttpListenerOptions): HttpListener {
  const { limits } = options;
  const sockets = new Set<Socket>();
  const answering = new Set<ServerResponse>();
  let draining = false;
  let unixPath: string | undefined;

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (draining) response.shouldKeepAlive = false;
    answering.add(response);
    response.on("close", () => answering.delete(response));
    options.handle(request, response);
  };
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headerTimeoutMs,
      // Bodies have their own idle limit: a large upload may take long, a silent one may not.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1_000, limits.headerTimeoutMs),
      keepAliveTimeout: 75_000,
      insecureHTTPParser: false,
      requireHostHeader: false,
      noDelay: true,
      highWaterMark: 65_536,
    },
    handle,
  );
  // Counted by us, refused with 431: Node would cut the list silently.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections + OVERFLOW_CONNECTIONS;
  server.timeout = 0;
  // Either would be answered by Node itself before any check of ours.
  server.on("checkContinue", handle);
  server.on("checkExpectation", handle);
  server.on("connect", (request: IncomingMessage, socket: Duplex) => {
    refuseRaw(
      socket,
      new ProxyError("METHOD_NOT_ALLOWED", "CONNECT is not served: this is no forward proxy.", {
        allow: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
      }),
      options,
    );
    request.destroy();
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (!socket.writable || error.code === "ECONNRESET") socket.destroy();
    else refuseRaw(socket, parserError(error, limits), options);
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });

  return {
    async listen(address) {
      await listening(server, address);
      if (address.kind === "unix") {
        unixPath = address.path;
        chmodSync(address.path, 0o600);
        return `unix:${address.path}`;
      }
      const bound = server.address();
      const port = typeof bound === "object" && bound !== null ? bound.port : address.port;
      return `${address.host.includes(":") ? `[${address.host}]` : address.host}:${port}`;
    },
    locate({ socket }) {
      return unixPath === undefined
        ? { port: socket.localPort, address: socket.localAddress?.replace(/^::ffff:/, "") }
        : { port: undefined, address: undefined };
    },
    isFull: () => sockets.size > limits.connections,
    close() {
      draining = true;
      return new Promise((resolve) => {
        for (const response of answering) if (!response.headersSent) response.shouldKeepAlive = false;
        server.close(() => resolve());
        server.closeIdleConnections();
        if (unixPath !== undefined) rmSync(unixPath, { force: true });
      });
    },
    destroy() {
      const cut = sockets.size;
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      return cut;
    },
  };
}

function listening(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const done = (): void => {
      server.off("error", reject);
      resolve();
    };
    if (address.kind === "unix") server.listen({ path: address.path }, done);
    else server.listen({ host: address.host, port: address.port, exclusive: true }, done);
  });
}

function parserError(error: NodeJS.ErrnoException, limits: Limits): ProxyError {
  if (error.code === "HPE_HEADER_OVERFLOW") {
    return new ProxyError(
      "HEADERS_TOO_LARGE",
      `The request's head is larger than limits.header_bytes (${limits.headerBytes} bytes).`,
    );
  }
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return new ProxyError(
      "REQUEST_INVALID",
      "The request's head did not arrive within limits.header_timeout.",
    );
  }
  return new ProxyError("REQUEST_INVALID", "The request is not valid HTTP/1.1.");
}

/** Answers on the bare socket and closes it: there is no request, or none that can be trusted. */
function refuseRaw(socket: Duplex, error: ProxyError, options: HttpListenerOptions): void {
  socket.end(options.refuse(error), () => socket.destroy());
}

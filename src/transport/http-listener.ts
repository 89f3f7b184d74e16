import { chmodSync, lstatSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Limits, ListenAddress } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import { DownstreamConnection, type Locality } from "./downstream-connection.ts";

export type { Locality } from "./downstream-connection.ts";

export interface HttpListenerOptions {
  readonly limits: Limits;
  readonly clock: Clock;
  /** `isHandshake`: the request asks for an upgrade, and after a 101 its socket is the caller's and ours alone. */
  handle(request: IncomingMessage, response: ServerResponse, isHandshake: boolean): void;
  /** Whether a request for an upgrade is a handshake, or an ordinary request. Left out: always the latter. */
  takesUpgrade?(request: IncomingMessage): boolean;
  /**
   * The bytes of the answer to what Node's parser refused, and to CONNECT; asked for when they are written.
   *
   * @param inPlaceOf the answer to a request whose handler was called and whose body is broken; it is closed without a
   *   head, and its `statusCode` is what the caller is told unless it was the caller that left
   */
  refuse(error: ProxyError, inPlaceOf?: ServerResponse): string;
}

/** An HTTP/1.1 listener with its limits, on TCP or a Unix socket. */
export interface HttpListener {
  /** Resolves with the real address as people write it; rejects with Node's error (EADDRINUSE, EACCES, …). */
  listen(address: ListenAddress): Promise<string>;
  /** Serves a connection that did not come by the address, such as one in memory. */
  accept(socket: Socket): void;
  locate(request: IncomingMessage): Locality;
  /** True for a request on a connection that was taken beyond `limits.connections`. */
  isOverLimit(request: IncomingMessage): boolean;
  /** True from `close()` on. */
  isClosing(): boolean;
  /** Stops accepting; kept connections get `Connection: close` with their next answer. Resolves when the last is gone. */
  close(): Promise<void>;
  /** Cuts what is left; how many connections had an answer under way. */
  destroy(): number;
}

/** `Allow` where nothing narrows it: the methods of HTTP itself, without those that no proxy of this kind takes. */
export const ANY_METHOD = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/** Connections taken beyond the limit so that they can be told 503; more are dropped unanswered. */
const OVERFLOW_CONNECTIONS = 64;

/**
 * A caller that takes nothing of its answer for so many times `limits.body_idle` is cut: its upstream socket must not be
 * held for ever. More than once, since a slow reader's receive window opens in steps of 64 KiB.
 */
const READER_PATIENCE = 5;

/** What Node's parser says of a body whose caller shut the connection in the midst of it. */
const CALLER_LEFT = "HPE_INVALID_EOF_STATE";

const NOWHERE: Locality = { port: undefined, address: undefined };

export function createHttpListener(options: HttpListenerOptions): HttpListener {
  const { limits, clock } = options;
  const connections = new Map<Duplex, DownstreamConnection>();
  /** Connections that have not brought a whole request yet, the oldest first. */
  const newcomers = new Set<Socket>();
  let unixPath: string | undefined;
  let closing = false;

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    newcomers.delete(request.socket);
    // Where its parser lets a PRI pass, Node destroys the connection with the answers owed on it. No spelling is served.
    if (request.method === "PRI") request.method = "pri";
    if (connections.get(request.socket)?.begin(response) === true) options.handle(request, response, false);
  };
  const takesUpgrade = (request: IncomingMessage): boolean => {
    const connection = connections.get(request.socket);
    // Behind a request that still waits for its answer an upgrade would jump the queue, so it is none there.
    if (options.takesUpgrade?.(request) === true && connection?.isInUse === false) return true;
    connection?.endWithNext();
    return false;
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
      // No stream events for requests without a body: nobody reads them.
      optimizeEmptyRequests: true,
      noDelay: true,
      highWaterMark: 16_384,
      shouldUpgradeCallback: takesUpgrade,
    },
    handle,
  );
  // Counted by us, refused with 431: Node would cut the list silently.
  server.maxHeadersCount = 0;
  server.maxConnections = limits.connections + OVERFLOW_CONNECTIONS;
  // Runs from the last byte that moved either way, so that a slow reader is none that stands still.
  server.timeout = READER_PATIENCE * limits.bodyIdleMs;
  server.on("timeout", (socket: Socket) => {
    const connection = connections.get(socket);
    // Without a byte to write it is the upstream that is silent, which has limits of its own.
    if (connection?.isInUse === true && socket.writableLength === 0) return;
    socket.destroy();
  });
  // Node would shut the connection when a caller shuts its sending side, though an answer may be owed;
  // DownstreamConnection tells such a caller from one that left.
  Object.assign(server, { httpAllowHalfOpen: true });
  // Either would be answered by Node itself before any check of ours.
  server.on("checkContinue", handle);
  server.on("checkExpectation", handle);
  server.on("connection", (socket: Socket) => {
    const isOverLimit = connections.size >= limits.connections && !cutLoiterer(newcomers);
    const connection = new DownstreamConnection(socket, clock, isOverLimit);
    connections.set(socket, connection);
    // Node keeps quiet about a body that is cut short, or broken, behind a head that asks for an upgrade.
    socket.on("end", () => {
      if (connection.isMidRequest) connection.refuse((broken) => options.refuse(invalidRequest(), broken));
    });
    newcomers.add(socket);
    socket.once("close", () => {
      connections.delete(socket);
      newcomers.delete(socket);
    });
  });
  // A connection that cannot be taken, for want of file descriptors, is no reason to end: there will be some again.
  server.on("error", () => {});
  server.on("upgrade", (request: IncomingMessage, _stream: Duplex, early: Buffer) => {
    const { socket } = request;
    newcomers.delete(socket);
    // Node has let go of it, with this too.
    socket.on("timeout", () => void server.emit("timeout", socket));
    const response = connections.get(socket)?.beginHandshake(request, early);
    if (response !== undefined) options.handle(request, response, true);
  });
  server.on("connect", ({ socket }: IncomingMessage) => {
    socket.on("error", () => {});
    socket.resume();
    connections.get(socket)?.refuse(() => options.refuse(connectRefused()));
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    const refusal = parserError(error, limits);
    // A connection that never said a word is closed without one, lest it be taken for the answer to a later request.
    const connection = refusal === undefined || isSilent(socket) ? undefined : connections.get(socket);
    if (connection === undefined || refusal === undefined) socket.destroy();
    else {
      connection.refuse((broken) => {
        if (broken !== undefined && error.code !== CALLER_LEFT) broken.statusCode = refusal.status;
        return options.refuse(refusal, broken);
      });
    }
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
    accept: (socket) => void server.emit("connection", socket),
    locate: ({ socket }) => connections.get(socket)?.locality ?? NOWHERE,
    isOverLimit: ({ socket }) => connections.get(socket)?.isOverLimit ?? false,
    isClosing: () => closing,
    close() {
      closing = true;
      return new Promise((resolve) => {
        // http.Server's own close() cuts kept connections at once, and with them a request that is on the wire.
        NetServer.prototype.close.call(server, () => {
          server.close(() => {});
          resolve();
        });
        for (const connection of connections.values()) connection.drain();
        if (unixPath !== undefined) rmSync(unixPath, { force: true });
      });
    },
    destroy() {
      let cut = 0;
      for (const [socket, connection] of connections) {
        if (connection.isInUse) cut++;
        socket.destroy();
      }
      return cut;
    },
  };
}

/**
 * Makes room at the limit: the oldest connection that began a head and did not end it is given up, since an honest head
 * comes in one piece. So a flood of slow heads drives out itself, not those who ask.
 */
function cutLoiterer(newcomers: Set<Socket>): boolean {
  for (const socket of newcomers) {
    if (socket.bytesRead === 0) continue;
    newcomers.delete(socket);
    socket.destroy();
    return true;
  }
  return false;
}

async function listening(server: Server, address: ListenAddress): Promise<void> {
  if (address.kind === "tcp") {
    await bind(server, { host: address.host, port: address.port, exclusive: true });
    return;
  }
  try {
    await bind(server, { path: address.path });
  } catch (error) {
    // A process that was killed leaves its socket file behind; one that still answers keeps it.
    if (!isInUse(error) || !lstatSync(address.path).isSocket() || (await isServed(address.path))) throw error;
    rmSync(address.path);
    await bind(server, { path: address.path });
  }
}

function bind(server: Server, options: Parameters<Server["listen"]>[0] & object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

/** False only where the path is a socket that nobody listens on. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
}

function connectRefused(): ProxyError {
  return new ProxyError("METHOD_NOT_ALLOWED", "CONNECT is not served: this is no forward proxy.", {
    allow: ANY_METHOD,
  });
}

function isSilent(socket: Duplex): boolean {
  return "bytesRead" in socket && socket.bytesRead === 0;
}

/** What the caller did wrong; undefined where the connection itself failed and nobody is left to be told. */
function parserError(error: NodeJS.ErrnoException, limits: Limits): ProxyError | undefined {
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
  if (error.code?.startsWith("HPE_") !== true) return undefined;
  return error.code === "HPE_INVALID_URL" ? invalidTarget() : invalidRequest();
}

/** In the words of the step that judges targets, which never sees this one. */
function invalidTarget(): ProxyError {
  return new ProxyError(
    "TARGET_INVALID",
    "The request target must be a path that starts with `/`, without control bytes and bytes outside ASCII; percent-encode them.",
  );
}

function invalidRequest(): ProxyError {
  return new ProxyError(
    "REQUEST_INVALID",
    "The request is not valid HTTP/1.1: its head or its framing is malformed. Mend the client that sends it.",
  );
}

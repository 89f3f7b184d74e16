/** An upstream that speaks WebSocket by hand, as far as tests need it: it echoes frames, or leaves the socket to the test. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createSecureServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";

/** The nonce of RFC 6455 §1.3. */
export const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** The fields of a client's handshake (RFC 6455 §4.1). */
export const HANDSHAKE: readonly string[] = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  `Sec-WebSocket-Key: ${KEY}`,
  "Sec-WebSocket-Version: 13",
];

export interface Handshake {
  readonly url: string;
  /** Flat name, value, … */
  readonly headers: readonly string[];
  readonly socket: Socket;
}

export interface WebSocketUpstream extends AsyncDisposable {
  readonly origin: URL;
  /** Requests for an upgrade, in the order they came. */
  readonly handshakes: readonly Handshake[];
  /** Connections that are open now. */
  readonly sockets: ReadonlySet<Socket>;
}

export interface WebSocketUpstreamOptions {
  /** What becomes of a handshake. Default: 101, then every frame is echoed. */
  readonly onHandshake?: (socket: Socket, request: IncomingMessage, early: Buffer) => void;
  /** Ordinary requests. Default: 426. */
  readonly onRequest?: RequestListener;
  /** With it the upstream speaks TLS. */
  readonly tls?: ServerOptions;
}

export async function startWebSocketUpstream(
  options: WebSocketUpstreamOptions = {},
): Promise<WebSocketUpstream> {
  const { onHandshake = echo, onRequest = upgradeRequired, tls } = options;
  const handshakes: Handshake[] = [];
  const sockets = new Set<Socket>();
  const server =
    tls === undefined
      ? createServer({ keepAliveTimeout: 60_000 }, onRequest)
      : createSecureServer({ keepAliveTimeout: 60_000, ...tls }, onRequest);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (request: IncomingMessage, _stream: Duplex, early: Buffer) => {
    const { socket, url = "", rawHeaders } = request;
    socket.on("error", () => {});
    handshakes.push({ url, headers: rawHeaders, socket });
    onHandshake(socket, request, early);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  return {
    origin: new URL(`${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/`),
    handshakes,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

/** The 101 that answers a handshake (RFC 6455 §4.2.2). */
export function switching(request: IncomingMessage, ...fields: readonly string[]): string {
  return [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${acceptFor(request.headers["sec-websocket-key"] ?? "")}`,
    ...fields,
    "",
    "",
  ].join("\r\n");
}

export function acceptFor(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

/** An unmasked text frame of less than 126 bytes (RFC 6455 §5.2). */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, payload.length]), payload]);
}

function upgradeRequired(_request: IncomingMessage, response: Parameters<RequestListener>[1]): void {
  response.writeHead(426, { upgrade: "websocket", connection: "upgrade" }).end("upgrade");
}

const CLOSE = 0x8;

/** Accepts, and sends every frame back without its mask; a close frame is answered and ends the connection. */
export function echo(socket: Socket, request: IncomingMessage, early: Buffer): void {
  socket.write(switching(request));
  let buffered = early;
  const onBytes = (): void => {
    for (;;) {
      const frame = parseFrame(buffered);
      if (frame === undefined) return;
      buffered = buffered.subarray(frame.length);
      socket.write(frame.unmasked);
      if (frame.opcode === CLOSE) socket.end();
    }
  };
  socket.on("data", (bytes: Buffer) => {
    buffered = Buffer.concat([buffered, bytes]);
    onBytes();
  });
  socket.on("end", () => socket.end());
  onBytes();
}

interface Frame {
  readonly opcode: number;
  readonly length: number;
  readonly unmasked: Buffer;
}

function parseFrame(bytes: Buffer): Frame | undefined {
  if (bytes.length < 2) return undefined;
  const short = bytes.readUInt8(1) & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  if (bytes.length < 2 + extended) return undefined;
  const size =
    extended === 0 ? short : Number(bytes.readUIntBE(extended === 2 ? 2 : 4, extended === 2 ? 2 : 6));
  const maskAt = 2 + extended;
  const payloadAt = maskAt + 4;
  if (bytes.length < payloadAt + size) return undefined;
  const head = Buffer.from(bytes.subarray(0, maskAt));
  head.writeUInt8(short, 1);
  const payload = Buffer.from(bytes.subarray(payloadAt, payloadAt + size));
  for (let index = 0; index < size; index++) {
    payload.writeUInt8(payload.readUInt8(index) ^ bytes.readUInt8(maskAt + (index % 4)), index);
  }
  return {
    opcode: bytes.readUInt8(0) & 0x0f,
    length: payloadAt + size,
    unmasked: Buffer.concat([head, payload]),
  };
}

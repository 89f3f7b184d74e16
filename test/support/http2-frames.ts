/** An HTTP/2 server that sends exactly the frames a test writes (RFC 9113 §4.1), to see what a broken one does. */
import { createServer, type TLSSocket } from "node:tls";

export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;
/** Error codes (RFC 9113 §7). */
export const CODE = { none: 0, protocol: 1, internal: 2, refused: 7, cancel: 8 } as const;

/** `:status: 200`, indexed in HPACK's static table (RFC 7541 appendix A). */
export const STATUS_200 = Buffer.from([0x88]);

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

export interface FrameConnection {
  readonly socket: TLSSocket;
  /** How many connections there were before this one. */
  readonly index: number;
  send(type: number, flags: number, streamId: number, payload?: Buffer): void;
}

export interface FrameServer extends AsyncDisposable {
  readonly origin: URL;
  readonly frames: readonly Frame[];
  connections(): number;
}

const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;

export interface FrameServerOptions {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Payload of the first SETTINGS frame. */
  readonly settings?: Buffer;
  onFrame(frame: Frame, connection: FrameConnection): void;
}

export async function startFrameServer(options: FrameServerOptions): Promise<FrameServer> {
  const frames: Frame[] = [];
  const sockets = new Set<TLSSocket>();
  let connections = 0;
  const server = createServer({ cert: options.cert, key: options.key, ALPNProtocols: ["h2"] }, (socket) => {
    const connection: FrameConnection = {
      socket,
      index: connections++,
      send(type, flags, streamId, payload = Buffer.alloc(0)) {
        const head = Buffer.alloc(HEAD_BYTES);
        head.writeUIntBE(payload.length, 0, 3);
        head.writeUInt8(type, 3);
        head.writeUInt8(flags, 4);
        head.writeUInt32BE(streamId, 5);
        if (socket.writable) socket.write(Buffer.concat([head, payload]));
      },
    };
    sockets.add(socket);
    // A head and its data are two writes, which Nagle's algorithm would part by a delayed acknowledgement.
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    connection.send(FRAME.settings, 0, 0, options.settings);
    let buffer = Buffer.alloc(0);
    let prefaced = false;
    socket.on("data", (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk]);
      if (!prefaced && buffer.length >= PREFACE_BYTES) {
        prefaced = true;
        buffer = buffer.subarray(PREFACE_BYTES);
      }
      while (prefaced && buffer.length >= HEAD_BYTES) {
        const length = buffer.readUIntBE(0, 3);
        if (buffer.length < HEAD_BYTES + length) return;
        const frame: Frame = {
          type: buffer.readUInt8(3),
          flags: buffer.readUInt8(4),
          streamId: buffer.readUInt32BE(5) & 0x7fff_ffff,
          payload: buffer.subarray(HEAD_BYTES, HEAD_BYTES + length),
        };
        buffer = buffer.subarray(HEAD_BYTES + length);
        frames.push(frame);
        if (frame.type === FRAME.settings && (frame.flags & FLAG.ack) === 0)
          connection.send(FRAME.settings, FLAG.ack, 0);
        options.onFrame(frame, connection);
      }
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    origin: new URL(`https://127.0.0.1:${port}/`),
    frames,
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

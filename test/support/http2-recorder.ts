/** The recorder of `recorder.ts` over HTTP/2 on TLS: reads every frame strictly, and notices each that is too many. */
import { encodeFields } from "./hpack.ts";
import { FLAG, FRAME, type FrameConnection, startFrameServer } from "./http2-frames.ts";
import { answerOk, type RecordedMessage, type Recorder, type Respond } from "./recorder.ts";
import { createHttp2Reader, type Http2Reader } from "./strict-http2.ts";

const MAX_DATA_BYTES = 16_384;

interface Peer {
  readonly reader: Http2Reader;
  /** By stream, as last recorded. */
  readonly messages: Map<number, RecordedMessage>;
}

/** Its `respond` and `onHead` give the answers as HTTP/1.1 would have them. */
export async function startHttp2Recorder(pem: {
  readonly cert: Buffer;
  readonly key: Buffer;
}): Promise<Recorder> {
  const messages: RecordedMessage[] = [];
  const faults: string[] = [];
  const peers = new WeakMap<FrameConnection, Peer>();
  let respond: Respond = answerOk;
  let respondToHead: Respond = () => undefined;

  const server = await startFrameServer({
    ...pem,
    onFrame(frame, connection) {
      const peer = peers.get(connection) ?? { reader: createHttp2Reader(), messages: new Map() };
      peers.set(connection, peer);
      if (frame.type === FRAME.ping && (frame.flags & FLAG.ack) === 0)
        connection.send(FRAME.ping, FLAG.ack, 0, frame.payload);
      try {
        const request = peer.reader.read(frame);
        if (request === undefined || frame.type === FRAME.reset) return;
        if (frame.type === FRAME.data)
          giveBack(connection, frame.streamId, frame.payload.length, request.complete);
        const { streamId, ...rest } = request;
        const message: RecordedMessage = { ...rest, connection: connection.index + 1 };
        const open = peer.messages.get(streamId);
        peer.messages.set(streamId, message);
        const at = open === undefined ? -1 : messages.indexOf(open);
        messages[at === -1 ? messages.length : at] = message;
        const how = message.complete ? respond : open === undefined ? respondToHead : undefined;
        const text = how?.(message, connection.socket);
        if (typeof text === "string") answer(connection, streamId, text);
        else void text?.then((later) => answer(connection, streamId, later));
      } catch (error) {
        faults.push(`connection ${connection.index + 1}: ${(error as Error).message}`);
        connection.socket.destroy();
      }
    },
  });

  return {
    origin: server.origin.href,
    messages,
    faults,
    get connections() {
      return server.connections();
    },
    respond(how) {
      respond = how ?? answerOk;
    },
    onHead(how) {
      respondToHead = how ?? (() => undefined);
    },
    forget() {
      messages.length = 0;
      faults.length = 0;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** What is read makes room for as much again (RFC 9113 §5.2). */
function giveBack(connection: FrameConnection, streamId: number, bytes: number, isOver: boolean): void {
  if (bytes === 0) return;
  const increment = Buffer.alloc(4);
  increment.writeUInt32BE(bytes);
  connection.send(FRAME.windowUpdate, 0, 0, increment);
  if (!isOver) connection.send(FRAME.windowUpdate, 0, streamId, increment);
}

function answer(connection: FrameConnection, streamId: number, text: string): void {
  const headEnd = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const body = Buffer.from(text.slice(headEnd + 4), "latin1");
  const block = encodeFields([[":status", statusLine.split(" ")[1] ?? ""], ...fields]);
  connection.send(FRAME.headers, FLAG.endHeaders | (body.length === 0 ? FLAG.endStream : 0), streamId, block);
  for (let at = 0; at < body.length; at += MAX_DATA_BYTES) {
    const piece = body.subarray(at, at + MAX_DATA_BYTES);
    const isLast = at + MAX_DATA_BYTES >= body.length;
    connection.send(FRAME.data, isLast ? FLAG.endStream : 0, streamId, piece);
  }
}

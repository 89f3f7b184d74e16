/** An upstream on a bare socket that reads strictly, writes down everything, and notices each byte that is too many. */
import { createServer, type Socket } from "node:net";
import { readStrictly, type StrictRequest } from "./strict-http.ts";

export interface RecordedMessage extends StrictRequest {
  /** Counted from 1. */
  readonly connection: number;
}

/** The bytes of the answer to a message, at once or in their time; undefined: none. It may write to the socket itself. */
export type Respond = (message: RecordedMessage, socket: Socket) => string | Promise<string> | undefined;

export interface Recorder extends AsyncDisposable {
  /** With a slash at its end. */
  readonly origin: string;
  /** In the order in which their heads came; also those that never became complete. */
  readonly messages: readonly RecordedMessage[];
  /** Bytes that belong to no well-formed message. */
  readonly faults: readonly string[];
  /** Connections that were ever made. */
  readonly connections: number;
  /** How complete messages are answered from now on; undefined: with `answerOk`. */
  respond(how: Respond | undefined): void;
  /** What is done when the head of a message with a body is there; undefined: nothing. */
  onHead(how: Respond | undefined): void;
  /** Empties both lists; a message that is on its way is still noticed when it goes on. */
  forget(): void;
}

export const answerOk: Respond = ({ method }) =>
  `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n${method === "HEAD" ? "" : "ok"}`;

export async function startRecorder(): Promise<Recorder> {
  const messages: RecordedMessage[] = [];
  const faults: string[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  let respond: Respond = answerOk;
  let respondToHead: Respond = () => undefined;

  const server = createServer((socket) => {
    connections += 1;
    const connection = connections;
    let buffer = "";
    /** The message that is coming, as far as it is there. */
    let open: RecordedMessage | undefined;
    sockets.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (open === undefined && buffer !== "")
        faults.push(`connection ${connection}: ${JSON.stringify(buffer)}`);
    });
    socket.on("error", () => {});
    const send = (answer: string | Promise<string>): void => {
      if (typeof answer === "string") socket.write(answer, "latin1");
      else void answer.then(send);
    };
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      buffer += text;
      for (;;) {
        const result = readStrictly(buffer);
        if (result.kind === "nothing" || result.kind === "partial") return;
        if (result.kind === "fault") {
          faults.push(`connection ${connection}: ${result.what}`);
          buffer = "";
          socket.destroy();
          return;
        }
        const message: RecordedMessage = { ...result.request, connection };
        const isNew = open === undefined;
        const at = open === undefined ? -1 : messages.indexOf(open);
        messages[at === -1 ? messages.length : at] = message;
        if (!message.complete) {
          open = message;
          const early = isNew ? respondToHead(message, socket) : undefined;
          if (early !== undefined) send(early);
          return;
        }
        open = undefined;
        buffer = buffer.slice(result.length);
        const answer = respond(message, socket);
        if (answer !== undefined) send(answer);
      }
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;

  return {
    origin: `http://127.0.0.1:${port}/`,
    messages,
    faults,
    get connections() {
      return connections;
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
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

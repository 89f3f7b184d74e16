import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { answerStalled, malformedAnswer, noAnswerInTime } from "./answer-errors.ts";
import { type AnswerHead, FieldReader, judgeHead } from "./http1-answer-head.ts";
import { ChunkReader } from "./http1-chunks.ts";
import { type RequestHeadText, writeRequestHead } from "./http1-request-head.ts";
import type { TrailerSlot } from "./request-trailers.ts";
import type { UpstreamDispatch } from "./upstream-pool.ts";

type Handler = Dispatcher.DispatchHandler;

export interface CallOptions {
  /** As `Host` names the upstream. */
  readonly host: string;
  readonly maxHeaderBytes: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly trailers: TrailerSlot;
}

/** What a call tells the connection that carries it. */
export interface CallCarrier {
  readonly socket: Socket;
  /** The answer is whole. `keepAliveMs`: how long its sender keeps the connection, where it said so. */
  onWhole(mayStay: boolean, keepAliveMs: number | undefined): void;
  /** Nothing further may be read from the connection or written to it. */
  onBroken(): void;
  /** The socket has left HTTP: nothing of it is the connection's any more. */
  onSwitched(): void;
}

/** A held rest of which this share or less is in use does not keep the block alive that it lies in. */
const WORTH_KEEPING = 4;

/**
 * One request and its answer on a connection over HTTP/1.1, told to a handler as undici tells its own. Where
 * it is paused, what was read already stays here, and the socket is not read.
 */
export class Http1Call implements Dispatcher.DispatchController {
  rawHeaders: string[] = [];
  rawTrailers: string[] = [];
  aborted = false;
  paused = false;
  reason: Error | null = null;
  readonly #request: UpstreamDispatch;
  readonly #handler: Handler;
  readonly #carrier: CallCarrier;
  readonly #options: CallOptions;
  readonly #reader: FieldReader;
  #body: Readable | undefined;
  /** Goes out with the first of the body. */
  #unsentHead: string | undefined;
  #lengthBytes: number | undefined;
  #sentBytes = 0;
  #isSent = false;
  #isBegun = false;
  #head: AnswerHead | undefined;
  #restBytes = 0;
  #chunks: ChunkReader | undefined;
  #unread: Buffer | undefined;
  #isReading = false;
  #isOver = false;

  constructor(request: UpstreamDispatch, handler: Handler, carrier: CallCarrier, options: CallOptions) {
    this.#request = request;
    this.#handler = handler;
    this.#carrier = carrier;
    this.#options = options;
    this.#reader = new FieldReader(options.maxHeaderBytes, true);
  }

  /** Sends the request. False: nobody wants it any more, or it cannot be sent; the connection is as it was. */
  start(): boolean {
    const { body } = this.#request;
    const stream = body instanceof Readable ? body : undefined;
    const bytes = body instanceof Uint8Array ? body : undefined;
    let head: RequestHeadText;
    try {
      const framing = stream === undefined ? (bytes ?? "none") : "stream";
      head = writeRequestHead(this.#request, this.#options.host, framing);
    } catch (error) {
      this.#isOver = true;
      // No controller: it has not begun.
      this.#handler.onResponseError?.(undefined as unknown as Dispatcher.DispatchController, error as Error);
      return false;
    }
    try {
      // Behind the head that was made, as it is judged here whether that may go.
      this.#handler.onRequestStart?.(this, null);
    } catch {
      this.#isOver = true;
      return false;
    }
    this.#lengthBytes = head.lengthBytes;
    if (stream === undefined) this.#sendWhole(head.text, bytes);
    else this.#sendStream(head.text, stream);
    return true;
  }

  pause(): void {
    this.paused = true;
    if (!this.#isOver) this.#carrier.socket.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.#isOver || this.#isReading) return;
    const unread = this.#unread;
    this.#unread = undefined;
    if (unread !== undefined) this.receive(unread);
    if (!this.paused && !this.#isOver) this.#carrier.socket.resume();
  }

  /** Of no effect once it is over. */
  abort(reason: Error): void {
    if (this.aborted || this.#isOver) return;
    this.aborted = true;
    this.reason = reason;
    this.fail(reason);
  }

  fail(error: Error): void {
    if (this.#isOver) return;
    this.#end();
    this.#carrier.onBroken();
    this.#handler.onResponseError?.(this, error);
  }

  /** The upstream takes bytes again. */
  onDrain(): void {
    if (!this.#isSent && !this.#isOver) this.#body?.resume();
  }

  /** The upstream has sent its last byte. True: that is how its answer ends. */
  onEnd(): boolean {
    if (this.#head?.bodyEnd !== "close" || this.#isOver) return false;
    this.#complete(false);
    return true;
  }

  /** How long silence may last now; undefined: for ever, as it is not the upstream that is silent. */
  get patienceMs(): number | undefined {
    if (this.paused) return undefined;
    if (this.#head !== undefined) return this.#options.idleTimeoutMs;
    // It is the caller that is slow, and that has a limit of its own.
    return this.#isSent || this.#carrier.socket.writableNeedDrain
      ? this.#options.headersTimeoutMs
      : undefined;
  }

  onSilence(): void {
    this.abort(this.#head === undefined ? noAnswerInTime() : answerStalled());
  }

  receive(bytes: Buffer): void {
    if (this.#unread !== undefined) {
      this.#unread = Buffer.concat([this.#unread, bytes]);
      return;
    }
    this.#isReading = true;
    try {
      if (!this.#isBegun) {
        this.#isBegun = true;
        this.#handler.onResponseStarted?.();
      }
      this.#read(bytes);
    } catch (error) {
      // What a handler throws ends its request, as it does in undici.
      this.abort(error as Error);
    }
    this.#isReading = false;
  }

  #read(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && !this.#isOver) {
      if (this.paused) {
        const rest = bytes.subarray(at);
        this.#unread = rest.length * WORTH_KEEPING < rest.buffer.byteLength ? Buffer.from(rest) : rest;
        return;
      }
      if (this.#head !== undefined) at = this.#readBody(this.#head, bytes, at);
      else {
        at = this.#reader.read(bytes, at);
        if (at === -1) return;
        this.#takeHead(bytes, at);
      }
    }
  }

  #takeHead(bytes: Buffer, at: number): void {
    const head = judgeHead(this.#reader, this.#request.method);
    this.rawHeaders = head.fields;
    if (head.status < 200) {
      this.#reader.reset();
      // Nobody is told of a 100: one that was asked for, the proxy has given already (RFC 9110 §15.2.1).
      if (head.status === 101 && head.isSwitch && this.#request.upgrade) this.#switch(bytes.subarray(at));
      else if (head.status !== 100) this.#handler.onResponseStart?.(this, head.status, {}, head.statusText);
      if (head.status === 101 && !this.#isOver) throw malformedAnswer("a 101 to what nobody asked for");
      return;
    }
    this.#head = head;
    this.#restBytes = head.lengthBytes;
    if (head.bodyEnd === "chunks") this.#chunks = new ChunkReader(this.#options.maxHeaderBytes);
    this.#handler.onResponseStart?.(this, head.status, {}, head.statusText);
    if (head.bodyEnd === "none" && !this.#isOver) this.#complete(at < bytes.length);
  }

  /** Returns how far it came. */
  #readBody({ bodyEnd }: AnswerHead, bytes: Buffer, at: number): number {
    if (this.#chunks !== undefined) {
      const end = this.#chunks.next(bytes, at);
      const { piece } = this.#chunks;
      if (piece !== undefined) this.#handler.onResponseData?.(this, piece);
      if (this.#chunks.isDone && !this.#isOver) {
        this.rawTrailers = this.#chunks.trailers;
        this.#complete(end < bytes.length);
      }
      return end;
    }
    const restBytes = bodyEnd === "close" ? bytes.length : this.#restBytes;
    const end = Math.min(bytes.length, at + restBytes);
    if (bodyEnd === "length") this.#restBytes -= end - at;
    this.#handler.onResponseData?.(this, at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    if (bodyEnd === "length" && this.#restBytes === 0 && !this.#isOver) this.#complete(end < bytes.length);
    return end;
  }

  /** `isStray`: bytes came behind the answer that nobody asked for. */
  #complete(isStray: boolean): void {
    const { mayStay = false, keepAliveMs } = this.#head ?? {};
    // A connection that owes the rest of a request, or may have been meant to leave HTTP, is of no further use.
    const stays = mayStay && !isStray && this.#isSent && !this.#request.upgrade;
    this.#end();
    try {
      this.#handler.onResponseEnd?.(this, {});
    } catch (error) {
      this.#handler.onResponseError?.(this, error as Error);
    }
    this.#carrier.onWhole(stays, keepAliveMs);
  }

  #switch(rest: Buffer): void {
    const { socket } = this.#carrier;
    this.#end();
    this.#carrier.onSwitched();
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
    try {
      this.#handler.onRequestUpgrade?.(this, 101, {}, socket);
    } catch (error) {
      socket.destroy();
      this.#handler.onResponseError?.(this, error as Error);
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#unread = undefined;
    // What is left of it is for nobody; the caller gets its answer all the same.
    if (!this.#isSent) this.#body?.destroy();
  }

  #sendWhole(head: string, bytes: Uint8Array | undefined): void {
    const { socket } = this.#carrier;
    this.#isSent = true;
    if (bytes === undefined || bytes.length === 0) {
      socket.write(head, "latin1");
      return;
    }
    socket.cork();
    socket.write(head, "latin1");
    socket.write(bytes);
    socket.uncork();
  }

  #sendStream(head: string, body: Readable): void {
    this.#body = body;
    // The upstream may answer by the head alone (RFC 9110 §10.1.1); what waits for nothing goes in one piece.
    if (this.#request.expectContinue === true) this.#carrier.socket.write(head, "latin1");
    else this.#unsentHead = head;
    body.on("data", (chunk: Buffer) => this.#sendPiece(chunk, body));
    body.on("end", () => this.#sendEnd());
    body.on("error", (error) => this.abort(error));
    body.on("close", () => {
      if (!this.#isSent) this.abort(new Error("the request's body ended early"));
    });
  }

  #sendPiece(piece: Buffer, body: Readable): void {
    if (this.#isOver) return;
    this.#sentBytes += piece.length;
    if (this.#lengthBytes !== undefined && this.#sentBytes > this.#lengthBytes) {
      this.abort(new Error("the request's body is longer than it says"));
      return;
    }
    const { socket } = this.#carrier;
    socket.cork();
    this.#sendHead();
    if (this.#lengthBytes === undefined) socket.write(`${piece.length.toString(16)}\r\n`, "latin1");
    let isTaken = socket.write(piece);
    if (this.#lengthBytes === undefined) isTaken = socket.write("\r\n", "latin1");
    socket.uncork();
    if (!isTaken) body.pause();
  }

  #sendEnd(): void {
    if (this.#isOver) return;
    this.#handler.onRequestSent?.();
    const trailers = this.#options.trailers.take();
    if (this.#lengthBytes !== undefined && this.#sentBytes !== this.#lengthBytes) {
      this.abort(new Error("the request's body is shorter than it says"));
      return;
    }
    const { socket } = this.#carrier;
    this.#isSent = true;
    socket.cork();
    this.#sendHead();
    if (this.#lengthBytes === undefined) {
      let lines = "0\r\n";
      for (let index = 0; index < trailers.length; index += 2)
        lines += `${trailers[index]}: ${trailers[index + 1]}\r\n`;
      socket.write(`${lines}\r\n`, "latin1");
    }
    socket.uncork();
  }

  #sendHead(): void {
    if (this.#unsentHead === undefined) return;
    this.#carrier.socket.write(this.#unsentHead, "latin1");
    this.#unsentHead = undefined;
  }
}

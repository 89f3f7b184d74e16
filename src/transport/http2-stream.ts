import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { answerStalled, closedByUpstream, malformedAnswer, noAnswerInTime } from "./answer-errors.ts";
import { isMalformed } from "./http2-errors.ts";
import { framedAsHttp1, joined, requestHeaders, statusOf, withoutPseudo } from "./http2-fields.ts";
import type { TrailerSlot } from "./request-trailers.ts";
import type { UpstreamDispatch } from "./upstream-pool.ts";

type Handler = Dispatcher.DispatchHandler;

/** One request as `dispatch` takes it, and what became of it so far. */
export interface Http2Request {
  readonly options: UpstreamDispatch;
  readonly handler: Handler;
  /** Sent once already, to a peer that did not process it. */
  repeated: boolean;
}

export interface Http2StreamOptions {
  readonly authority: string;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly trailers: TrailerSlot;
  /** Called once, when the stream has ended in whatever way. */
  onClose(): void;
  /** The peer said nothing in time: its connection may be dead. */
  onTimeout(): void;
  /** The peer did not process the request (RFC 9113 §8.7), and it can be sent again. */
  onRefused(): void;
  /** The connection has served other streams before, and may have been closed for being idle. */
  readonly isKept: boolean;
}

/**
 * One request and its answer on an HTTP/2 stream, told to a handler of undici's interface as those of HTTP/1.1 are.
 *
 * undici's own client takes a stream that is reset with CANCEL for a whole answer, and leaves the stream of
 * a given-up upload open; truncation must never be completion, in either direction.
 */
export class Http2Stream implements Dispatcher.DispatchController {
  rawHeaders: string[] = [];
  rawTrailers: string[] = [];
  aborted = false;
  paused = false;
  reason: Error | null = null;
  readonly #request: Http2Request;
  readonly #options: Http2StreamOptions;
  #stream: ClientHttp2Stream | undefined;
  #answered = false;
  #receivedBytes = 0;
  #over = false;

  constructor(request: Http2Request, options: Http2StreamOptions) {
    this.#request = request;
    this.#options = options;
  }

  /** Sends the request. False: nobody wants it any more. Throws what Node says of a session that takes no streams. */
  start(session: ClientHttp2Session): boolean {
    const { handler, options } = this.#request;
    try {
      handler.onRequestStart?.(this, null);
    } catch {
      return false;
    }
    const body = streamBody(options);
    const buffer = options.body instanceof Uint8Array ? options.body : undefined;
    const headers = requestHeaders(options, this.#options.authority);
    const stream = session.request(headers, {
      endStream: body === undefined && buffer === undefined,
      // As in HTTP/1.1: behind a body of unknown length.
      waitForTrailers: body !== undefined && headers["content-length"] === undefined,
    });
    this.#stream = stream;
    stream.setTimeout(this.#options.headersTimeoutMs);
    stream.on("timeout", () => this.#onTimeout(stream));
    stream.on("headers", (_fields, _flags, raw?: string[]) => this.#onInterim(raw ?? []));
    stream.on("response", (_fields, _flags, raw?: string[]) => this.#onResponse(stream, raw ?? []));
    stream.on("trailers", (_fields, _flags, raw?: string[]) => {
      this.rawTrailers = withoutPseudo(raw ?? []);
    });
    stream.on("wantTrailers", () => this.#sendTrailers(stream));
    stream.on("data", (chunk: Buffer) => {
      this.#receivedBytes += chunk.length;
      this.#tell(() => handler.onResponseData?.(this, chunk));
    });
    stream.on("end", () => this.#onEnd(stream));
    stream.on("error", (error) => this.#onBroken(stream, error));
    stream.on("close", () => {
      this.#onBroken(stream, undefined);
      this.#options.onClose();
    });
    if (body !== undefined) this.#send(body, stream);
    else if (buffer !== undefined) stream.end(buffer);
    return true;
  }

  pause(): void {
    this.paused = true;
    if (this.#stream === undefined || !this.#answered) return;
    this.#stream.pause();
    // A peer that may not send is not silent.
    this.#stream.setTimeout(0);
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.#stream === undefined) return;
    this.#stream.setTimeout(this.#options.idleTimeoutMs);
    this.#stream.resume();
  }

  abort(reason: Error): void {
    if (this.aborted || this.#over) return;
    this.aborted = true;
    this.reason = reason;
    this.#fail(reason);
  }

  #send(body: Readable, stream: ClientHttp2Stream): void {
    body.on("data", (chunk: Buffer) => {
      if (!stream.writable || stream.write(chunk)) return;
      body.pause();
      stream.once("drain", () => body.resume());
    });
    body.on("end", () => {
      if (stream.writable) stream.end();
    });
    body.on("error", (error) => this.#fail(error));
    body.on("close", () => {
      if (!body.readableEnded) this.#fail(new Error("the request's body ended early"));
    });
  }

  #sendTrailers(stream: ClientHttp2Stream): void {
    this.#tell(() => {
      this.#request.handler.onRequestSent?.();
      stream.sendTrailers(joined(this.#options.trailers.take()));
    });
  }

  #onInterim(raw: string[]): void {
    if (this.#answered) return;
    this.rawHeaders = withoutPseudo(raw);
    this.#tell(() => this.#request.handler.onResponseStart?.(this, statusOf(raw), {}));
  }

  #onResponse(stream: ClientHttp2Stream, raw: string[]): void {
    if (this.#over) return;
    this.#answered = true;
    this.rawHeaders = framedAsHttp1(withoutPseudo(raw));
    stream.setTimeout(this.#options.idleTimeoutMs);
    const { handler } = this.#request;
    this.#tell(() => {
      handler.onResponseStarted?.();
      handler.onResponseStart?.(this, statusOf(raw), {});
    });
    if (this.paused) this.pause();
  }

  #onEnd(stream: ClientHttp2Stream): void {
    if (this.#over || !this.#answered) return;
    // Node ends the readable side for every reset. One with NO_ERROR is how Node's own server ends a long answer whose
    // END_STREAM it did not get rid of in time: that is taken for an end, unless a length says otherwise.
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || this.#isShort) {
      this.#onBroken(stream, undefined);
      return;
    }
    this.#over = true;
    // The rest of a body that the peer answered without is not wanted.
    if (!stream.writableEnded) cancel(stream);
    this.#tellEnd();
  }

  get #isShort(): boolean {
    const at = this.rawHeaders.indexOf("content-length");
    return at !== -1 && this.#receivedBytes > 0 && this.#receivedBytes < Number(this.rawHeaders[at + 1]);
  }

  #tellEnd(): void {
    const { handler } = this.#request;
    try {
      handler.onResponseEnd?.(this, {});
    } catch (error) {
      handler.onResponseError?.(this, error as Error);
    }
  }

  #onBroken(stream: ClientHttp2Stream, error: Error | undefined): void {
    if (this.#over) return;
    const { rstCode } = stream;
    const { options } = this.#request;
    const replayable = streamBody(options) === undefined && !this.#answered && !this.#request.repeated;
    if (rstCode === constants.NGHTTP2_REFUSED_STREAM && replayable) {
      this.#over = true;
      this.#request.repeated = true;
      this.#options.onRefused();
      return;
    }
    if (error !== undefined && isMalformed(rstCode, error)) {
      this.#fail(malformedAnswer(error.message, { cause: error }));
      return;
    }
    // Streams of a connection that is lost are cancelled by Node itself.
    const isLost = rstCode === constants.NGHTTP2_CANCEL;
    this.#fail(closedByUpstream(isLost && this.#options.isKept, `HTTP/2: stream closed (code ${rstCode})`));
  }

  #onTimeout(stream: ClientHttp2Stream): void {
    if (this.#over) return;
    // It is the caller that is slow, and that has a limit of its own.
    if (!this.#answered && !stream.writableEnded && !stream.writableNeedDrain) return;
    this.#options.onTimeout();
    this.#fail(this.#answered ? answerStalled() : noAnswerInTime());
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#stream !== undefined) cancel(this.#stream);
    this.#request.handler.onResponseError?.(this, error);
  }

  /** What a handler throws ends its request, as it does in undici. */
  #tell(tell: () => void): void {
    if (this.#over) return;
    try {
      tell();
    } catch (error) {
      this.#fail(error as Error);
    }
  }
}

/** RST_STREAM, and without the END_STREAM that Node would send first: half a body must not look whole. */
function cancel(stream: ClientHttp2Stream): void {
  if (stream.closed || stream.destroyed) return;
  if (!stream.writableEnded) stream.end = () => stream;
  stream.close(constants.NGHTTP2_CANCEL);
  stream.resume();
}

function streamBody({ body }: Dispatcher.DispatchOptions): Readable | undefined {
  return body !== null && typeof body === "object" && "pipe" in body ? (body as Readable) : undefined;
}

import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { type Dispatcher, errors } from "undici";
import type { Connector } from "./connector.ts";
import type { TrailerSlot } from "./request-trailers.ts";
import type { UpstreamDispatch } from "./upstream-pool.ts";

export interface ExpectingOptions {
  readonly upstream: URL;
  /** One that leaves its sockets as Node makes them. */
  readonly connector: Connector;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxHeaderBytes: number;
  readonly trailers: TrailerSlot;
  /** Called once, when the connection is closed. */
  onClose(): void;
}

/** Node's client drops header fields beyond 1 000 without a word; what it gives that many of may be cut. */
const MAX_HEADER_FIELDS = 1_000;

/**
 * One request whose caller waits for `100 Continue`, on a connection of its own, told to an undici handler.
 *
 * The upstream may answer by the head alone (RFC 9110 §10.1.1), but undici keeps the head back until the first of the
 * body is there; here it goes out at once. The connection is not used again: it may owe a body.
 */
export class Http1Expecting implements Dispatcher.DispatchController {
  rawHeaders: string[] = [];
  rawTrailers: string[] = [];
  aborted = false;
  paused = false;
  reason: Error | null = null;
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #options: ExpectingOptions;
  #request: ClientRequest | undefined;
  #answer: IncomingMessage | undefined;
  #over = false;

  constructor(handler: Dispatcher.DispatchHandler, options: ExpectingOptions) {
    this.#handler = handler;
    this.#options = options;
  }

  /** Connects and sends. */
  start(dispatched: UpstreamDispatch): void {
    const { protocol, host, hostname, port } = this.#options.upstream;
    const target = { protocol, host, hostname: hostname.replace(/^\[|\]$/g, ""), port };
    this.#options.connector(target, (...[error, socket]) => {
      if (error !== null) {
        this.#over = true;
        // The handler has no controller yet, as with undici.
        this.#handler.onResponseError?.(undefined as unknown as Dispatcher.DispatchController, error);
        this.#options.onClose();
        return;
      }
      socket.once("close", () => this.#options.onClose());
      try {
        this.#handler.onRequestStart?.(this, null);
      } catch {
        this.#over = true;
        socket.destroy();
        return;
      }
      this.#send(dispatched, socket);
    });
  }

  pause(): void {
    this.paused = true;
    this.#answer?.pause();
    // A peer that may not send is not silent.
    if (this.#answer !== undefined) this.#request?.setTimeout(0);
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#request?.setTimeout(this.#options.idleTimeoutMs);
    this.#answer?.resume();
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#fail(reason);
    this.#request?.destroy();
  }

  #send(dispatched: UpstreamDispatch, socket: Socket): void {
    const { upstream, headersTimeoutMs, maxHeaderBytes } = this.#options;
    const fields = dispatched.headers;
    const hasLength = fields.some((name, index) => index % 2 === 0 && name === "content-length");
    const request = httpRequest({
      createConnection: () => socket,
      method: dispatched.method,
      path: dispatched.path,
      maxHeaderSize: maxHeaderBytes,
      headers: [
        ...["host", upstream.host, "connection", "close"],
        ...fields,
        ...(hasLength ? [] : ["transfer-encoding", "chunked"]),
      ],
    });
    this.#request = request;
    request.maxHeadersCount = 0;
    request.setTimeout(headersTimeoutMs);
    request.on("timeout", () => this.#onTimeout(request));
    request.on("information", ({ statusCode, rawHeaders }) => this.#onInterim(statusCode, rawHeaders));
    request.on("response", (answer) => this.#onResponse(answer));
    request.on("upgrade", () => this.#fail(malformed("an upgrade that nobody asked for")));
    request.on("error", (error) => this.#fail(error));
    request.flushHeaders();
    this.#sendBody(dispatched.body as Readable, request);
  }

  #sendBody(body: Readable, request: ClientRequest): void {
    body.on("data", (chunk: Buffer) => {
      if (request.destroyed || request.write(chunk)) return;
      body.pause();
      request.once("drain", () => body.resume());
    });
    body.on("end", () => {
      this.#handler.onRequestSent?.();
      const fields = this.#options.trailers.take();
      const pairs: [string, string][] = [];
      for (let index = 0; index < fields.length; index += 2)
        pairs.push([fields[index] as string, fields[index + 1] as string]);
      if (pairs.length > 0) request.addTrailers(pairs);
      request.end();
    });
    body.on("error", (error) => this.abort(error));
    body.on("close", () => {
      if (!body.readableEnded && !this.#over) this.abort(new Error("the request's body ended early"));
    });
  }

  #onInterim(status: number, rawHeaders: string[]): void {
    this.rawHeaders = rawHeaders;
    this.#tell(() => this.#handler.onResponseStart?.(this, status, {}));
  }

  #onResponse(answer: IncomingMessage): void {
    const { rawHeaders, statusCode = 0, statusMessage = "" } = answer;
    if (rawHeaders.length >= MAX_HEADER_FIELDS * 2) {
      this.abort(malformed("too many header fields"));
      return;
    }
    this.#answer = answer;
    this.rawHeaders = rawHeaders;
    this.#request?.setTimeout(this.#options.idleTimeoutMs);
    this.#tell(() => {
      this.#handler.onResponseStarted?.();
      this.#handler.onResponseStart?.(this, statusCode, {}, statusMessage);
    });
    if (this.paused) this.pause();
    answer.on("data", (chunk: Buffer) => this.#tell(() => this.#handler.onResponseData?.(this, chunk)));
    answer.on("error", (error) => this.#fail(error));
    answer.on("end", () => {
      if (!answer.complete) this.#fail(malformed("the answer ended early"));
      this.rawTrailers = answer.rawTrailers;
      this.#tell(() => this.#handler.onResponseEnd?.(this, {}));
      this.#over = true;
      this.#request?.destroy();
    });
  }

  #onTimeout(request: ClientRequest): void {
    // It is the caller that is slow, and that has a limit of its own.
    if (this.#answer === undefined && !request.writableEnded && !request.writableNeedDrain) return;
    this.abort(
      this.#answer === undefined
        ? new errors.HeadersTimeoutError("no answer in time")
        : new errors.BodyTimeoutError("the answer stalled"),
    );
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler.onResponseError?.(this, error);
  }

  /** What a handler throws ends its request, as it does in undici. */
  #tell(tell: () => void): void {
    if (this.#over) return;
    try {
      tell();
    } catch (error) {
      this.abort(error as Error);
    }
  }
}

function malformed(message: string): Error {
  return Object.assign(new Error(message), { code: "UND_ERR_HTTP_PARSER" });
}

import type { Dispatcher } from "undici";
import type { ExchangeParts } from "./exchange-parts.ts";
import { buildResponseHeaders, buildTrailers, type RawFields } from "./headers.ts";
import { passInterim } from "./interim.ts";

/** What of an exchange its answer needs. */
type AnswerParts = Pick<ExchangeParts, "request" | "response" | "head" | "entry" | "prefix" | "extraHeaders">;

type Controller = Dispatcher.DispatchController;

/** A status phrase that Node would refuse to send. */
const UNPRINTABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** The upstream's answer on its way to the caller, piece by piece as undici reads it, with backpressure. */
export class Answer {
  readonly #parts: AnswerParts;
  #bodyBegun = false;
  #waitsForDrain = false;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
  }

  interim(controller: Controller, status: number): void {
    passInterim(this.#parts.response, status, rawList(controller.rawHeaders));
  }

  begin(controller: Controller, status: number, statusText: string | undefined): void {
    const { request, response, head, entry, prefix, extraHeaders } = this.#parts;
    const headers = buildResponseHeaders(rawList(controller.rawHeaders), {
      entry,
      prefix,
      status,
      mayTrail: head.method !== "HEAD" && status !== 204 && status !== 304 && request.httpVersionMinor === 1,
      extra: extraHeaders,
    });
    if (statusText === undefined || statusText === "" || UNPRINTABLE.test(statusText))
      response.writeHead(status, headers);
    else response.writeHead(status, statusText, headers);
    queueMicrotask(() => this.#flushHead());
  }

  /** Node keeps a head back for the first of the body: right where that came along, wrong where it is an event stream. */
  #flushHead(): void {
    const { response } = this.#parts;
    if (!this.#bodyBegun && !response.writableEnded && !response.destroyed) response.flushHeaders();
  }

  write(controller: Controller, chunk: Buffer): void {
    const { response } = this.#parts;
    this.#bodyBegun = true;
    if (response.write(chunk)) return;
    controller.pause();
    if (this.#waitsForDrain) return;
    this.#waitsForDrain = true;
    response.once("drain", () => {
      this.#waitsForDrain = false;
      controller.resume();
    });
  }

  end(controller: Controller): void {
    const { response, entry } = this.#parts;
    const trailers = rawList(controller.rawTrailers);
    if (trailers.length > 0) response.addTrailers(buildTrailers(trailers, entry.upstreamFieldsDropped));
    response.end();
  }
}

function rawList(raw: Controller["rawHeaders"]): RawFields {
  return Array.isArray(raw) ? raw : [];
}

import type { Dispatcher } from "undici";
import { SOON } from "../core/soon.ts";
import type { ExchangeParts } from "./exchange-parts.ts";
import { buildResponseHeaders, buildTrailers, keepPrivate, type RawFields } from "./headers.ts";
import { HeldJson, judgeJson, ofUnknownBytes } from "./held-json.ts";
import { passInterim } from "./interim.ts";

/** What of an exchange its answer needs. */
type AnswerParts = Pick<
  ExchangeParts,
  "request" | "response" | "head" | "entry" | "prefix" | "publicOrigin" | "extraHeaders" | "visit"
>;

type Controller = Dispatcher.DispatchController;

/** A status phrase that Node would refuse to send. */
const UNPRINTABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** The upstream's answer on its way to the caller, piece by piece as it is read, with backpressure. */
export class Answer {
  readonly #parts: AnswerParts;
  /** Kept back on a route that rewrites URLs. */
  #held: HeldJson | undefined;
  #bodyBegun = false;
  #waitsForDrain = false;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
  }

  interim(controller: Controller, status: number): void {
    passInterim(this.#parts.response, status, rawList(controller.rawHeaders));
  }

  begin(controller: Controller, status: number, statusText: string | undefined): void {
    const { request, head, entry, prefix, extraHeaders, visit } = this.#parts;
    const headers = buildResponseHeaders(rawList(controller.rawHeaders), {
      entry,
      prefix,
      status,
      mayTrail: head.method !== "HEAD" && status !== 204 && status !== 304 && request.httpVersionMinor === 1,
      extra: extraHeaders,
    });
    if (visit !== undefined) keepPrivate(headers);
    const json = entry.route.rewriteUrls ? judgeJson(head.method, status, headers) : "pass";
    if (json === "hold") this.#held = new HeldJson(status, statusText, headers);
    else this.#writeHead(status, statusText, json === "head" ? ofUnknownBytes(headers) : headers);
  }

  #writeHead(status: number, statusText: string | undefined, headers: readonly string[]): void {
    const { response } = this.#parts;
    if (statusText === undefined || statusText === "" || UNPRINTABLE.test(statusText))
      response.writeHead(status, headers as string[]);
    else response.writeHead(status, statusText, headers as string[]);
    void SOON.then(() => this.#flushHead());
  }

  /** The upstream agreed to an upgrade: the last that is said in HTTP on this connection. */
  switch(controller: Controller, protocol: string): void {
    const { response, entry, prefix, extraHeaders } = this.#parts;
    const headers = buildResponseHeaders(rawList(controller.rawHeaders), {
      entry,
      prefix,
      status: 101,
      mayTrail: false,
      extra: extraHeaders,
    });
    response.writeHead(101, ["connection", "upgrade", "upgrade", protocol, ...headers]);
    response.flushHeaders();
  }

  /** Node keeps a head back for the first of the body: right where that came along, wrong where it is an event stream. */
  #flushHead(): void {
    const { response } = this.#parts;
    if (!this.#bodyBegun && !response.writableEnded && !response.destroyed) response.flushHeaders();
  }

  write(controller: Controller, chunk: Buffer): void {
    const { response } = this.#parts;
    this.#bodyBegun = true;
    if (this.#held?.add(chunk) === true) return;
    if (this.#held === undefined ? response.write(chunk) : this.#letGo(this.#held)) return;
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
    const body = this.#held === undefined ? undefined : this.#rewrite(this.#held);
    if (trailers.length > 0) response.addTrailers(buildTrailers(trailers, entry.upstreamFieldsDropped));
    response.end(body);
  }

  /** The rest of it comes as any other body. */
  #letGo({ status, statusText, headers, chunks }: HeldJson): boolean {
    this.#held = undefined;
    this.#writeHead(status, statusText, headers);
    return this.#parts.response.write(Buffer.concat(chunks));
  }

  #rewrite(held: HeldJson): Buffer {
    const { head, entry, prefix, publicOrigin } = this.#parts;
    // Behind TLS that ends before us, links in the clear would be of no use to a browser.
    const isPublic = publicOrigin.endsWith(`//${head.host.toLowerCase()}`);
    const { headers, body } = held.rewrite({
      upstream: entry.route.upstream,
      basePath: entry.basePath.slashed,
      base: `${isPublic ? publicOrigin : `http://${head.host}`}${prefix}`,
    });
    this.#writeHead(held.status, held.statusText, headers);
    return body;
  }
}

/** A head is a flat list here; what is no list is none. */
export function rawList(raw: Controller["rawHeaders"]): RawFields {
  return Array.isArray(raw) ? raw : [];
}

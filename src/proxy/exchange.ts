import type { IncomingMessage, ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import type { Clock } from "../core/clock.ts";
import type { LogFields, Logger } from "../core/log.ts";
import type { Injection } from "../token/token-source.ts";
import type { Destination } from "./destination.ts";
import { buildRequestHeaders, buildResponseHeaders, buildTrailers } from "./headers.ts";
import { RequestBody } from "./request-body.ts";
import type { RequestHead } from "./request-head.ts";
import { sendProblem, toProxyError } from "./respond.ts";
import type { RouteEntry } from "./route-table.ts";
import { isStaleConnection, upstreamError } from "./upstream-error.ts";

export interface ExchangeDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly accessLog: boolean;
  readonly bodyIdleMs: number;
}

/** One judged request on its way to one destination. */
export interface ExchangeParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly head: RequestHead;
  readonly entry: RouteEntry;
  readonly destination: Destination;
  /** Path and query at the upstream. */
  readonly target: string;
  /** The prefix that leads back to this route. */
  readonly prefix: string;
  readonly requestId: string;
  readonly startedAtMs: number;
  /** Flat fields put on the answer, e.g. the CORS grant of a listed origin. */
  readonly extraHeaders: readonly string[];
}

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** RFC 9110 §9.2.2. */
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** A refused answer longer than this is cut off rather than read to its end before the replay. */
const MAX_DISCARDED_BYTES = 65_536;

/** A status phrase that Node would refuse to send. */
const UNPRINTABLE = /[^\t\x20-\x7e\x80-\xff]/;

/**
 * Token, dispatch and answer of one request. It is undici's handler itself, so that a request costs no streams and
 * no promises while its token is fresh. Callbacks of a dispatch that was given up for a replay are told by their
 * controller and ignored.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #deps: ExchangeDeps;
  readonly #parts: ExchangeParts;
  #body: RequestBody | undefined;
  #injection: Injection | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #upstreamStartedAtMs = 0;
  #upstreamAnsweredAtMs: number | undefined;
  #replayed = false;
  #retried = false;
  #discardedBytes = 0;
  /** An upstream's 401 waits for the decision whether a newer token can be had. */
  #heldAnswer: { ended: boolean; failed: boolean } | undefined;
  #callerLeft = false;

  constructor(deps: ExchangeDeps, parts: ExchangeParts) {
    this.#deps = deps;
    this.#parts = parts;
  }

  start(): void {
    const { destination, response } = this.#parts;
    destination.acquire();
    destination.observer.started();
    response.on("close", this.#onClose);
    if (destination.source === undefined) {
      this.#dispatch(undefined);
      return;
    }
    const token = destination.source.token();
    if (token instanceof Promise) token.then(this.#redispatch, this.#fail);
    else this.#dispatch(token);
  }

  /** Dispatch outside the handler's own call stack, where nobody else would catch. */
  readonly #redispatch = (injection: Injection | undefined): void => {
    try {
      this.#dispatch(injection);
    } catch (error) {
      this.#fail(error);
    }
  };

  #dispatch(injection: Injection | undefined, replayBody?: Buffer): void {
    if (this.#callerLeft) return;
    const { head, entry, destination, target, requestId } = this.#parts;
    this.#injection = injection;
    this.#upstreamStartedAtMs = this.#deps.clock.now();
    destination.dispatcher.dispatch(
      {
        path: target,
        method: head.method as Dispatcher.HttpMethod,
        headers: buildRequestHeaders(head, entry.route, entry.callerFieldsDropped, requestId, injection),
        body: replayBody ?? this.#openBody(),
      },
      this,
    );
  }

  #openBody(): RequestBody | null {
    const { request, response, head, entry } = this.#parts;
    if (!head.hasBody) return null;
    this.#body = new RequestBody(request, {
      clock: this.#deps.clock,
      idleMs: this.#deps.bodyIdleMs,
      keepBytes: entry.route.replayOn401 === "buffered" ? entry.route.maxReplayBodyBytes : 0,
      continueOn: head.expectsContinue ? response : undefined,
    });
    return this.#body;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#callerLeft) controller.abort(new Error("the caller went away"));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    statusText?: string,
  ): void {
    if (controller !== this.#controller || status < 200) return;
    this.#upstreamAnsweredAtMs = this.#deps.clock.now();
    if (
      status === 401 &&
      this.#injection !== undefined &&
      !this.#replayed &&
      this.#parts.destination.source !== undefined
    ) {
      this.#onUnauthorized(controller, this.#injection, statusText);
      return;
    }
    this.#writeHead(controller, status, statusText);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (controller !== this.#controller) {
      this.#discardedBytes += chunk.length;
      if (this.#discardedBytes > MAX_DISCARDED_BYTES) controller.abort(new Error("given up for a replay"));
      return;
    }
    const { response } = this.#parts;
    if (response.write(chunk)) return;
    controller.pause();
    response.once("drain", () => controller.resume());
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (controller !== this.#controller) return;
    if (this.#heldAnswer !== undefined) this.#heldAnswer.ended = true;
    else this.#endAnswer(controller);
  }

  onResponseError(controller: Dispatcher.DispatchController | null, error: Error): void {
    // Before a connection is there, undici has no controller yet: then it is the present dispatch that failed.
    if (controller !== null && controller !== undefined && controller !== this.#controller) return;
    if (this.#heldAnswer !== undefined) {
      this.#heldAnswer.failed = true;
      return;
    }
    if (this.#callerLeft) return;
    if (this.#mayRetry(error)) {
      this.#retried = true;
      this.#controller = undefined;
      this.#redispatch(this.#injection);
      return;
    }
    this.#fail(upstreamError(error, this.#parts.entry.route.upstream));
  }

  /** A kept connection that its peer closed while the request was on its way: nothing was processed (RFC 9110 §9.2.2). */
  #mayRetry(error: Error): boolean {
    const { head } = this.#parts;
    return (
      !this.#retried &&
      !head.hasBody &&
      this.#upstreamAnsweredAtMs === undefined &&
      IDEMPOTENT_METHODS.has(head.method) &&
      isStaleConnection(error)
    );
  }

  /**
   * Holds the answer back while a newer token is looked for, if the request can be repeated: bodyless and safe, or
   * with its whole body kept. Otherwise the 401 goes on at once, and only the token is invalidated.
   */
  #onUnauthorized(
    controller: Dispatcher.DispatchController,
    rejected: Injection,
    statusText: string | undefined,
  ): void {
    const { destination, entry, head } = this.#parts;
    const newer = destination.source?.invalidate(rejected) ?? Promise.resolve(undefined);
    const { replayOn401 } = entry.route;
    const kept = head.hasBody ? this.#body?.kept() : undefined;
    const repeatable =
      replayOn401 === "buffered"
        ? !head.hasBody || kept !== undefined
        : replayOn401 === "safe" && !head.hasBody && SAFE_METHODS.has(head.method);
    if (!repeatable) {
      newer.catch(this.#fail);
      destination.observer.unauthorized("passed");
      this.#writeHead(controller, 401, statusText);
      return;
    }
    controller.pause();
    const held = { ended: false, failed: false };
    this.#heldAnswer = held;
    newer
      .then((injection) => {
        this.#heldAnswer = undefined;
        if (this.#callerLeft) return;
        if (injection === undefined) this.#passHeldAnswer(controller, statusText, held);
        else this.#replay(controller, injection, kept, held.ended || held.failed);
      })
      .catch(this.#fail);
  }

  #replay(
    refused: Dispatcher.DispatchController,
    injection: Injection,
    body: Buffer | undefined,
    over: boolean,
  ): void {
    this.#replayed = true;
    this.#parts.destination.observer.unauthorized("replayed");
    this.#controller = undefined;
    if (!over) refused.resume();
    this.#dispatch(injection, body);
  }

  #passHeldAnswer(
    controller: Dispatcher.DispatchController,
    statusText: string | undefined,
    held: { ended: boolean; failed: boolean },
  ): void {
    this.#parts.destination.observer.unauthorized("passed");
    this.#writeHead(controller, 401, statusText);
    if (held.failed) this.#parts.response.destroy();
    else if (held.ended) this.#endAnswer(controller);
    else controller.resume();
  }

  #writeHead(
    controller: Dispatcher.DispatchController,
    status: number,
    statusText: string | undefined,
  ): void {
    const { response, entry, prefix, extraHeaders } = this.#parts;
    const headers = buildResponseHeaders(rawList(controller.rawHeaders), {
      route: entry.route,
      dropped: entry.upstreamFieldsDropped,
      prefix,
      status,
      extra: extraHeaders,
    });
    if (statusText === undefined || statusText === "" || UNPRINTABLE.test(statusText))
      response.writeHead(status, headers);
    else response.writeHead(status, statusText, headers);
  }

  #endAnswer(controller: Dispatcher.DispatchController): void {
    const { response } = this.#parts;
    const trailers = rawList(controller.rawTrailers);
    if (trailers.length > 0) response.addTrailers(buildTrailers(trailers));
    response.end();
  }

  readonly #fail = (thrown: unknown): void => {
    const { response, requestId, extraHeaders, destination } = this.#parts;
    const error = toProxyError(thrown);
    destination.observer.failed(error.code);
    const level = error.code === "INTERNAL" ? "error" : "warn";
    this.#deps.log[level](response.headersSent ? "answer_truncated" : "request_failed", {
      ...this.#labels(),
      code: error.code,
      detail: error.message,
      ...(error.cause instanceof Error ? { error: error.cause.message } : {}),
    });
    sendProblem(response, error, requestId, extraHeaders);
  };

  /** The one end of every exchange, whatever ended it. */
  readonly #onClose = (): void => {
    const { response, destination, head, startedAtMs } = this.#parts;
    const complete = response.writableFinished;
    if (!complete) {
      this.#callerLeft = true;
      this.#controller?.abort(new Error("the caller went away"));
      this.#body?.destroy();
    }
    destination.release();
    const now = this.#deps.clock.now();
    const status = response.headersSent ? response.statusCode : 499;
    const upstreamMs =
      this.#upstreamAnsweredAtMs === undefined
        ? undefined
        : this.#upstreamAnsweredAtMs - this.#upstreamStartedAtMs;
    destination.observer.finished(
      head.method,
      status,
      (now - startedAtMs) / 1_000,
      upstreamMs === undefined ? undefined : upstreamMs / 1_000,
    );
    if (this.#deps.accessLog) {
      this.#deps.log.info("request", {
        ...this.#labels(),
        status,
        outcome: complete ? "complete" : "aborted",
        duration_ms: round(now - startedAtMs),
        ...(upstreamMs === undefined ? {} : { upstream_ms: round(upstreamMs) }),
      });
    }
  };

  #labels(): LogFields {
    const { head, entry, destination, requestId, request } = this.#parts;
    const path = request.url?.split("?", 1)[0];
    const trace = head.traceparent?.split("-")[1];
    return {
      request_id: requestId,
      route: entry.route.name,
      ...(destination.tenant === undefined ? {} : { tenant: destination.tenant }),
      method: head.method,
      ...(path === undefined ? {} : { path }),
      ...(trace === undefined ? {} : { trace_id: trace }),
    };
  }
}

function rawList(raw: Dispatcher.DispatchController["rawHeaders"]): readonly (Buffer | string)[] {
  return Array.isArray(raw) ? raw : [];
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}

import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import type { Clock, Timer } from "../core/clock.ts";
import { type ErrorCode, ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { MemoryValve } from "../core/memory-valve.ts";
import type { Injection } from "../token/token-source.ts";
import { Answer, rawList } from "./answer.ts";
import { accessFields, exchangeLabels } from "./exchange-log.ts";
import type { ExchangeParts } from "./exchange-parts.ts";
import { buildRequestHeaders } from "./headers.ts";
import { RequestBody } from "./request-body.ts";
import { requestTrailers } from "./request-trailers.ts";
import { beginProblem, discardBody, sendProblem, sendRedirect, toProxyError } from "./respond.ts";
import { Tunnel } from "./tunnel.ts";
import { switchedProtocol, unaskedSwitch } from "./upgrade.ts";
import { isStaleConnection, upstreamError } from "./upstream-error.ts";

export interface ExchangeDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly memory: MemoryValve;
}

/** An upstream's 401 that waits for the decision whether a newer token can be had. */
interface HeldAnswer {
  ended: boolean;
  failed: boolean;
}

type Controller = Dispatcher.DispatchController;

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** RFC 9110 §9.2.2. */
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** A refused answer longer than this is cut off rather than read to its end before the replay. */
const MAX_DISCARDED_BYTES = 65_536;

/**
 * What the proxy's own objects of an exchange leave to the collector, told to the memory valve like a body's bytes: V8
 * would let tens of megabytes of them gather, and then take more of the young generation.
 */
const LEFT_BEHIND_BYTES = 20_000;

/** What still comes of a refused body is read for so long, so that the refusal is not overtaken by a reset. */
const LINGER_MS = 1_000;

/** How loud a failure is, where it is not a warning: that somebody has to sign in is nobody's fault. */
const LEVELS: ReadonlyMap<ErrorCode, "error" | "debug"> = new Map([
  ["INTERNAL", "error"],
  ["LOGIN_REQUIRED", "debug"],
]);

/** Why a dispatch is aborted; made once, since a stack trace costs more than the rest of an ending. */
const NOBODY_WAITS = new Error("nobody waits for an answer any more");
const GIVEN_UP = new Error("given up for a replay");

/**
 * Token, dispatch and answer of one request. It is undici's handler itself, so that a request costs no streams and
 * no promises while its token is fresh. Callbacks of a dispatch that was given up for a replay are told by their
 * controller and ignored.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #deps: ExchangeDeps;
  readonly #parts: ExchangeParts;
  readonly #answer: Answer;
  #body: RequestBody | undefined;
  #injection: Injection | undefined;
  #controller: Controller | undefined;
  #hasToQueue = false;
  #queueTimer: Timer | undefined;
  #upstreamStartedAtMs = 0;
  #upstreamAnsweredAtMs: number | undefined;
  /** A byte of an answer to the present dispatch has come. */
  #answerBegun = false;
  #heldAnswer: HeldAnswer | undefined;
  #tunnel: Tunnel | undefined;
  #isReplay = false;
  #retries = 0;
  #discardedBytes = 0;
  /** Nobody waits for this answer any more: the caller left, or was told something else. */
  #over = false;

  constructor(deps: ExchangeDeps, parts: ExchangeParts) {
    this.#deps = deps;
    this.#parts = parts;
    this.#answer = new Answer(parts);
  }

  /** Never throws: whatever goes wrong from here on becomes this request's answer. */
  start(): void {
    const { destination, response, source } = this.#parts;
    this.#hasToQueue = destination.acquire();
    destination.observer.started();
    this.#deps.memory.relayed(LEFT_BEHIND_BYTES);
    response.on("close", () => this.#onClose());
    try {
      const token = source?.token();
      if (token instanceof Promise) {
        token.then(
          (injection) => this.#inject(injection),
          (error: unknown) => this.#failWithoutToken(error),
        );
      } else this.#inject(token);
    } catch (error) {
      this.#failWithoutToken(error);
    }
  }

  #inject(injection: Injection | undefined): void {
    this.#addVisitFields();
    this.#dispatch(injection);
  }

  #addVisitFields(): void {
    const fields = this.#parts.visit?.fields();
    if (fields !== undefined && fields.length > 0)
      this.#parts.extraHeaders = [...this.#parts.extraHeaders, ...fields];
  }

  #failWithoutToken(thrown: unknown): void {
    const { visit } = this.#parts;
    this.#addVisitFields();
    if (visit === undefined || !(thrown instanceof ProxyError) || thrown.code !== "LOGIN_REQUIRED") {
      this.#fail(thrown);
      return;
    }
    visit
      .turnAway(thrown)
      .then(({ error, fields, location }) => {
        this.#parts.extraHeaders = [...this.#parts.extraHeaders, ...fields];
        this.#fail(error, location);
      })
      .catch((error: unknown) => this.#fail(error));
  }

  #dispatch(injection: Injection | undefined, replayBody?: Buffer): void {
    if (this.#over) return;
    const { head, entry, destination, target, requestId, upgrade } = this.#parts;
    this.#controller = undefined;
    this.#answerBegun = false;
    this.#injection = injection;
    this.#upstreamStartedAtMs = this.#deps.clock.now();
    if (this.#hasToQueue) this.#limitQueueing();
    try {
      destination.dispatcher.dispatch(
        {
          path: target,
          method: head.method as Dispatcher.HttpMethod,
          headers: buildRequestHeaders(head, entry, requestId, injection),
          body: replayBody ?? this.#openBody(),
          upgrade: upgrade ?? null,
          expectContinue: head.expectsContinue && replayBody === undefined,
        },
        this,
      );
    } catch (error) {
      this.#fail(error);
    }
  }

  /** With all sockets of the route taken, a request waits no longer for one than it would for an answer. */
  #limitQueueing(): void {
    const { route } = this.#parts.entry;
    this.#queueTimer = this.#deps.clock.schedule(route.timeouts.headersMs, () => {
      if (this.#controller !== undefined) return;
      this.#fail(
        new ProxyError(
          "OVERLOADED",
          `All connections to the upstream of route ${route.name} are busy (connections).`,
        ),
      );
    });
  }

  #openBody(): RequestBody | null {
    const { request, response, head, entry, bodyIdleMs } = this.#parts;
    if (!head.hasBody) return null;
    const { replayOn401, maxReplayBodyBytes } = entry.route;
    this.#body = new RequestBody(request, {
      clock: this.#deps.clock,
      memory: this.#deps.memory,
      idleMs: bodyIdleMs,
      keepBytes:
        replayOn401 === "buffered" && (head.contentLength ?? 0) <= maxReplayBodyBytes
          ? maxReplayBodyBytes
          : 0,
      continueOn: head.expectsContinue ? response : undefined,
    });
    return this.#body;
  }

  onRequestStart(controller: Controller): void {
    // Thrown here, an error takes the request from the queue and leaves the socket to others.
    if (this.#over) throw NOBODY_WAITS;
    this.#queueTimer?.cancel();
    this.#controller = controller;
  }

  onRequestSent(): void {
    const { request, head, entry, destination } = this.#parts;
    if (head.hasBody)
      destination.trailers.put(requestTrailers(request.rawTrailers, head, entry.callerFieldsDropped));
  }

  onResponseStarted(): void {
    this.#answerBegun = true;
  }

  onResponseStart(controller: Controller, status: number, _headers: unknown, statusText?: string): void {
    if (controller !== this.#controller) return;
    if (status < 200) {
      if (status === 101) throw unaskedSwitch();
      this.#answer.interim(controller, status);
      return;
    }
    this.#upstreamAnsweredAtMs = this.#deps.clock.now();
    if (status === 401 && this.#injection !== undefined)
      this.#onUnauthorized(controller, this.#injection, statusText);
    else this.#answer.begin(controller, status, statusText);
  }

  /** The upstream goes over to the other protocol. Whatever is thrown here, undici hands to `onResponseError`. */
  onRequestUpgrade(controller: Controller, _status: number, _headers: unknown, socket: Duplex): void {
    const { request, destination, upgrade } = this.#parts;
    if (this.#over || controller !== this.#controller) {
      socket.destroy();
      return;
    }
    this.#upstreamAnsweredAtMs = this.#deps.clock.now();
    this.#answer.switch(controller, switchedProtocol(rawList(controller.rawHeaders), upgrade ?? ""));
    destination.leavePool();
    // Silence is no fault from here on.
    request.socket.setTimeout(0);
    this.#tunnel = new Tunnel(request.socket, socket, this.#deps);
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (controller !== this.#controller) {
      this.#discardedBytes += chunk.length;
      if (this.#discardedBytes > MAX_DISCARDED_BYTES) controller.abort(GIVEN_UP);
      return;
    }
    this.#deps.memory.relayed(chunk.length);
    this.#answer.write(controller, chunk);
  }

  onResponseEnd(controller: Controller): void {
    if (controller !== this.#controller) return;
    if (this.#heldAnswer !== undefined) this.#heldAnswer.ended = true;
    else this.#answer.end(controller);
  }

  onResponseError(controller: Controller | null, error: Error): void {
    // Before a connection is there, undici has no controller yet: then it is the present dispatch that failed.
    if (this.#over || (controller ?? this.#controller) !== this.#controller) return;
    if (this.#heldAnswer !== undefined) this.#heldAnswer.failed = true;
    else if (this.#mayRetry(error)) {
      this.#retries++;
      this.#dispatch(this.#injection);
    } else this.#fail(upstreamError(error, this.#parts.entry.route.upstream));
  }

  /** A kept connection that its peer closed while the request was on its way (RFC 9110 §9.2.2). */
  #mayRetry(error: Error): boolean {
    const { head, entry } = this.#parts;
    return (
      // An upstream that restarts closes all kept connections at once: a retry may well meet the next of them.
      this.#retries < entry.route.connections &&
      !this.#answerBegun &&
      !head.hasBody &&
      IDEMPOTENT_METHODS.has(head.method) &&
      isStaleConnection(error)
    );
  }

  /**
   * Holds the answer back while a newer token is looked for, if the request can be repeated: bodyless and safe, or
   * with its whole body kept. Otherwise the 401 goes on at once, and only the token is invalidated.
   */
  #onUnauthorized(controller: Controller, rejected: Injection, statusText: string | undefined): void {
    const { source, entry, head } = this.#parts;
    if (source === undefined || this.#isReplay) {
      this.#passUnauthorized(controller, statusText);
      return;
    }
    const newer = source.invalidate(rejected);
    const { replayOn401 } = entry.route;
    const kept = head.hasBody ? this.#body?.kept() : undefined;
    const repeatable =
      replayOn401 === "buffered"
        ? !head.hasBody || kept !== undefined
        : replayOn401 === "safe" && !head.hasBody && SAFE_METHODS.has(head.method);
    if (!repeatable) {
      this.#passUnauthorized(controller, statusText);
      newer.catch(() => {});
      return;
    }
    controller.pause();
    const held: HeldAnswer = { ended: false, failed: false };
    this.#heldAnswer = held;
    newer
      .then((injection) => {
        this.#heldAnswer = undefined;
        if (this.#over) return;
        if (injection === undefined) this.#passHeldAnswer(controller, statusText, held);
        else this.#replay(controller, injection, kept);
      })
      .catch((error: unknown) => this.#fail(error));
  }

  #replay(refused: Controller, injection: Injection, body: Buffer | undefined): void {
    this.#isReplay = true;
    this.#parts.destination.observer.unauthorized("replayed");
    this.#controller = undefined;
    refused.resume();
    this.#dispatch(injection, body);
  }

  #passHeldAnswer(controller: Controller, statusText: string | undefined, held: HeldAnswer): void {
    this.#passUnauthorized(controller, statusText);
    if (held.failed) this.#parts.response.destroy();
    else if (held.ended) this.#answer.end(controller);
    else controller.resume();
  }

  #passUnauthorized(controller: Controller, statusText: string | undefined): void {
    this.#parts.destination.observer.unauthorized("passed");
    this.#answer.begin(controller, 401, statusText);
  }

  /** @param location where the caller is sent instead of being told what failed */
  #fail(thrown: unknown, location?: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#controller?.abort(NOBODY_WAITS);
    const { response, requestId, extraHeaders, destination } = this.#parts;
    const error = toProxyError(thrown);
    destination.observer.failed(error.code);
    this.#deps.log[LEVELS.get(error.code) ?? "warn"](
      response.headersSent ? "answer_truncated" : "request_failed",
      {
        ...exchangeLabels(this.#parts),
        code: error.code,
        detail: error.message,
        ...(error.cause instanceof Error ? { error: error.cause.message } : {}),
      },
    );
    if (error.code === "REQUEST_INVALID") this.#refuseBody(error);
    else if (location !== undefined) sendRedirect(response, location, requestId, extraHeaders);
    else sendProblem(response, error, requestId, extraHeaders);
  }

  /** A body that stalled or is none leaves the connection of no use to a further request. */
  #refuseBody(error: ProxyError): void {
    const { request, response, requestId, extraHeaders } = this.#parts;
    response.shouldKeepAlive = false;
    if (!beginProblem(response, error, requestId, extraHeaders)) return;
    const startBytes = request.socket.bytesRead;
    discardBody(request, this.#deps.clock, LINGER_MS, () => {
      this.#deps.memory.relayed(request.socket.bytesRead - startBytes);
      response.end();
    });
  }

  /** The one end of every exchange, whatever ended it. */
  #onClose(): void {
    const { request, response, destination, head, startedAtMs, bodyIdleMs, accessLog } = this.#parts;
    const { clock, log } = this.#deps;
    const complete = this.#tunnel?.isComplete ?? response.writableFinished;
    this.#over = true;
    this.#queueTimer?.cancel();
    // Of no effect on a dispatch that has ended.
    this.#controller?.abort(NOBODY_WAITS);
    this.#body?.destroy();
    if (complete && !request.complete && !request.socket.destroyed) {
      discardBody(request, clock, bodyIdleMs, () => {
        if (!request.complete) request.socket.destroy();
      });
    }
    destination.release(this.#tunnel !== undefined);

    const now = clock.now();
    // 499 is nginx's word for a caller that left.
    const status = response.headersSent ? response.statusCode : 499;
    const answeredAtMs = this.#upstreamAnsweredAtMs;
    const upstreamMs = answeredAtMs === undefined ? undefined : answeredAtMs - this.#upstreamStartedAtMs;
    const upstreamSeconds = upstreamMs === undefined ? undefined : upstreamMs / 1_000;
    destination.observer.finished(head.method, status, (now - startedAtMs) / 1_000, upstreamSeconds);
    if (accessLog)
      log.info("request", accessFields(this.#parts, status, complete, now - startedAtMs, upstreamMs));
  }
}

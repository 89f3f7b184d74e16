import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import { ProxyError } from "../core/errors.ts";
import type { Injection } from "../token/token-source.ts";
import { Answer, rawList } from "./answer.ts";
import { accessFields } from "./exchange-log.ts";
import type { ExchangeDeps, ExchangeParts } from "./exchange-parts.ts";
import { answerFailure } from "./failed-exchange.ts";
import { QueueLimit } from "./queue-limit.ts";
import { isRepeatable } from "./replay.ts";
import { requestTrailers } from "./request-trailers.ts";
import { discardBody, toProxyError } from "./respond.ts";
import { Tunnel } from "./tunnel.ts";
import { switchedProtocol, unaskedSwitch } from "./upgrade.ts";
import { isStaleConnection, upstreamError } from "./upstream-error.ts";
import { UpstreamRequest } from "./upstream-request.ts";

/** An upstream's 401 that waits for the decision whether a newer token can be had. */
interface HeldAnswer {
  ended: boolean;
  failed: boolean;
}

type Controller = Dispatcher.DispatchController;

/** RFC 9110 §9.2.2. */
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** A refused answer longer than this is cut off rather than read to its end before the replay. */
const MAX_DISCARDED_BYTES = 65_536;

/**
 * What the proxy's own objects of an exchange leave to the collector, told to the memory valve like a body's bytes: V8
 * would let tens of megabytes of them gather, and then take more of the young generation.
 */
const LEFT_BEHIND_BYTES = 20_000;

/** Why a dispatch is aborted; made once, since a stack trace costs more than the rest of an ending. */
const NOBODY_WAITS = new Error("nobody waits for an answer any more");
const GIVEN_UP = new Error("given up for a replay");
const TOO_LATE = new Error("the token grew old before there was a socket");

/**
 * Token, dispatch and answer of one request. It is the handler of its dispatch itself (undici's interface), so that a request costs no streams and
 * no promises while its token is fresh. Callbacks of a dispatch that was given up for a replay are told by their
 * controller and ignored.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #deps: ExchangeDeps;
  readonly #parts: ExchangeParts;
  readonly #answer: Answer;
  readonly #asked: UpstreamRequest;
  /** What was to be put on the answer before a visit had anything to add. */
  readonly #extraHeaders: readonly string[];
  #controller: Controller | undefined;
  /** Set where all sockets of the route may be taken. */
  #queue: QueueLimit | undefined;
  /** A dispatch is under way that has neither begun nor failed. */
  #isLinedUp = false;
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
  #isClosed = false;

  constructor(deps: ExchangeDeps, parts: ExchangeParts) {
    this.#deps = deps;
    this.#parts = parts;
    this.#answer = new Answer(parts);
    this.#asked = new UpstreamRequest(parts, deps, this);
    this.#extraHeaders = parts.extraHeaders;
  }

  /** Never throws: whatever goes wrong from here on becomes this request's answer. */
  start(): void {
    const { destination, response, source } = this.#parts;
    if (destination.acquire()) this.#queue = this.#queueLimit();
    destination.observer.started();
    this.#deps.memory.relayed(LEFT_BEHIND_BYTES);
    response.on("close", () => this.#onClose());
    try {
      const token = source?.token();
      if (token instanceof Promise) this.#await(token);
      else this.#inject(token);
    } catch (error) {
      this.#failWithoutToken(error);
    }
  }

  #await(token: Promise<Injection>): void {
    token.then(
      (injection) => this.#inject(injection),
      (error: unknown) => this.#failWithoutToken(error),
    );
  }

  #inject(injection: Injection | undefined): void {
    this.#addVisitFields();
    this.#send(injection);
  }

  #addVisitFields(): void {
    const fields = this.#parts.visit?.fields();
    if (fields !== undefined && fields.length > 0)
      this.#parts.extraHeaders = [...this.#extraHeaders, ...fields];
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

  #send(injection: Injection | undefined, replayedBody?: Buffer): void {
    if (this.#over) return;
    const nowMs = this.#deps.clock.now();
    this.#asked.prepare(injection, nowMs, replayedBody);
    this.#dispatch(nowMs);
  }

  #dispatch(nowMs: number): void {
    this.#controller = undefined;
    this.#answerBegun = false;
    this.#upstreamStartedAtMs = nowMs;
    this.#isLinedUp = true;
    this.#queue?.lineUp(() => this.#onQueueLimit());
    try {
      this.#parts.destination.dispatcher.dispatch(this.#asked, this);
    } catch (error) {
      this.#leaveLine();
      this.#fail(error);
    }
    this.#asked.waits();
  }

  #queueLimit(): QueueLimit {
    return new QueueLimit(this.#deps.clock, this.#parts.entry.route.timeouts.headersMs);
  }

  /** It does not line up for a socket yet, and its caller has a limit of its own. */
  onBodyAwaited(): void {
    this.#queue?.reset();
  }

  /** From here on it lines up, and the sockets that were free when it came may be taken by now. */
  onBodyBegun(): void {
    this.#queue ??= this.#queueLimit();
    this.#queue.lineUp(() => this.#onQueueLimit());
  }

  /** With all sockets of the route taken, a request waits no longer for one than it would for an answer. */
  #onQueueLimit(): void {
    if (this.#controller !== undefined) return;
    const { name } = this.#parts.entry.route;
    this.#fail(
      new ProxyError(
        "OVERLOADED",
        `All connections to the upstream of route ${name} are busy (connections). Try again.`,
      ),
    );
  }

  onRequestStart(controller: Controller): void {
    this.#leaveLine();
    // Thrown here, an error takes the request from the queue and leaves the socket to others.
    if (this.#over) throw NOBODY_WAITS;
    const newer = this.#asked.mustWait();
    if (newer !== undefined) {
      // The socket that it gives back is another's by the time that it comes again.
      this.#queue ??= this.#queueLimit();
      this.#queue.leave();
      this.#controller = undefined;
      this.#await(newer);
      throw TOO_LATE;
    }
    this.#queue?.reset();
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
    const { injection } = this.#asked;
    if (status === 401 && injection !== undefined) this.#onUnauthorized(controller, injection, statusText);
    else this.#answer.begin(controller, status, statusText);
  }

  /** The upstream goes over to the other protocol. Whatever is thrown here comes back as `onResponseError`. */
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
    // Before a connection is there, there is no controller yet: then it is the present dispatch that failed.
    if (controller === null || controller === undefined) this.#leaveLine();
    if (this.#over || (controller ?? this.#controller) !== this.#controller) return;
    if (this.#heldAnswer !== undefined) this.#heldAnswer.failed = true;
    else if (this.#mayRetry(error)) {
      this.#retries++;
      this.#asked.prepareAgain();
      this.#dispatch(this.#deps.clock.now());
    } else this.#fail(upstreamError(error, this.#parts.entry.route.upstream));
  }

  /** The dispatch has a socket, or will have none. */
  #leaveLine(): void {
    if (!this.#isLinedUp) return;
    this.#isLinedUp = false;
    if (this.#isClosed) this.#parts.destination.forget();
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
    const kept = this.#asked.keptBody();
    if (!isRepeatable(head, entry.route.replayOn401, kept !== undefined)) {
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
    this.#send(injection, body);
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
    this.#asked.abandon();
    this.#controller?.abort(NOBODY_WAITS);
    answerFailure(this.#deps, this.#parts, toProxyError(thrown), location);
  }

  /** The one end of every exchange, whatever ended it. */
  #onClose(): void {
    const { request, response, destination, head, startedAtMs, bodyIdleMs, accessLog } = this.#parts;
    const { clock, log } = this.#deps;
    const complete = this.#tunnel?.isComplete ?? response.writableFinished;
    this.#over = true;
    this.#queue?.leave();
    // Of no effect on a dispatch that has ended.
    this.#controller?.abort(NOBODY_WAITS);
    this.#asked.destroy();
    if (complete && !request.complete && !request.socket.destroyed) {
      discardBody(request, clock, bodyIdleMs, () => {
        if (!request.complete) request.socket.destroy();
      });
    }
    this.#isClosed = true;
    if (this.#isLinedUp) destination.abandon();
    destination.release(this.#tunnel !== undefined);

    const now = clock.now();
    const status = toldStatus(response);
    const answeredAtMs = this.#upstreamAnsweredAtMs;
    const upstreamMs = answeredAtMs === undefined ? undefined : answeredAtMs - this.#upstreamStartedAtMs;
    const upstreamSeconds = upstreamMs === undefined ? undefined : upstreamMs / 1_000;
    destination.observer.finished(head.method, status, (now - startedAtMs) / 1_000, upstreamSeconds);
    if (accessLog)
      log.info("request", accessFields(this.#parts, status, complete, now - startedAtMs, upstreamMs));
  }
}

/** 499 is nginx's word for a caller that left. One whose body broke was told by the connection, with the status set there. */
function toldStatus({ headersSent, statusCode }: ServerResponse): number {
  return headersSent || statusCode !== 200 ? statusCode : 499;
}

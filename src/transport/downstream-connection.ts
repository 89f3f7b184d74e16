import { type IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { Clock, Timer } from "../core/clock.ts";
import { watchHalfClosed } from "./half-close.ts";

/** Where a request came in. */
export interface Locality {
  /** undefined for a Unix socket. */
  readonly port: number | undefined;
  /** The address of this end of the connection; undefined for a Unix socket. */
  readonly address: string | undefined;
}

/** The bytes of a refusal, made when it is their turn; with the answer that they take the place of, if there is one. */
export type Refusal = (inPlaceOf: ServerResponse | undefined) => string;

/** What is still on its way from a refused caller is read for so long, or a reset would overtake the answer. */
const LINGER_MS = 1_000;

/** An upgraded connection may be silent for ever: this tells a quiet peer from one that is no longer there. */
const KEEP_ALIVE_PROBE_MS = 60_000;

/** A drained connection without a request stays this long, for one that is on the wire already. */
const IDLE_GRACE_MS = 1_000;

/** One caller's connection: which answers it still gets, in which order, and how it ends. */
export class DownstreamConnection {
  readonly locality: Locality;
  /** Taken beyond `limits.connections`: its requests are refused. */
  readonly isOverLimit: boolean;
  readonly #socket: Socket;
  readonly #clock: Clock;
  /** The answers owed, in their order. */
  readonly #open: ServerResponse[] = [];
  readonly #onAnswerClosed: (this: ServerResponse) => void;
  #last: ServerResponse | undefined;
  /** The caller itself said that no request follows the latest. */
  #isCallersLast = false;
  #draining = false;
  #endsWithNext = false;
  #refusal: Refusal | undefined;
  #timer: Timer | undefined;

  constructor(socket: Socket, clock: Clock, isOverLimit: boolean) {
    this.#socket = socket;
    this.#clock = clock;
    this.isOverLimit = isOverLimit;
    this.locality = { port: socket.localPort, address: socket.localAddress?.replace(/^::ffff:/, "") };
    this.#onAnswerClosed = answerClosed((response) => this.#answerClosed(response));
    // With this Node ends a connection behind its last answer.
    socket.destroySoon = () => this.#end();
    socket.on("end", () => this.#watchHalfClosed());
    socket.once("close", () => this.#timer?.cancel());
  }

  get isInUse(): boolean {
    return this.#open.length > 0;
  }

  /** The latest request is not whole: after the end of what the caller sends it never will be. */
  get isMidRequest(): boolean {
    const last = this.#last;
    return last !== undefined && !last.req.complete;
  }

  /** Counts an answer in. False: an earlier one ends the connection, so this is not to be taken for a request. */
  begin(response: ServerResponse): boolean {
    if (this.#refusal !== undefined || this.#last?.shouldKeepAlive === false) return false;
    this.#isCallersLast = !response.shouldKeepAlive;
    if (this.#draining || this.#endsWithNext) response.shouldKeepAlive = false;
    this.#last = response;
    this.#open.push(response);
    response.on("close", this.#onAnswerClosed);
    return true;
  }

  /**
   * The same for a request that asks for an upgrade, which Node lets go of with its socket: its answer is made here,
   * and is the last in HTTP on this connection. Until a 101 what the caller sends waits unread.
   *
   * @param early what came behind the head
   */
  beginHandshake(request: IncomingMessage, early: Buffer): ServerResponse | undefined {
    const socket = this.#socket;
    socket.on("error", () => {});
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    if (!this.begin(response)) return undefined;
    socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
    if (early.length > 0) socket.unshift(early);
    response.assignSocket(socket);
    const onDrain = (): void => void response.emit("drain");
    socket.on("drain", onDrain);
    response.once("finish", () => {
      if (response.closed) return;
      response.detachSocket(socket);
      response.emit("close");
      socket.off("drain", onDrain).end();
      this.#linger();
      socket.resume();
    });
    return response;
  }

  /**
   * The request that comes now is the last. Where an upgrade is ignored, Node drops what came along behind the head, and
   * would take for a request what comes after that: perhaps the middle of a body.
   */
  endWithNext(): void {
    this.#endsWithNext = true;
  }

  /** Sends these bytes after the answers still owed to earlier requests, then closes. */
  refuse(answer: Refusal): void {
    if (this.#refusal !== undefined) return;
    this.#refusal = answer;
    this.#refuseInTurn(answer);
  }

  /** The next answer says `Connection: close`; without one the connection ends in a moment. */
  drain(): void {
    this.#draining = true;
    if (this.#last !== undefined && !this.#last.headersSent) this.#last.shouldKeepAlive = false;
    if (this.#open.length === 0) this.#endWhenIdle();
  }

  /** Its caller has not been told that no request may follow. */
  #endWhenIdle(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.schedule(IDLE_GRACE_MS, () => {
      // Not before what lies ready at the socket has been read: a process that stood still meets its timers first.
      setImmediate(() => {
        if (this.#open.length === 0) closeAtOnce(this.#socket);
      });
    });
  }

  #answerClosed(response: ServerResponse): void {
    const index = this.#open.indexOf(response);
    if (index !== -1) this.#open.splice(index, 1);
    if (this.#refusal !== undefined) this.#refuseInTurn(this.#refusal);
    else if (this.#draining && this.#open.length === 0) {
      // Its head may have gone out before the drain began.
      if (response.shouldKeepAlive) this.#endWhenIdle();
      else this.#socket.destroySoon();
    }
  }

  #refuseInTurn(answer: Refusal): void {
    // Only the latest request can be the broken one: its own answer is not waited for.
    const last = this.#last;
    const broken = last !== undefined && this.isMidRequest;
    if (this.#open.length > (broken && !last.closed ? 1 : 0)) return;
    const socket = this.#socket;
    if (!socket.writable || (broken && last.headersSent)) {
      // It has its answer, or that has begun, perhaps this very refusal: what is written of it still goes out.
      socket.destroySoon();
      return;
    }
    // What waits for the rest of a broken body has to hear of its end at once; nobody else is hurried.
    if (broken) socket.end(answer(last), "latin1", () => socket.destroy());
    else {
      socket.write(answer(undefined), "latin1");
      this.#endInStages();
    }
  }

  #end(): void {
    // The few places beyond the limit are for telling callers so, not for waiting.
    if (this.#isCallersLast || this.isOverLimit) closeAtOnce(this.#socket);
    else this.#endInStages();
  }

  /**
   * What still comes on a connection that is closed both ways is answered with a reset, which can overtake an answer
   * (RFC 9112 §9.6). So a caller who was not to know that this is the end is read for a while longer.
   */
  #endInStages(): void {
    if (this.#socket.writable) this.#socket.end(() => this.#linger());
  }

  #linger(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.once("end", () => socket.destroy());
    this.#timer?.cancel();
    this.#timer = this.#clock.schedule(LINGER_MS, () => socket.destroy());
  }

  /** After a 101 it is for the other protocol to say what an end means. */
  get #isUpgraded(): boolean {
    return this.#last?.headersSent === true && this.#last.statusCode === 101;
  }

  #watchHalfClosed(): void {
    if (this.#open.length === 0 || this.#isUpgraded) return;
    this.#timer?.cancel();
    this.#timer = watchHalfClosed(this.#socket, this.#clock, () =>
      this.#isUpgraded ? undefined : this.#open[0],
    );
  }
}

/** What is written still goes out. */
function closeAtOnce(socket: Socket): void {
  Socket.prototype.destroySoon.call(socket);
}

/** A listener that knows its answer, made once a connection. */
function answerClosed(tell: (response: ServerResponse) => void) {
  return function (this: ServerResponse): void {
    tell(this);
  };
}

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock, Timer } from "../core/clock.ts";

/** Where a request came in. */
export interface Locality {
  /** undefined for a Unix socket. */
  readonly port: number | undefined;
  /** The address of this end of the connection; undefined for a Unix socket. */
  readonly address: string | undefined;
}

/** A caller that shut its sending side may still want its answer: it is cut when nothing of one moved for so long. */
const HALF_CLOSED_MS = 500;

/** What is still on its way from a refused caller is read for so long, or a reset would overtake the answer. */
const LINGER_MS = 1_000;

/** A drained connection without a request stays this long, for one that is on the wire already. */
const IDLE_GRACE_MS = 1_000;

/** One caller's connection: which answers it still gets, in which order, and how it ends. */
export class DownstreamConnection {
  readonly locality: Locality;
  /** Taken beyond `limits.connections`: its requests are refused. */
  readonly isOverLimit: boolean;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #answersOpen = 0;
  #last: ServerResponse | undefined;
  #draining = false;
  #refusal: string | undefined;
  #timer: Timer | undefined;

  constructor(socket: Socket, clock: Clock, isOverLimit: boolean) {
    this.#socket = socket;
    this.#clock = clock;
    this.isOverLimit = isOverLimit;
    this.locality = { port: socket.localPort, address: socket.localAddress?.replace(/^::ffff:/, "") };
    socket.on("end", () => this.#watchHalfClosed(socket.bytesWritten));
    socket.once("close", () => this.#timer?.cancel());
  }

  get isInUse(): boolean {
    return this.#answersOpen > 0;
  }

  /** Counts an answer in. False: an earlier one ends the connection, so this is not to be taken for a request. */
  begin(response: ServerResponse): boolean {
    if (this.#refusal !== undefined || this.#last?.shouldKeepAlive === false) return false;
    if (this.#draining) response.shouldKeepAlive = false;
    this.#last = response;
    this.#answersOpen++;
    response.on("close", this.#onAnswerClosed);
    return true;
  }

  /** Sends these bytes after the answers still owed to earlier requests, then closes. */
  refuse(answer: string): void {
    if (this.#refusal !== undefined) return;
    this.#refusal = answer;
    this.#refuseInTurn(answer);
  }

  /** The next answer says `Connection: close`; without one the connection ends in a moment. */
  drain(): void {
    this.#draining = true;
    if (this.#last !== undefined && !this.#last.headersSent) this.#last.shouldKeepAlive = false;
    if (this.#answersOpen > 0) return;
    this.#timer = this.#clock.schedule(IDLE_GRACE_MS, () => {
      if (this.#answersOpen === 0) this.#socket.destroySoon();
    });
  }

  readonly #onAnswerClosed = (): void => {
    this.#answersOpen--;
    if (this.#refusal !== undefined) this.#refuseInTurn(this.#refusal);
    else if (this.#draining && this.#answersOpen === 0) this.#socket.destroySoon();
  };

  #refuseInTurn(answer: string): void {
    // Only the latest request can be the broken one: its own answer is not waited for.
    const last = this.#last;
    const broken = last !== undefined && !last.closed && !last.req.complete;
    if (this.#answersOpen > (broken ? 1 : 0)) return;
    const socket = this.#socket;
    if (!socket.writable || (broken && last.headersSent)) {
      // An answer has begun, perhaps this very refusal: what is written of it still goes out.
      socket.destroySoon();
      return;
    }
    // What waits for the rest of a broken body has to hear of its end at once; nobody else is hurried.
    if (broken) socket.end(answer, "latin1", () => socket.destroy());
    else {
      socket.end(answer, "latin1");
      socket.once("end", () => socket.destroy());
      this.#timer?.cancel();
      this.#timer = this.#clock.schedule(LINGER_MS, () => socket.destroy());
    }
  }

  #watchHalfClosed(sentBytes: number): void {
    if (this.#answersOpen === 0) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.schedule(HALF_CLOSED_MS, () => {
      const { bytesWritten, writableLength } = this.#socket;
      if (bytesWritten === sentBytes && writableLength === 0) this.#socket.destroy();
      else this.#watchHalfClosed(bytesWritten);
    });
  }
}

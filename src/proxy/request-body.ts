import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { Clock, Timer } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import type { MemoryValve } from "../core/memory-valve.ts";
import { SOON } from "../core/soon.ts";

/**
 * Bytes on the wire may exceed those of the body by so many, and by so many times its length: chunk lines of the
 * smallest chunks take five, and what is read ahead of further requests is less than the constant. Beyond that it is
 * chunk extensions that the caller sends, each chunk's small enough for the parser (RFC 9112 §7.1.1).
 */
const OVERHEAD_BYTES = 131_072;
const OVERHEAD_FACTOR = 16;

/**
 * A body that drips is as good as none: over so many times `limits.body_idle` it has to bring so many bytes a second, as
 * Apache's mod_reqtimeout (MinRate) and Kestrel (MinRequestBodyDataRate) ask, whose 500 and 240 would end streams of
 * sparse events.
 */
const PACE_PATIENCE = 5;
const MIN_BYTES_PER_SECOND = 2;

const STOPPED = "The request's body stopped coming for limits.body_idle.";

export interface RequestBodyOptions {
  readonly clock: Clock;
  readonly memory: MemoryValve;
  /** The caller may be silent for so long while the body is wanted. */
  readonly idleMs: number;
  /** Bytes kept for a replay; 0: none. */
  readonly keepBytes: number;
  /** Set when the caller waits for `100 Continue`; it is sent when the body is first wanted. */
  readonly continueOn: ServerResponse | undefined;
}

/** Told where a body does not come along with its head. */
export interface BodyObserver {
  /** The caller is waited for. */
  onBodyAwaited(): void;
  /** It is not any more: the first of the body is there. */
  onBodyBegun(): void;
}

/**
 * The caller's body on its way up, with backpressure. It stands between the two sockets so that an upstream that
 * answers early or breaks takes down this stream and not the connection to the caller, who still gets the answer.
 */
export class RequestBody extends Readable {
  readonly #request: IncomingMessage;
  readonly #options: RequestBodyOptions;
  #kept: Buffer[] | undefined;
  #keptBytes = 0;
  readonly #startBytes: number;
  #bodyBytes = 0;
  #lastByteAtMs: number;
  /** Where the measure of the pace begins: in time, and in bytes of the body. */
  #paceFromMs = 0;
  #paceFromBytes = 0;
  #idleTimer: Timer | undefined;
  #wanted = false;
  #begun = false;
  #ended = false;
  #awaited: ((error?: Error) => void) | undefined;
  #observer: BodyObserver | undefined;

  constructor(request: IncomingMessage, options: RequestBodyOptions) {
    super({ highWaterMark: 65_536 });
    this.#request = request;
    this.#startBytes = request.socket.bytesRead;
    this.#options = options;
    this.#kept = options.keepBytes > 0 ? [] : undefined;
    this.#lastByteAtMs = options.clock.now();
    // Whoever reads this hears of an error; when nobody does any more, it is of no account.
    this.on("error", () => {});
  }

  /**
   * Calls `then` once the first of the body, or its end, is there to be read; with an error where it was given up before.
   * Nothing is read yet, so that a request that waits holds no more than the caller's connection does anyway.
   */
  begins(then: (error?: Error) => void, observer?: BodyObserver): void {
    if (this.#isThere) then();
    else {
      // What came along with the head is parsed right after it.
      void SOON.then(() => {
        if (this.#isThere) then();
        else this.#awaitFirst(then, observer);
      });
    }
  }

  /** The whole body, when all of it came and was small enough to keep; else undefined. */
  kept(): Buffer | undefined {
    return this.#kept === undefined || !this.#ended ? undefined : Buffer.concat(this.#kept);
  }

  override _read(): void {
    if (!this.#begun) this.#begin();
    if (!this.#begun || this.#wanted) return;
    this.#wanted = true;
    this.#lastByteAtMs = this.#options.clock.now();
    // The time in which the upstream took nothing is not the caller's.
    this.#measurePace();
    this.#request.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#detach();
    // What the caller still sends is read and thrown away, so that it gets to read the answer.
    this.#request.resume();
    callback(error);
    // An error is made only for whoever hears it: this is the way of every body, and a stack trace is dear.
    if (this.#awaited !== undefined) this.#tellAwaiting(error ?? givenUp());
  }

  get #isThere(): boolean {
    return this.#request.readableLength > 0 || this.#request.complete;
  }

  #awaitFirst(then: (error?: Error) => void, observer: BodyObserver | undefined): void {
    this.#awaited = then;
    this.#observer = observer;
    observer?.onBodyAwaited();
    if (this.destroyed) {
      this.#tellAwaiting(this.errored ?? givenUp());
      return;
    }
    const { clock, idleMs } = this.#options;
    this.#idleTimer = clock.schedule(idleMs, () => this.#giveUp(STOPPED));
    this.#request.on("readable", this.#onReadable).on("close", this.#onClose);
  }

  #tellAwaiting(error?: Error): void {
    const then = this.#awaited;
    this.#awaited = undefined;
    then?.(error);
  }

  #begin(): void {
    const { continueOn } = this.#options;
    if (continueOn?.socket === null) {
      // Behind an earlier answer that is not whole yet, Node would put the 100 into the midst of this one.
      continueOn.once("socket", () => {
        if (!this.destroyed) this._read();
      });
      return;
    }
    this.#begun = true;
    // What waited its turn may have its final answer by now, and Node throws at a 100 behind that.
    if (continueOn?.headersSent === false) continueOn.writeContinue();
    this.#request.on("data", this.#onData).on("end", this.#onEnd).on("close", this.#onClose);
    this.#watchIdle();
  }

  #measurePace(): void {
    this.#paceFromMs = this.#options.clock.now();
    this.#paceFromBytes = this.#bodyBytes;
  }

  #watchIdle(): void {
    const { clock, idleMs } = this.#options;
    const nowMs = clock.now();
    const restMs = this.#lastByteAtMs + idleMs - nowMs;
    if (restMs <= 0 && this.#wanted) {
      this.#giveUp(STOPPED);
      return;
    }
    const paceMs = nowMs - this.#paceFromMs;
    if (paceMs >= PACE_PATIENCE * idleMs && this.#wanted) {
      if ((this.#bodyBytes - this.#paceFromBytes) * 1_000 < MIN_BYTES_PER_SECOND * paceMs) {
        this.#giveUp(
          `The request's body came with less than ${MIN_BYTES_PER_SECOND} bytes a second for ${PACE_PATIENCE} times limits.body_idle.`,
        );
        return;
      }
      this.#measurePace();
    }
    const paceRestMs = this.#paceFromMs + PACE_PATIENCE * idleMs - nowMs;
    const nextMs = Math.min(restMs > 0 ? restMs : idleMs, paceRestMs > 0 ? paceRestMs : idleMs);
    this.#idleTimer = clock.schedule(nextMs, () => this.#watchIdle());
  }

  #giveUp(why: string): void {
    this.destroy(new ProxyError("REQUEST_INVALID", why));
  }

  readonly #onReadable = (): void => {
    if (!this.#isThere) return;
    this.#detach();
    this.#observer?.onBodyBegun();
    this.#tellAwaiting();
  };

  readonly #onData = (chunk: Buffer): void => {
    this.#lastByteAtMs = this.#options.clock.now();
    this.#options.memory.relayed(chunk.length);
    this.#bodyBytes += chunk.length;
    const overheadBytes = this.#request.socket.bytesRead - this.#startBytes - this.#bodyBytes;
    if (overheadBytes > OVERHEAD_BYTES + OVERHEAD_FACTOR * this.#bodyBytes) {
      this.destroy(new ProxyError("REQUEST_INVALID", "The body is mostly chunk extensions."));
      return;
    }
    this.#keep(chunk);
    if (this.push(chunk)) return;
    this.#wanted = false;
    this.#request.pause();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#detach();
    this.push(null);
  };

  readonly #onClose = (): void => {
    this.destroy(new Error("the caller went away in the middle of its body"));
  };

  #keep(chunk: Buffer): void {
    if (this.#kept === undefined) return;
    this.#keptBytes += chunk.length;
    if (this.#keptBytes > this.#options.keepBytes) this.#kept = undefined;
    else this.#kept.push(chunk);
  }

  #detach(): void {
    this.#idleTimer?.cancel();
    this.#request.off("data", this.#onData).off("end", this.#onEnd).off("close", this.#onClose);
    // Even one that is not there makes the stream look at all of its listeners in the next turn.
    if (this.#awaited !== undefined) this.#request.off("readable", this.#onReadable);
  }
}

function givenUp(): Error {
  return new Error("the request was given up before its body began");
}

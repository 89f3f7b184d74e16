import type { Clock } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import type { Injection, TokenSource } from "../token/token-source.ts";

/** A token that ages each time before it can be sent lives for too short a time to be of use. */
const MAX_EXCHANGED = 8;

/**
 * What one request injects. The request may wait for its socket longer than its token lives (product contract §3, rule 2:
 * an expired token is never sent), so the token is looked at again when that wait is over, and exchanged where it has
 * aged. What is sent in the same turn costs one comparison.
 */
export class TokenToSend {
  readonly #source: TokenSource | undefined;
  readonly #clock: Clock;
  readonly #route: string;
  #injection: Injection | undefined;
  #givenAtMs = 0;
  #hasWaited = false;
  #wasSent = false;
  #isAbandoned = false;
  /** What is in the head as it was written last, before it went anywhere. */
  #written: Injection | undefined;
  #isWritten = false;
  /** What has to be waited for before anything is sent. */
  #newer: Promise<Injection> | undefined;
  #exchanged = 0;

  /** `route` is for messages. */
  constructor(source: TokenSource | undefined, clock: Clock, route: string) {
    this.#source = source;
    this.#clock = clock;
    this.#route = route;
  }

  /** What was sent last, or is about to be. */
  get injection(): Injection | undefined {
    return this.#injection;
  }

  /** `nowMs`: monotonic. */
  give(injection: Injection | undefined, nowMs: number): void {
    this.#injection = injection;
    this.#givenAtMs = nowMs;
    this.#newer = undefined;
    this.#isWritten = false;
    this.#wasSent = false;
    this.#hasWaited = false;
  }

  /** The same is to be sent once more, some time after it was sent in vain. */
  giveAgain(): void {
    this.#newer = undefined;
    this.#isWritten = false;
    this.#wasSent = true;
    this.#hasWaited = true;
  }

  /** Time may pass from now on before it is sent. */
  waits(): void {
    this.#hasWaited = true;
  }

  /** It is not to be sent any more: no other is asked for. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  /** What to write into a head that is made now. Whether that may be sent then says `mustWait()`. */
  write(): Injection | undefined {
    this.#exchangeAged();
    this.#written = this.#injection;
    this.#isWritten = true;
    return this.#injection;
  }

  /**
   * To be asked directly before a byte is sent. undefined: the head that was written may go, and so may one that is made
   * now. Otherwise nothing may be sent but what comes of it, in another head; it rejects as `TokenSource.token()` does.
   */
  mustWait(): Promise<Injection> | undefined {
    if (!this.#hasWaited) return undefined;
    this.#exchangeAged();
    if (this.#newer !== undefined) return this.#newer;
    const isOutdated = this.#isWritten && this.#written !== this.#injection;
    return isOutdated ? Promise.resolve(this.#injection as Injection) : undefined;
  }

  #exchangeAged(): void {
    if (!this.#hasWaited || this.#isAbandoned || this.#newer !== undefined) return;
    const aged = this.#injection;
    if (aged?.hasAged(this.#givenAtMs, this.#clock) !== true) return;
    const token = this.#another(aged);
    if (token instanceof Promise) {
      this.#newer = token;
      // Where no connection is had, nobody asks for it any more.
      token.catch(() => {});
    } else {
      this.#injection = token;
      this.#givenAtMs = this.#clock.now();
      this.#wasSent = false;
    }
  }

  /** Never throws: whoever asks for the head has others in line. */
  #another(aged: Injection): Injection | Promise<Injection> {
    this.#exchanged += 1;
    if (this.#exchanged > MAX_EXCHANGED) return Promise.reject(this.#shortLived());
    try {
      return this.#source?.token(this.#wasSent ? undefined : aged) ?? aged;
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  #shortLived(): ProxyError {
    return new ProxyError(
      "TOKEN_UNAVAILABLE",
      `The tokens of route ${this.#route} expire sooner than a connection to its upstream is had.`,
      { retryAfterSeconds: 1 },
    );
  }
}

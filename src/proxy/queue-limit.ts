import type { Clock, Timer } from "../core/clock.ts";

/** Bounds how long a request waits for a socket, over all the times that it has to line up for one. */
export class QueueLimit {
  readonly #clock: Clock;
  readonly #limitMs: number;
  #endsAtMs: number | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limitMs = limitMs;
  }

  /** Calls `onLimit` once what is left has passed, unless it is told otherwise before. */
  lineUp(onLimit: () => void): void {
    const nowMs = this.#clock.now();
    this.#endsAtMs ??= nowMs + this.#limitMs;
    this.#timer?.cancel();
    this.#timer = this.#clock.schedule(this.#endsAtMs - nowMs, onLimit);
  }

  /** It has a socket, which it may yet have to give back. */
  leave(): void {
    this.#timer?.cancel();
  }

  /** From here on it is another wait, if there is one. */
  reset(): void {
    this.#timer?.cancel();
    this.#endsAtMs = undefined;
  }
}

import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../core/clock.ts";
import type { MemoryValve } from "../core/memory-valve.ts";

export interface TunnelDeps {
  readonly clock: Clock;
  readonly memory: MemoryValve;
}

/** After one side has ended, the other may be silent for so long before both are cut. */
const HALF_CLOSED_MS = 750;

/** After one side died, what it had sent may take so long to reach the other. */
const FLUSH_MS = 750;

/** The same where both had ended and only the last bytes are still to be taken. */
const LAST_BYTES_MS = 30_000;

/**
 * Bytes both ways between two sockets, with backpressure, after an upgrade. Neither outlives the other by more than a
 * moment. An end passes on alone, so that the rest of the other direction still comes; but it is also all that is seen
 * of a peer that died, so silence behind it is not waited out. As long as neither side ends, silence is no fault: there
 * is no idle limit.
 */
export class Tunnel {
  readonly #downstream: Duplex;
  readonly #upstream: Duplex;
  readonly #deps: TunnelDeps;
  #relayedBytes = 0;
  #timer: Timer | undefined;

  constructor(downstream: Duplex, upstream: Duplex, deps: TunnelDeps) {
    this.#downstream = downstream;
    this.#upstream = upstream;
    this.#deps = deps;
    // Sockets to upstreams end by themselves when their peer does.
    upstream.allowHalfOpen = true;
    this.#relay(downstream, upstream);
    this.#relay(upstream, downstream);
  }

  /** Both sides said all they had to say: nothing was cut. */
  get isComplete(): boolean {
    return this.#downstream.readableEnded && this.#upstream.readableEnded;
  }

  #relay(from: Duplex, to: Duplex): void {
    from.on("data", (chunk: Buffer) => {
      this.#relayedBytes += chunk.length;
      this.#deps.memory.relayed(chunk.length);
      if (!to.write(chunk)) from.pause();
    });
    to.on("drain", () => from.resume());
    from.on("end", () => {
      to.end();
      this.#watchHalfClosed();
    });
    // What matters of an error is the close that follows it.
    from.on("error", () => {});
    from.on("close", () => this.#finish(to));
    from.resume();
  }

  #watchHalfClosed(): void {
    this.#timer?.cancel();
    const relayedBytes = this.#relayedBytes;
    this.#timer = this.#deps.clock.schedule(HALF_CLOSED_MS, () => {
      const isQuiet = relayedBytes === this.#relayedBytes && this.#pendingBytes === 0;
      if (!isQuiet) this.#watchHalfClosed();
      else {
        this.#downstream.destroy();
        this.#upstream.destroy();
      }
    });
  }

  get #pendingBytes(): number {
    return this.#downstream.writableLength + this.#upstream.writableLength;
  }

  /** One side is gone: the other gets what is still on its way to it, and is gone too. */
  #finish(rest: Duplex): void {
    this.#timer?.cancel();
    if (rest.destroyed) return;
    const limitMs = this.isComplete ? LAST_BYTES_MS : FLUSH_MS;
    this.#timer = this.#deps.clock.schedule(limitMs, () => rest.destroy());
    if (rest.writableEnded) {
      if (rest.writableFinished) rest.destroy();
      else rest.once("finish", () => rest.destroy());
    } else rest.end(() => rest.destroy());
  }
}

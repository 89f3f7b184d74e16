import type { Socket } from "node:net";
import type { Dispatcher } from "undici";
import { closedByUpstream } from "./answer-errors.ts";
import { type CallCarrier, type CallOptions, Http1Call } from "./http1-call.ts";
import type { UpstreamDispatch } from "./upstream-pool.ts";

export interface ConnectionOptions extends CallOptions {
  /** How long it is kept without a request, where the upstream says nothing of it. */
  readonly keepAliveMs: number;
  readonly keepAliveMaxMs: number;
  /** Between two calls of `onTick`. */
  readonly tickMs: number;
}

export interface ConnectionOwner {
  /** It can take another request. */
  onFree(connection: Http1Connection): void;
  /** It will take none any more. */
  onGone(connection: Http1Connection): void;
}

/** So much sooner than its upstream would is a kept connection closed, so that no request meets the end of it. */
const KEEP_ALIVE_MARGIN_MS = 2_000;

/** A kept-alive connection to an upstream: one request at a time, and no byte that nobody asked for. */
export class Http1Connection implements CallCarrier {
  readonly socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #owner: ConnectionOwner;
  #call: Http1Call | undefined;
  #answers = 0;
  #keepAliveMs: number;
  #quietTicks = 0;
  #isGone = false;

  constructor(socket: Socket, options: ConnectionOptions, owner: ConnectionOwner) {
    this.socket = socket;
    this.#options = options;
    this.#owner = owner;
    this.#keepAliveMs = options.keepAliveMs;
    socket.on("data", this.#onData).on("end", this.#onEnd).on("drain", this.#onDrain);
    socket.on("error", this.#onError).on("close", this.#onClose);
    // The caller's connection keeps the process alive; one without a request does not.
    socket.unref();
  }

  get isUsable(): boolean {
    return !this.#isGone && this.#call === undefined && this.socket.writable && this.socket.readable;
  }

  /** False: nobody wants it any more, and the connection is free for another. */
  send(request: UpstreamDispatch, handler: Dispatcher.DispatchHandler): boolean {
    const call = new Http1Call(request, handler, this, this.#options);
    this.#call = call;
    this.#quietTicks = 0;
    if (call.start()) return true;
    if (this.#call === call) this.#call = undefined;
    return false;
  }

  /** Looks how long the upstream has been silent: no less exact than a tick, and no timer for each request. */
  onTick(): void {
    const patienceMs = this.#call === undefined ? this.#keepAliveMs : this.#call.patienceMs;
    if (patienceMs === undefined) {
      this.#quietTicks = 0;
      return;
    }
    // The first tick came at any time after the last byte.
    if (this.#quietTicks++ * this.#options.tickMs < patienceMs) return;
    if (this.#call === undefined) this.onBroken();
    else this.#call.onSilence();
  }

  destroy(error: Error): void {
    if (this.#call === undefined) this.onBroken();
    else this.#call.fail(error);
  }

  onWhole(mayStay: boolean, saidMs: number | undefined): void {
    this.#call = undefined;
    this.#answers += 1;
    this.#quietTicks = 0;
    const { keepAliveMs, keepAliveMaxMs } = this.#options;
    this.#keepAliveMs =
      saidMs === undefined ? keepAliveMs : Math.min(saidMs - KEEP_ALIVE_MARGIN_MS, keepAliveMaxMs);
    if (!mayStay || this.#keepAliveMs <= 0 || this.socket.destroyed) {
      this.onBroken();
      return;
    }
    if (this.socket.isPaused()) this.socket.resume();
    this.#owner.onFree(this);
  }

  onBroken(): void {
    this.#call = undefined;
    this.socket.destroy();
    this.#leave();
  }

  onSwitched(): void {
    this.#call = undefined;
    const { socket } = this;
    socket.off("data", this.#onData).off("end", this.#onEnd).off("drain", this.#onDrain);
    socket.off("error", this.#onError).off("close", this.#onClose);
    this.#leave();
  }

  #leave(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#owner.onGone(this);
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#quietTicks = 0;
    // An answer to nothing would become the answer of whoever comes next.
    if (this.#call === undefined) this.onBroken();
    else this.#call.receive(bytes);
  };

  readonly #onDrain = (): void => {
    this.#quietTicks = 0;
    this.#call?.onDrain();
  };

  readonly #onEnd = (): void => {
    if (this.#call?.onEnd() !== true) this.destroy(this.#closed());
  };

  readonly #onError = (error: Error): void => {
    if (!("socket" in error)) Object.assign(error, { socket: { bytesRead: this.#answers > 0 ? 1 : 0 } });
    this.destroy(error);
  };

  readonly #onClose = (): void => {
    this.destroy(this.#closed());
  };

  #closed(): Error {
    return closedByUpstream(this.#answers > 0);
  }
}

import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { type Connector, peerOf } from "./connector.ts";
import { type ConnectionOptions, type ConnectionOwner, Http1Connection } from "./http1-connection.ts";
import type { TrailerSlot } from "./request-trailers.ts";
import type { UpstreamDispatch, UpstreamPool } from "./upstream-pool.ts";

type Handler = Dispatcher.DispatchHandler;

export interface Http1PoolOptions {
  readonly upstream: URL;
  readonly connector: Connector;
  readonly connections: number;
  readonly keepAliveMs: number;
  readonly keepAliveMaxMs: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Of an answer's head, and of its trailers. */
  readonly maxHeaderBytes: number;
  readonly trailers: TrailerSlot;
}

interface Waiting {
  readonly request: UpstreamDispatch;
  readonly handler: Handler;
}

/** How often somebody looks who has been silent for too long; a limit may be overrun by two of these. */
const MIN_TICK_MS = 200;
const MAX_TICK_MS = 500;

export function createHttp1Pool(options: Http1PoolOptions): UpstreamPool {
  return new Http1Pool(options);
}

/** Connections to one upstream over HTTP/1.1, kept between requests; whoever finds none free waits in line. */
class Http1Pool implements UpstreamPool, ConnectionOwner {
  readonly #options: Http1PoolOptions;
  readonly #ofConnections: ConnectionOptions;
  readonly #connections = new Set<Http1Connection>();
  /** The one used last is taken first, so that those that are not needed grow old. */
  readonly #free: Http1Connection[] = [];
  readonly #line: Waiting[] = [];
  #connecting = 0;
  #isClosed = false;
  #isHandingOut = false;
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: Http1PoolOptions) {
    const shortestMs = Math.min(options.headersTimeoutMs, options.idleTimeoutMs, options.keepAliveMs);
    this.#options = options;
    this.#ofConnections = {
      ...options,
      host: options.upstream.host,
      tickMs: Math.max(MIN_TICK_MS, Math.min(MAX_TICK_MS, Math.floor(shortestMs / 10))),
    };
  }

  dispatch(request: UpstreamDispatch, handler: Handler): void {
    if (!(request.body instanceof Readable) || request.expectContinue === true) {
      this.#lineUp(request, handler);
      return;
    }
    // A head goes out together with the first of the body: until that is there, no connection is taken for it.
    request.bodyBegins((error) => {
      if (error === undefined) this.#lineUp(request, handler);
      else tellFailure(handler, error);
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const connection of this.#free.splice(0)) connection.destroy(closed());
  }

  async destroy(): Promise<void> {
    this.#isClosed = true;
    for (const { handler } of this.#line.splice(0)) tellFailure(handler, closed());
    for (const connection of [...this.#connections]) connection.destroy(closed());
  }

  onFree(connection: Http1Connection): void {
    if (this.#isClosed && this.#line.length === 0) {
      connection.destroy(closed());
      return;
    }
    this.#free.push(connection);
    this.#provide();
  }

  onGone(connection: Http1Connection): void {
    this.#connections.delete(connection);
    const at = this.#free.indexOf(connection);
    if (at !== -1) this.#free.splice(at, 1);
    if (this.#connections.size === 0) {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    }
    this.#provide();
  }

  #lineUp(request: UpstreamDispatch, handler: Handler): void {
    this.#line.push({ request, handler });
    this.#provide();
  }

  /** Sees to it that whoever waits gets a connection, as far as there may be so many. */
  #provide(): void {
    const waiting = this.#line.length;
    if (waiting === 0) return;
    if (this.#free.length > 0) this.#handOut();
    let lacking = waiting - this.#free.length - this.#connecting;
    while (lacking > 0 && this.#connections.size + this.#connecting < this.#options.connections) {
      lacking -= 1;
      this.#connect();
    }
  }

  /**
   * Not before what lies ready at the sockets has been read: an end, or an answer to nothing, must be seen before a
   * request goes out, or it would be taken for that request's answer.
   */
  #handOut(): void {
    if (this.#isHandingOut) return;
    this.#isHandingOut = true;
    setImmediate(() => {
      this.#isHandingOut = false;
      // Each once at most: where one is given back, what it was given for may come in the next turn.
      for (let left = Math.min(this.#line.length, this.#free.length); left > 0; left -= 1) {
        const connection = this.#free.pop();
        if (connection?.isUsable === true) this.#serve(connection);
        else connection?.destroy(closed());
      }
      this.#provide();
    });
  }

  #serve(connection: Http1Connection): void {
    const next = this.#line.shift();
    if (next !== undefined && connection.send(next.request, next.handler)) return;
    this.#free.push(connection);
    this.#provide();
  }

  #connect(): void {
    this.#connecting += 1;
    this.#options.connector(peerOf(this.#options.upstream), (...[error, socket]) => {
      this.#connecting -= 1;
      if (error === null) this.#take(socket);
      else this.#onConnectFailure(error);
    });
  }

  #take(socket: Socket): void {
    const connection = new Http1Connection(socket, this.#ofConnections, this);
    if (this.#isClosed && this.#line.length === 0) {
      connection.destroy(closed());
      return;
    }
    this.#connections.add(connection);
    this.#ticker ??= this.#startTicker();
    this.#serve(connection);
  }

  /** Told to one of those who wait, unless another connection comes for each of them. */
  #onConnectFailure(error: Error): void {
    const next = this.#line.length > this.#free.length + this.#connecting ? this.#line.shift() : undefined;
    if (next !== undefined) tellFailure(next.handler, error);
    this.#provide();
  }

  #startTicker(): NodeJS.Timeout {
    const ticker = setInterval(() => {
      for (const connection of this.#connections) connection.onTick();
    }, this.#ofConnections.tickMs);
    return ticker.unref();
  }
}

/** Before a connection is there, a handler is given no controller, as with undici. */
function tellFailure(handler: Handler, error: Error): void {
  handler.onResponseError?.(undefined as unknown as Dispatcher.DispatchController, error);
}

function closed(): Error {
  return new Error("the pool is closed");
}

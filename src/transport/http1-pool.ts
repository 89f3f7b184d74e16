import { Readable } from "node:stream";
import { type Dispatcher, Pool } from "undici";
import type { Connector } from "./connector.ts";
import { Http1Expecting } from "./http1-expecting.ts";
import type { TrailerSlot } from "./request-trailers.ts";
import type { UpstreamDispatch, UpstreamPool } from "./upstream-pool.ts";

export interface Http1PoolOptions {
  readonly upstream: URL;
  readonly connector: Connector;
  /** One that leaves its sockets as Node makes them. */
  readonly bareConnector: Connector;
  readonly connections: number;
  readonly keepAliveMs: number;
  readonly keepAliveMaxMs: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxHeaderBytes: number;
  readonly trailers: TrailerSlot;
}

const GIVEN_UP = new Error("the request was given up while it waited for a connection");

/** undici's pool for HTTP/1.1, but for requests with `Expect: 100-continue`, which have connections of their own. */
export function createHttp1Pool(options: Http1PoolOptions): UpstreamPool {
  const { upstream, connections } = options;
  const expecting = new Set<Http1Expecting>();
  const waiting: { readonly request: UpstreamDispatch; readonly handler: Dispatcher.DispatchHandler }[] = [];
  const pool = new Pool(upstream.origin, {
    connect: options.connector,
    connections,
    pipelining: 1,
    keepAliveTimeout: options.keepAliveMs,
    keepAliveMaxTimeout: options.keepAliveMaxMs,
    maxHeaderSize: options.maxHeaderBytes,
    headersTimeout: options.headersTimeoutMs,
    bodyTimeout: options.idleTimeoutMs,
    allowH2: false,
  });

  function expectNext(): void {
    while (expecting.size < connections) {
      const next = waiting.shift();
      if (next === undefined) return;
      // Nobody waits for it any more: not worth a connection.
      if (next.request.body instanceof Readable && next.request.body.destroyed) {
        next.handler.onResponseError?.(undefined as unknown as Dispatcher.DispatchController, GIVEN_UP);
        continue;
      }
      const exchange = new Http1Expecting(next.handler, {
        ...options,
        connector: options.bareConnector,
        onClose() {
          expecting.delete(exchange);
          expectNext();
        },
      });
      expecting.add(exchange);
      exchange.start(next.request);
    }
  }

  return {
    dispatch(request, handler) {
      if (request.expectContinue === true) {
        waiting.push({ request, handler });
        expectNext();
      } else if (request.body instanceof Readable) {
        // undici writes a head, with what it held when it had its socket, together with the first of the body.
        request.bodyBegins((error) => {
          if (error === undefined) pool.dispatch(request, handler);
          else handler.onResponseError?.(undefined as unknown as Dispatcher.DispatchController, error);
        });
      } else pool.dispatch(request, handler);
    },
    close: () => pool.close(),
    async destroy() {
      const error = new Error("the pool is destroyed");
      for (const { handler } of waiting.splice(0))
        handler.onResponseError?.(undefined as unknown as Dispatcher.DispatchController, error);
      for (const exchange of expecting) exchange.abort(error);
      await pool.destroy();
    },
  };
}

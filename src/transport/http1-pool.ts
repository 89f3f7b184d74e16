import { Pool } from "undici";
import type { Connector } from "./connector.ts";
import { Http1Expecting } from "./http1-expecting.ts";
import type { TrailerSlot } from "./request-trailers.ts";

/** What the data plane asks of its way to an upstream. */
export type UpstreamPool = Pick<Pool, "dispatch" | "close" | "destroy">;

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

/** undici's pool for HTTP/1.1, but for requests with `Expect: 100-continue`, which have connections of their own. */
export function createHttp1Pool(options: Http1PoolOptions): UpstreamPool {
  const { upstream, connections } = options;
  const expecting = new Set<Http1Expecting>();
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
  return {
    dispatch(request, handler) {
      // Beyond the limit they queue with the others, whose head waits for their body.
      if (request.expectContinue !== true || expecting.size >= connections)
        return pool.dispatch(request, handler);
      const exchange = new Http1Expecting(handler, {
        ...options,
        connector: options.bareConnector,
        onClose: () => void expecting.delete(exchange),
      });
      expecting.add(exchange);
      exchange.start(request);
      return true;
    },
    close: () => pool.close(),
    async destroy() {
      for (const exchange of expecting) exchange.abort(new Error("the pool is destroyed"));
      await pool.destroy();
    },
  };
}

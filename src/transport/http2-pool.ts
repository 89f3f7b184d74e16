import type { Socket } from "node:net";
import type { Dispatcher } from "undici";
import { type Connector, peerOf } from "./connector.ts";
import { createHttp1Pool, type Http1PoolOptions } from "./http1-pool.ts";
import { type Http2Session, type Http2SessionsOptions, openHttp2Session } from "./http2-sessions.ts";
import type { Http2Request } from "./http2-stream.ts";
import type { UpstreamPool } from "./upstream-pool.ts";

export interface Http2PoolOptions {
  /** Offers `h2` and `http/1.1` by ALPN; leaves its sockets as Node makes them. */
  readonly connector: Connector;
  readonly connectTimeoutMs: number;
  /** For upstreams that choose HTTP/1.1, and for upgrades. Its limits hold for HTTP/2 too. */
  readonly http1: Http1PoolOptions;
}

/**
 * A pool that speaks HTTP/2 where the upstream chooses it by ALPN (RFC 9113 §3.2), and HTTP/1.1 where it does not. The
 * choice is asked for once, and again when HTTP/1.1 can no longer be connected.
 */
export function createHttp2Pool(options: Http2PoolOptions): UpstreamPool {
  const { connector } = options;
  const { upstream, connections } = options.http1;
  const waiting: Http2Request[] = [];
  const sessions = new Set<Http2Session>();
  let connecting = false;
  let closed = false;
  let chosen: "h2" | "http/1.1" | undefined;

  const http1 = createHttp1Pool({
    ...options.http1,
    connector: (target, callback) =>
      options.http1.connector(target, (...[error, socket]) => {
        if (error === null) callback(null, socket);
        else {
          chosen = undefined;
          callback(error, null);
        }
      }),
  });

  const sessionOptions: Http2SessionsOptions = {
    origin: upstream,
    headersTimeoutMs: options.http1.headersTimeoutMs,
    idleTimeoutMs: options.http1.idleTimeoutMs,
    keepAliveMs: options.http1.keepAliveMaxMs,
    trailers: options.http1.trailers,
    settingsTimeoutMs: options.connectTimeoutMs,
    onFree(again) {
      if (again !== undefined) waiting.unshift(again);
      drain();
    },
  };

  function drain(): void {
    while (waiting.length > 0) {
      const session = usableSession();
      if (session === undefined) break;
      session.send(waiting.shift() as Http2Request);
    }
    if (waiting.length > 0 && !connecting && liveSessions() < connections) open();
  }

  function liveSessions(): number {
    let live = 0;
    for (const session of sessions) if (!session.isRetired) live++;
    return live;
  }

  function usableSession(): Http2Session | undefined {
    for (const session of sessions) if (session.isUsable) return session;
    return undefined;
  }

  function open(): void {
    connecting = true;
    connector(peerOf(upstream), (...[error, socket]) => {
      if (error !== null) {
        connecting = false;
        fail(error);
      } else if (closed) socket.destroy();
      else if ("alpnProtocol" in socket && socket.alpnProtocol === "h2") greet(socket);
      else fallBack(socket);
    });
  }

  function greet(socket: Socket): void {
    openHttp2Session(socket, sessionOptions)
      .then(
        (session) => {
          chosen = "h2";
          sessions.add(session);
          socket.once("close", () => {
            sessions.delete(session);
            drain();
          });
          if (closed) session.retire();
        },
        (error: Error) => fail(error),
      )
      .finally(() => {
        connecting = false;
        drain();
      });
  }

  function fallBack(socket: Socket): void {
    connecting = false;
    chosen = "http/1.1";
    // It was asked for both protocols: the pool makes its own.
    socket.destroy();
    for (const { options: request, handler } of waiting.splice(0)) http1.dispatch(request, handler);
  }

  /** Those who wait may still be served by a session there is. */
  function fail(error: Error): void {
    if (liveSessions() > 0) return;
    for (const { handler } of waiting.splice(0)) {
      handler.onResponseError?.(undefined as unknown as Dispatcher.DispatchController, error);
    }
  }

  return {
    dispatch(request, handler) {
      if (chosen === "http/1.1" || request.upgrade) return http1.dispatch(request, handler);
      waiting.push({ options: request, handler, repeated: false });
      drain();
    },
    async close() {
      closed = true;
      for (const session of sessions) session.retire();
      await http1.close();
    },
    async destroy() {
      closed = true;
      for (const session of sessions) session.destroy();
      await http1.destroy();
    },
  };
}

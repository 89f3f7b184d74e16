import { type ClientHttp2Session, connect, type Settings } from "node:http2";
import type { Socket } from "node:net";
import { closedByUpstream, malformedAnswer } from "./answer-errors.ts";
import { isOfParser } from "./http2-errors.ts";
import { type Http2Request, Http2Stream } from "./http2-stream.ts";
import type { TrailerSlot } from "./request-trailers.ts";

export interface Http2SessionsOptions {
  readonly origin: URL;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** A session without a stream is closed after so long. */
  readonly keepAliveMs: number;
  readonly trailers: TrailerSlot;
  /** Time for the peer's SETTINGS, which come with its first words (RFC 9113 §3.4). */
  readonly settingsTimeoutMs: number;
  /** A stream has become free, or this request has to be sent again. */
  onFree(again?: Http2Request): void;
}

export interface Http2Session {
  /** It takes one more stream now. */
  readonly isUsable: boolean;
  /** It takes no further streams, ever. */
  readonly isRetired: boolean;
  /** Sends the request on a stream of its own; the handler hears of everything that follows. */
  send(request: Http2Request): void;
  /** Takes no further streams; closes with the last. */
  retire(): void;
  destroy(): void;
}

/** More at once than this share one connection's fate needlessly; the peer may allow fewer, never more. */
const MAX_STREAMS = 100;

/** A stream's window bounds what a slow caller leaves in memory; the connection's is given back at once by Node. */
const SETTINGS: Settings = { enablePush: false, initialWindowSize: 65_535, maxHeaderListSize: 65_536 };
const CONNECTION_WINDOW_BYTES = 1_048_576;
const MAX_HEADER_FIELDS = 4_096;
const MAX_SESSION_MEBIBYTES = 64;

/** Speaks HTTP/2 on a connection whose peer chose it by ALPN. Resolves once the peer has told its limits. */
export function openHttp2Session(socket: Socket, options: Http2SessionsOptions): Promise<Http2Session> {
  const session = connect(options.origin, {
    createConnection: () => socket,
    settings: SETTINGS,
    maxHeaderListPairs: MAX_HEADER_FIELDS,
    maxSessionMemory: MAX_SESSION_MEBIBYTES,
  });
  const opened = Promise.withResolvers<Http2Session>();
  let failure: Error | undefined;
  session.setTimeout(options.settingsTimeoutMs);
  session.once("timeout", () =>
    session.destroy(Object.assign(new Error("HTTP/2: no SETTINGS in time"), { code: "ETIMEDOUT" })),
  );
  session.on("error", (error) => {
    failure = isOfParser(error) ? malformedAnswer(error.message, { cause: error }) : error;
  });
  session.once("close", () =>
    opened.reject(failure ?? closedByUpstream(false, "HTTP/2: closed before any SETTINGS")),
  );
  session.once("remoteSettings", () => {
    session.removeAllListeners("timeout");
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    opened.resolve(serve(session, options));
  });
  return opened.promise;
}

function serve(session: ClientHttp2Session, options: Http2SessionsOptions): Http2Session {
  let open = 0;
  let served = 0;
  let retired = false;

  const watchIdle = (): void => void session.setTimeout(options.keepAliveMs);
  session.on("timeout", () => {
    if (open === 0) retire();
  });
  // Streams the peer did not take come back as refused; the others may end (RFC 9113 §6.8).
  session.on("goaway", () => retire());
  watchIdle();

  function retire(): void {
    retired = true;
    if (!session.closed && !session.destroyed) session.close();
  }

  return {
    get isRetired() {
      return retired || session.closed || session.destroyed;
    },
    get isUsable() {
      if (this.isRetired) return false;
      return open < Math.min(MAX_STREAMS, session.remoteSettings?.maxConcurrentStreams ?? MAX_STREAMS);
    },
    send(request) {
      const stream = new Http2Stream(request, {
        authority: options.origin.host,
        headersTimeoutMs: options.headersTimeoutMs,
        idleTimeoutMs: options.idleTimeoutMs,
        trailers: options.trailers,
        onClose() {
          open--;
          served++;
          if (open === 0) watchIdle();
          options.onFree();
        },
        // Whether a silent peer is dead or slow cannot be told; what comes next gets a connection that is neither.
        onTimeout: retire,
        onRefused: () => options.onFree(request),
        isKept: served > 0,
      });
      open++;
      try {
        if (stream.start(session)) return;
      } catch (error) {
        stream.abort(error as Error);
      }
      open--;
    },
    retire,
    destroy: () => session.destroy(),
  };
}

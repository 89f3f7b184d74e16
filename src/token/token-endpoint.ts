import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Connection } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { type Connector, createConnector, ProxyTunnelError, peerOf } from "../transport/connector.ts";
import { type TransientFailure, type TransientReason, transient } from "./token-outcome.ts";
import type { TokenRequest } from "./token-request.ts";
import { decidedByStatus, type TokenAnswer } from "./token-response.ts";

/** Sends a token request. Never rejects: what went wrong is a transient failure. */
export interface TokenEndpoint {
  exchange(
    request: TokenRequest,
    connection: Connection,
    signal: AbortSignal,
    beforeSend?: BeforeSend,
  ): Promise<TokenAnswer | TransientFailure>;
}

/**
 * Runs once there is a connection, before the first byte of the request is written. Where it rejects nothing is sent.
 * Its time counts towards the deadline.
 */
export type BeforeSend = () => Promise<void>;

/** For the whole exchange: name, connection, TLS, headers and body (product contract §3, rule 4). */
export const EXCHANGE_DEADLINE_MS = 10_000;
const MAX_BODY_BYTES = 1_048_576;
const MAX_HEADER_BYTES = 16_384;

const CLOSED = transient("closed", "was not asked: shutting down");
const CALLED_OFF = transient("internal", "was not asked: it was called off");

/** Error codes of OpenSSL's verification and of Node's TLS, which have no common prefix. */
const TLS_ERROR =
  /^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_OSSL|EPROTO|INVALID_CA|HOSTNAME_)/;
const PROTOCOL_ERROR = /^HPE_(?!INVALID_EOF)/;
const TIMEOUT_ERROR = /^(?:ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;

/**
 * The token endpoint over Node's own client. Every exchange has a connection of its own: it happens once in a token's life,
 * and a kept connection would be a stale one by then, whose failure is indistinguishable from an outage. Thus certificates
 * and the CA are read anew each time, and a rotated file needs no restart.
 *
 * Redirects are not followed; a body is read only where the status leaves a question, and not beyond 1 MiB.
 */
export function createTokenEndpoint(clock: Clock): TokenEndpoint {
  return {
    async exchange(request, connection, signal, beforeSend) {
      if (signal.aborted) return CLOSED;
      let connector: Connector;
      try {
        connector = createConnector(connection, { timeoutMs: EXCHANGE_DEADLINE_MS });
      } catch (error) {
        return transient("tls", `cannot be asked: ${error instanceof Error ? error.message : "unknown"}`);
      }
      let timedOut = false;
      let calledOff = false;
      let socket: Socket | undefined;
      // Ends an exchange in any state.
      const givenUp = Promise.withResolvers<never>();
      givenUp.promise.catch(() => {});
      const giveUp = (): void => {
        givenUp.reject(new Error("given up"));
        socket?.destroy();
      };
      // Where this process itself stood still, the answer lies in the socket: it is read before that turn of the loop.
      const timer = clock.schedule(EXCHANGE_DEADLINE_MS, () => {
        setImmediate(() => {
          timedOut = true;
          giveUp();
        });
      });
      signal.addEventListener("abort", giveUp, { once: true });
      try {
        socket = await connect(connector, request.url, givenUp.promise);
        if (beforeSend !== undefined) {
          const before = beforeSend().catch((error: unknown) => {
            calledOff = true;
            throw error;
          });
          await Promise.race([before, givenUp.promise]);
        }
        return await readAnswer(await send(request, socket));
      } catch (error) {
        if (signal.aborted) return CLOSED;
        if (calledOff) return CALLED_OFF;
        if (timedOut) {
          return transient("timeout", `did not answer within ${EXCHANGE_DEADLINE_MS / 1_000} s`);
        }
        return connectionFailure(error);
      } finally {
        timer.cancel();
        signal.removeEventListener("abort", giveUp);
        giveUp();
      }
    },
  };
}

/** Rejects where `givenUp` does; a connection that comes all the same is closed. */
function connect(connector: Connector, url: URL, givenUp: Promise<never>): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let isWanted = true;
    givenUp.catch((error: unknown) => {
      isWanted = false;
      reject(error);
    });
    connector(peerOf(url), (...[error, socket]) => {
      if (error !== null) {
        reject(error);
        return;
      }
      // Whoever uses it hears of its errors; until then it may fail without anybody.
      socket.on("error", () => {});
      if (isWanted) resolve(socket);
      else socket.destroy();
    });
  });
}

/** Writes the request, whole, and resolves with the head of its answer. */
function send({ method, url, headers, body }: TokenRequest, socket: Socket): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(body);
    const outgoing = httpRequest({
      method,
      path: `${url.pathname}${url.search}`,
      createConnection: () => socket,
      headers: ["host", url.host, "connection", "close", ...headers, "content-length", String(bytes.length)],
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    outgoing.once("response", resolve);
    outgoing.on("error", reject);
    outgoing.end(bytes);
  });
}

async function readAnswer(response: IncomingMessage): Promise<TokenAnswer> {
  const { statusCode: status = 0, headers } = response;
  const answer = {
    status,
    headers: {
      "retry-after": headers["retry-after"],
      // Node joins what it does not know; the first is as good a hint as any.
      "x-ratelimit-reset": response.headersDistinct["x-ratelimit-reset"]?.[0],
      "content-encoding": headers["content-encoding"],
      // Nothing depends on these; they tell `doctor` what kind of server it is, and what time it is there.
      "content-type": headers["content-type"],
      location: headers.location,
      date: headers.date,
      age: headers.age,
    },
  };
  // A body that is dropped reports so as an error, which is no news.
  response.on("error", () => {});
  if (decidedByStatus(status) || isEncoded(answer.headers["content-encoding"])) {
    return { ...answer, body: undefined, tooLarge: false };
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return { ...answer, body: undefined, tooLarge: true };
    chunks.push(chunk);
  }
  return { ...answer, body: new TextDecoder().decode(Buffer.concat(chunks)), tooLarge: false };
}

function isEncoded(contentEncoding: string | undefined): boolean {
  return contentEncoding !== undefined && contentEncoding.toLowerCase() !== "identity";
}

function connectionFailure(error: unknown): TransientFailure {
  const code = errorCode(error);
  if (error instanceof ProxyTunnelError)
    return transient("unreachable", `cannot be reached: ${error.message}`, error.code);
  if (TIMEOUT_ERROR.test(code)) return transient("timeout", "did not answer in time", code);
  if (PROTOCOL_ERROR.test(code))
    return transient("malformed", `sent something that is not valid HTTP (${code})`, code);
  return transient(unreachableOrTls(code), describeConnection(code), code);
}

function unreachableOrTls(code: string): TransientReason {
  return TLS_ERROR.test(code) ? "tls" : "unreachable";
}

function describeConnection(code: string): string {
  if (TLS_ERROR.test(code)) return `failed the TLS handshake (${code})`;
  switch (code) {
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `has no address in DNS (${code})`;
    case "ECONNREFUSED":
      return "refused the connection (ECONNREFUSED)";
    case "ECONNRESET":
    case "EPIPE":
    case "HPE_INVALID_EOF_STATE":
      return `broke the connection (${code})`;
    default:
      return `cannot be reached (${code})`;
  }
}

/** The innermost code, since an error may wrap the one that says what happened; else the error's name. */
function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error.cause instanceof Error) return errorCode(error.cause);
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

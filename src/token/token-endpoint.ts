import type { Readable } from "node:stream";
import { Client, type Dispatcher } from "undici";
import type { Connection } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { createConnector, ProxyTunnelError } from "../transport/connector.ts";
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

const CLOSED = transient("closed", "was not asked: shutting down");
const CALLED_OFF = transient("internal", "was not asked: it was called off");

/** Error codes of OpenSSL's verification and of Node's TLS, which have no common prefix. */
const TLS_ERROR =
  /^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_OSSL|EPROTO|INVALID_CA|HOSTNAME_)/;
const PROTOCOL_ERROR = /^(?:HPE_(?!INVALID_EOF)|HTTPParserError|UND_ERR_HEADERS_OVERFLOW)/;
const TIMEOUT_ERROR = /^(?:ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT|UND_ERR_(?:HEADERS|BODY)_TIMEOUT)$/;

/**
 * The token endpoint over undici. Every exchange has a connection of its own: it happens once in a token's life, and a
 * kept connection would be a stale one by then, whose failure is indistinguishable from an outage. Thus certificates
 * and the CA are read anew each time, and a rotated file needs no restart.
 *
 * Redirects are not followed; a body is read only where the status leaves a question, and not beyond 1 MiB.
 */
export function createTokenEndpoint(clock: Clock): TokenEndpoint {
  return {
    async exchange(request, connection, signal, beforeSend) {
      if (signal.aborted) return CLOSED;
      let client: Client;
      try {
        client = openClient(request.url, connection);
      } catch (error) {
        return transient("tls", `cannot be asked: ${error instanceof Error ? error.message : "unknown"}`);
      }
      let timedOut = false;
      let calledOff = false;
      const content: { headers: string[]; body: string | Readable } =
        beforeSend === undefined
          ? { headers: [...request.headers], body: request.body }
          : heldBack(request, async () => {
              try {
                await beforeSend();
              } catch (error) {
                calledOff = true;
                throw error;
              }
            });
      // Ends an exchange in any state; an abort signal would only be heard once there is a connection.
      const giveUp = (): void => void client.destroy(new Error("given up")).catch(() => {});
      // Where this process itself stood still, the answer lies in the socket: it is read before that turn of the loop.
      const timer = clock.schedule(EXCHANGE_DEADLINE_MS, () => {
        setImmediate(() => {
          timedOut = true;
          giveUp();
        });
      });
      signal.addEventListener("abort", giveUp, { once: true });
      try {
        const response = await client.request({
          method: request.method,
          path: `${request.url.pathname}${request.url.search}`,
          ...content,
        });
        return await readAnswer(response);
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

/**
 * undici pulls an iterable only when it has a connection, and writes the header with the first chunk: what runs before
 * that chunk runs before anything is sent. (Its types leave iterables out, its documentation does not.)
 */
function heldBack(
  { headers, body }: TokenRequest,
  before: BeforeSend,
): { headers: string[]; body: Readable } {
  const bytes = Buffer.from(body);
  async function* held(): AsyncGenerator<Buffer> {
    await before();
    yield bytes;
  }
  return {
    headers: [...headers, "content-length", String(bytes.length)],
    body: held() as unknown as Readable,
  };
}

function openClient(url: URL, connection: Connection): Client {
  return new Client(url.origin, {
    connect: createConnector(connection, { timeoutMs: EXCHANGE_DEADLINE_MS }),
    // No keep-alive: `Connection: close`.
    pipelining: 0,
    allowH2: false,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 16_384,
  });
}

async function readAnswer({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<TokenAnswer> {
  const answer = {
    status: statusCode,
    headers: {
      "retry-after": one(headers["retry-after"]),
      "x-ratelimit-reset": one(headers["x-ratelimit-reset"]),
      "content-encoding": one(headers["content-encoding"]),
      // Nothing depends on these; they tell `doctor` what kind of server it is, and what time it is there.
      "content-type": one(headers["content-type"]),
      location: one(headers["location"]),
      date: one(headers["date"]),
      age: one(headers["age"]),
    },
  };
  // A body that is dropped reports so as an error, which is no news.
  body.on("error", () => {});
  if (decidedByStatus(statusCode) || isEncoded(answer.headers["content-encoding"])) {
    return { ...answer, body: undefined, tooLarge: false };
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return { ...answer, body: undefined, tooLarge: true };
    chunks.push(chunk);
  }
  return { ...answer, body: new TextDecoder().decode(Buffer.concat(chunks)), tooLarge: false };
}

/** A repeated field says two things; the first is taken for a hint, and none of these is more than that. */
function one(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
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
    case "UND_ERR_SOCKET":
    case "UND_ERR_RES_CONTENT_LENGTH_MISMATCH":
    case "HPE_INVALID_EOF_STATE":
      return `broke the connection (${code})`;
    default:
      return `cannot be reached (${code})`;
  }
}

/** The innermost code, since undici wraps the error that says what happened; else the error's name. */
function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (error.cause instanceof Error) return errorCode(error.cause);
  return "code" in error && typeof error.code === "string" ? error.code : error.name;
}

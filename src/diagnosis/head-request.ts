import { request as httpRequest } from "node:http";
import { connect as http2Connect } from "node:http2";
import type { Socket } from "node:net";
import type { Clock } from "../core/clock.ts";
import { noAnswerInTime } from "../transport/answer-errors.ts";
import { one } from "./one-value.ts";

/** What an upstream said to a request that asks for nothing. */
export interface HeadAnswer {
  readonly status: number;
  readonly date: string | undefined;
  readonly age: string | undefined;
}

export interface HeadRequestOptions {
  /** The peer chose it by ALPN. */
  readonly http2: boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/** Of an answer's head, as the data plane has it. */
const MAX_HEADER_BYTES = 65_536;

/**
 * `HEAD` of the upstream's own path on an open connection, which ends with it: a safe method (RFC 9110 §9.2.1), without
 * credentials, cookies or a body, so that nothing can come of it but a line in the upstream's log. Any answer will do,
 * a 401 too: it shows that HTTP is spoken there. Rejects with Node's error.
 */
export function headRequest(
  socket: Socket,
  url: URL,
  { http2, timeoutMs, clock }: HeadRequestOptions,
): Promise<HeadAnswer> {
  const timer = clock.schedule(timeoutMs, () => socket.destroy(noAnswerInTime()));
  return (http2 ? overHttp2 : overHttp1)(socket, url).finally(() => {
    timer.cancel();
    socket.on("error", () => {});
    socket.destroy();
  });
}

function overHttp1(socket: Socket, url: URL): Promise<HeadAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      createConnection: () => socket,
      method: "HEAD",
      path: url.pathname,
      headers: { host: url.host, connection: "close", ...fields },
      maxHeaderSize: MAX_HEADER_BYTES,
    });
    // An alert of TLS may come at the socket and the request alike, in either order.
    socket.on("error", reject);
    request.on("error", reject);
    request.once("response", (response) => {
      const { statusCode = 0, headers } = response;
      response.resume();
      resolve({ status: statusCode, date: headers.date, age: headers.age });
    });
    request.end();
  });
}

function overHttp2(socket: Socket, url: URL): Promise<HeadAnswer> {
  return new Promise<HeadAnswer>((resolve, reject) => {
    const session = http2Connect(url.origin, { createConnection: () => socket });
    session.on("error", reject);
    socket.on("error", reject);
    session.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
    const stream = session.request({ ":method": "HEAD", ":path": url.pathname, ...fields });
    stream.on("error", reject);
    stream.once("response", (headers) => {
      resolve({ status: Number(headers[":status"]), date: one(headers.date), age: one(headers.age) });
      session.destroy();
    });
    stream.end();
  });
}

const fields = { "user-agent": "pillion-doctor", accept: "*/*" } as const;

/** One answer's bytes read by the codec, and by Node's own client, each told in the same words. */
import { request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Dispatcher } from "undici";
import { Http1Call } from "../../src/transport/http1-call.ts";
import { createTrailerSlot } from "../../src/transport/request-trailers.ts";
import type { UpstreamDispatch } from "../../src/transport/upstream-pool.ts";

export interface ReadAnswer {
  /** `whole`; `cut`: the connection ended before the answer did; else why it is none. */
  readonly verdict: string;
  readonly status: number | undefined;
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  /** Of the interim answers before it. */
  readonly interim: readonly number[];
  /** Whether the connection may carry another request; undefined: not known. */
  readonly mayStay: boolean | undefined;
}

/** A connection that takes everything and says nothing. */
function silentSocket(): Socket {
  const chained = (): boolean => true;
  return {
    ...{ write: chained, cork: chained, uncork: chained, pause: chained, resume: chained },
    writableNeedDrain: false,
  } as unknown as Socket;
}

export interface CallUnderTest {
  readonly call: Http1Call;
  result(): ReadAnswer;
}

/** `pauses`: after each piece of the body, to be resumed by whoever asked for it. */
export function startCall(method = "GET", { maxHeaderBytes = 65_536, pauses = false } = {}): CallUnderTest {
  const seen = {
    verdict: "open",
    status: undefined as number | undefined,
    body: "",
    interim: [] as number[],
  };
  let fields: readonly string[] = [];
  let trailers: readonly string[] = [];
  let mayStay: boolean | undefined;
  const raw = (list: unknown): string[] => (list as string[]).slice();
  const handler: Dispatcher.DispatchHandler = {
    onResponseStart(controller, status) {
      if (status < 200) seen.interim.push(status);
      else {
        seen.status = status;
        fields = raw(controller.rawHeaders);
      }
    },
    onResponseData(controller, chunk) {
      seen.body += chunk.toString("latin1");
      if (pauses) controller.pause();
    },
    onResponseEnd(controller) {
      seen.verdict = "whole";
      trailers = raw(controller.rawTrailers);
    },
    onResponseError(_controller, error) {
      seen.verdict = error.message;
    },
  };
  const request: UpstreamDispatch = {
    ...{ method: method as Dispatcher.HttpMethod, path: "/", headers: [], body: null, upgrade: null },
    bodyBegins: (then) => then(),
  };
  const carrier = {
    socket: silentSocket(),
    onWhole: (stays: boolean) => {
      mayStay = stays;
    },
    onBroken: () => {
      mayStay = false;
    },
    onSwitched: () => {
      mayStay = false;
    },
  };
  const call = new Http1Call(request, handler, carrier, {
    ...{ host: "up.example", maxHeaderBytes, headersTimeoutMs: 1_000, idleTimeoutMs: 1_000 },
    trailers: createTrailerSlot(),
  });
  call.start();
  return { call, result: () => ({ ...seen, fields, trailers, mayStay }) };
}

/** The bytes in these pieces, and then the end of the connection. */
export function readByCodec(pieces: readonly Buffer[], method = "GET"): ReadAnswer {
  const { call, result } = startCall(method);
  for (const piece of pieces) call.receive(piece);
  call.onEnd();
  const read = result();
  return read.verdict === "open" ? { ...read, verdict: "cut" } : read;
}

/** The same by `node:http`, whose parser is llhttp. */
export async function readByNode(bytes: Buffer, method = "GET"): Promise<ReadAnswer> {
  const seen = { verdict: "cut", status: undefined as number | undefined, body: "", interim: [] as number[] };
  let fields: readonly string[] = [];
  let trailers: readonly string[] = [];
  const socket = Object.assign(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }), {
    ...{ setTimeout() {}, setKeepAlive() {}, setNoDelay() {}, ref() {}, unref() {} },
  });
  await new Promise<void>((resolve) => {
    const request = httpRequest({ createConnection: () => socket as unknown as Socket, method });
    request.maxHeadersCount = 0;
    request.on("information", ({ statusCode }) => void seen.interim.push(statusCode));
    request.on("response", (answer) => {
      seen.status = answer.statusCode;
      fields = answer.rawHeaders;
      answer.on("data", (chunk: Buffer) => {
        seen.body += chunk.toString("latin1");
      });
      answer.on("error", () => {});
      answer.on("close", () => {
        if (answer.complete) seen.verdict = "whole";
        trailers = answer.rawTrailers;
        resolve();
      });
    });
    request.on("error", (error) => {
      // Told where the parser refuses; an end that comes too soon has a code of its own.
      const code = "code" in error ? String(error.code) : "";
      if (code.startsWith("HPE_") && code !== "HPE_INVALID_EOF_STATE") seen.verdict = code;
    });
    request.on("close", () => {
      if (seen.status === undefined) resolve();
      else setImmediate(resolve);
    });
    request.end();
    socket.push(bytes);
    socket.push(null);
  });
  socket.destroy();
  return { ...seen, fields, trailers, mayStay: undefined };
}

/**
 * A load generator: a fixed rate, or where there is no wrk as much as goes through; bounded, and ends by itself.
 *
 *     node bench/load.ts --url http://127.0.0.1:8080/api/json --rate 1000 --seconds 3 [--settle 0.5] [--authorization VALUE]
 *     node bench/load.ts --url http://127.0.0.1:8080/api/json --connections 32 --seconds 3
 *
 * Prints `{"requests":…,"early":…,"failures":…,"seconds":…,"p50Ms":…,"p99Ms":…}`. It reads plain sockets and knows no more of
 * HTTP than it must, so that it is never the slower side; any answer that is not 200 with a Content-Length is a failure.
 *
 * What fell due in the first `--settle` seconds is not counted: a client that has just begun is slow itself.
 *
 * With `--rate` requests fall due by the clock, never by an answer: a proxy that stalls does not slow the questions
 * down, and a request that has to wait for a free connection has begun when it fell due (no coordinated omission). It
 * falls due when the timer that counts it out fires, up to a millisecond or two late and then several at once: how
 * punctual the client's own timer is says nothing about the proxy.
 */
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    url: { type: "string" },
    connections: { type: "string", default: "32" },
    seconds: { type: "string", default: "3" },
    rate: { type: "string" },
    settle: { type: "string", default: "0" },
    authorization: { type: "string" },
  },
});
const url = new URL(values.url ?? "");
const settleMs = Number(values.settle) * 1_000;
const durationMs = Number(values.seconds) * 1_000 + settleMs;
const authorization = values.authorization === undefined ? "" : `Authorization: ${values.authorization}\r\n`;
const requestHead = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nAccept: application/json\r\n${authorization}\r\n`;

const CLOSES = /\r\nconnection: *close\r\n/i;
const GRACE_MS = 2_000;
const MAX_FAILURES = 1_000;

const latenciesMs: number[] = [];
/** Answered, but too early to count. */
let early = 0;
let failures = 0;
const startMs = performance.now();
const endMs = startMs + durationMs;

/** The length of the whole answer, once its head is there; undefined before that. @throws on anything but a plain 200 */
function answerLength(received: string): number | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const head = received.slice(0, headEnd);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (!head.startsWith("HTTP/1.1 200 ") || length === undefined) throw new Error(head);
  return headEnd + 4 + Number(length);
}

interface Line {
  /** Sends the request that fell due at `dueMs`. */
  send(dueMs: number): void;
}

/** A connection that carries one request at a time. `onFree`: it can take the next; `onGone`: it cannot any more. */
function openLine(onFree: (line: Line) => void, onGone: (line: Line) => void): Socket {
  let received = "";
  let dueMs: number | undefined;
  const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
  const line: Line = {
    send(due) {
      received = "";
      dueMs = due;
      socket.write(requestHead);
    },
  };
  const fail = (): void => {
    if (dueMs !== undefined) failures += 1;
    dueMs = undefined;
    socket.destroy();
  };
  socket.setEncoding("latin1");
  socket.once("connect", () => onFree(line));
  socket.on("data", (chunk: string) => {
    received += chunk;
    let length: number | undefined;
    try {
      length = answerLength(received);
    } catch {
      fail();
      return;
    }
    if (length === undefined || received.length < length || dueMs === undefined) return;
    if (dueMs - startMs < settleMs) early += 1;
    else latenciesMs.push(performance.now() - dueMs);
    dueMs = undefined;
    // http-proxy without an agent passes the upstream's `Connection: close` on: a new connection for each request.
    if (CLOSES.test(received.slice(0, length))) socket.destroy();
    else onFree(line);
  });
  socket.on("end", fail);
  socket.on("error", fail);
  socket.once("close", () => onGone(line));
  return socket;
}

/** One connection after the other until time is up; each sends its next request when the last one is answered. */
function keepBusy(): Promise<void> {
  return new Promise((resolve) => {
    const socket = openLine(
      (line) => {
        const nowMs = performance.now();
        if (nowMs >= endMs) socket.destroy();
        else line.send(nowMs);
      },
      () => {
        if (performance.now() >= endMs || failures > MAX_FAILURES) resolve();
        else resolve(keepBusy());
      },
    );
    // An answer that never comes must not keep the generator alive.
    setTimeout(() => socket.destroy(), endMs - performance.now() + GRACE_MS).unref();
  });
}

/** Requests at a fixed rate over as many connections as they need, 64 at most. */
function keepPace(ratePerSecond: number): Promise<void> {
  const maxLines = 64;
  const total = Math.round((durationMs / 1_000) * ratePerSecond);
  const free: Line[] = [];
  const waiting: number[] = [];
  const sockets = new Set<Socket>();
  let fallenDue = 0;
  const add = (): void => {
    if (sockets.size >= maxLines) return;
    const socket = openLine(
      (line) => {
        const due = waiting.shift();
        if (due === undefined) free.push(line);
        else line.send(due);
      },
      (line) => {
        sockets.delete(socket);
        const place = free.indexOf(line);
        if (place !== -1) free.splice(place, 1);
        if (waiting.length > 0) add();
      },
    );
    sockets.add(socket);
  };
  return new Promise((resolve) => {
    const finish = (): void => {
      failures = total - latenciesMs.length - early;
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
      resolve();
    };
    const timer = setInterval(() => {
      const nowMs = performance.now();
      const due = Math.min(total, Math.floor(((nowMs - startMs) / 1_000) * ratePerSecond));
      for (; fallenDue < due; fallenDue++) {
        const line = free.pop();
        if (line === undefined) {
          waiting.push(nowMs);
          add();
        } else line.send(nowMs);
      }
      if (
        latenciesMs.length + early + failures >= total ||
        nowMs > endMs + GRACE_MS ||
        failures > MAX_FAILURES
      )
        finish();
    }, 1);
  });
}

if (values.rate === undefined) {
  await Promise.all(Array.from({ length: Number(values.connections) }, keepBusy));
} else {
  await keepPace(Number(values.rate));
}
latenciesMs.sort((a, b) => a - b);
const quantile = (q: number): number => latenciesMs[Math.floor(q * (latenciesMs.length - 1))] ?? 0;
console.log(
  JSON.stringify({
    requests: latenciesMs.length,
    early,
    failures,
    seconds: (performance.now() - startMs - settleMs) / 1_000,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  }),
);

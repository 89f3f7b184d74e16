/**
 * A load generator for where there is no wrk: keeps N connections busy for a bounded time, then ends by itself.
 *
 *     node bench/load.ts --url http://127.0.0.1:8080/api/json --connections 32 --seconds 3
 *
 * Prints `{"requests":…,"failures":…,"seconds":…,"p50Ms":…,"p99Ms":…}`. It reads plain sockets and knows no more of
 * HTTP than it must, so that it is never the slower side; any answer that is not 200 with a Content-Length is a failure.
 */
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    url: { type: "string" },
    connections: { type: "string", default: "32" },
    seconds: { type: "string", default: "3" },
  },
});
const url = new URL(values.url ?? "");
const durationMs = Number(values.seconds) * 1_000;
const requestHead = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nAccept: application/json\r\n\r\n`;

const CLOSES = /\r\nconnection: *close\r\n/i;

const latenciesMs: number[] = [];
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

/** One connection after the other until time is up; each carries one request at a time. */
function keepBusy(): Promise<void> {
  return new Promise((resolve) => {
    let received = "";
    let sentMs = 0;
    let awaiting = true;
    const socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    socket.setEncoding("latin1");
    const send = (): void => {
      received = "";
      awaiting = true;
      sentMs = performance.now();
      socket.write(requestHead);
    };
    const fail = (): void => {
      if (awaiting) failures += 1;
      awaiting = false;
      socket.destroy();
    };
    socket.once("connect", send);
    socket.on("data", (chunk: string) => {
      received += chunk;
      let length: number | undefined;
      try {
        length = answerLength(received);
      } catch {
        fail();
        return;
      }
      if (length === undefined || received.length < length) return;
      const nowMs = performance.now();
      latenciesMs.push(nowMs - sentMs);
      awaiting = false;
      // http-proxy without an agent passes the upstream's `Connection: close` on: a new connection for each request.
      if (nowMs >= endMs || CLOSES.test(received.slice(0, length))) socket.destroy();
      else send();
    });
    socket.on("end", fail);
    socket.on("error", fail);
    socket.once("close", () => {
      if (performance.now() >= endMs || failures > 1_000) resolve();
      else resolve(keepBusy());
    });
    // An answer that never comes must not keep the generator alive.
    setTimeout(() => socket.destroy(), endMs - performance.now() + 1_000).unref();
  });
}

await Promise.all(Array.from({ length: Number(values.connections) }, keepBusy));
latenciesMs.sort((a, b) => a - b);
const quantile = (q: number): number => latenciesMs[Math.floor(q * (latenciesMs.length - 1))] ?? 0;
console.log(
  JSON.stringify({
    requests: latenciesMs.length,
    failures,
    seconds: (performance.now() - startMs) / 1_000,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  }),
);

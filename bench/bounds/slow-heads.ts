import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { serve } from "../../test/e2e/support/serve.ts";
import { announcedJson, startChild } from "../child.ts";
import { runLoad } from "../client.ts";
import { type Finding, type Scale, scaled } from "./finding.ts";
import { portOf } from "./process.ts";

const CUT_LIMIT_MS = 15_000;
const P99_LIMIT_FACTOR = 2;
/** Below this a factor is noise of two shared cores rather than a finding. */
const P99_FLOOR_MS = 2;

/** Connections that send a byte of their head now and then, and a good client meanwhile. */
export async function slowHeads(scale: Scale): Promise<Finding> {
  const count = scaled(2_000, scale);
  const seconds = Math.max(1, Math.round(9 * scale.scale));
  const headerTimeoutSeconds = Math.max(1, Math.round(10 * scale.scale));
  const origin = await startChild({
    core: "rest",
    args: [`${import.meta.dirname}/../origin.ts`],
    env: { BENCH_TOKEN: "t" },
    ready: announcedJson<{ port: number }>,
  });
  await using pillion = await serve(
    `limits: { connections: 4096, header_timeout: ${headerTimeoutSeconds}s }
credentials:
  key: { provider: static, header: Authorization, value: { env: KEY } }
routes:
  - { name: api, path: /api/, credential: key, upstream: "http://127.0.0.1:${origin.announced.port}/api/" }
`,
    { env: { KEY: "Bearer t" } },
  );
  try {
    const url = `${pillion.origin}/api/json`;
    await runLoad("node", url, 8, scaled(2, scale));
    const quiet = await runLoad("node", url, 1, seconds);

    const lifetimesMs: number[] = [];
    const sockets = Array.from({ length: count }, () => {
      const socket = connect(portOf(pillion), "127.0.0.1");
      socket.on("error", () => {});
      socket.once("connect", () => {
        const connectedAtMs = performance.now();
        socket.write("GET /api/json HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        socket.once("close", () => lifetimesMs.push(performance.now() - connectedAtMs));
      });
      socket.resume();
      return socket;
    });
    let turn = 0;
    const drip = setInterval(() => {
      turn += 1;
      for (let index = turn % 100; index < count; index += 100) {
        const socket = sockets[index];
        if (socket?.writable === true) socket.write("x");
      }
    }, 10);
    // Behind the burst of their coming: what is measured is what they cost while they stay.
    await delay(1_000 * Math.min(1, scale.scale));
    const flood = await runLoad("node", url, 1, seconds);
    const deadlineMs = performance.now() + CUT_LIMIT_MS;
    while (lifetimesMs.length < count && performance.now() < deadlineMs) await delay(20);
    clearInterval(drip);
    for (const socket of sockets) socket.destroy();

    const longestMs = Math.max(0, ...lifetimesMs);
    const isCut = lifetimesMs.length === count && longestMs <= CUT_LIMIT_MS;
    const isFlat = flood.p99Ms <= Math.max(P99_FLOOR_MS, P99_LIMIT_FACTOR * quiet.p99Ms);
    return {
      ok: isCut && isFlat && flood.failures === 0,
      text:
        `${lifetimesMs.length} of ${count} slow heads cut, the last after ${(longestMs / 1_000).toFixed(1)} s (limit 15 s); ` +
        `a good client's p99 ${quiet.p99Ms.toFixed(2)} ms quiet, ${flood.p99Ms.toFixed(2)} ms meanwhile ` +
        `(limit ${P99_LIMIT_FACTOR}x), ${flood.requests} requests, ${flood.failures} failed`,
    };
  } finally {
    await origin.child.stop();
  }
}

/**
 * What a fresh token costs a request inside Pillion: the time of one `TokenSource.token()` and of reading its fields,
 * with the metrics and the clock of the running product. From the sources, in a process of its own.
 *
 *     node bench/compare/token-cost.ts --token-url http://127.0.0.1:9000/token     → {"microseconds":[…]}
 */
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { createMetrics } from "../../src/admin/metrics.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { Secret } from "../../src/core/secret.ts";
import { createTokenSources } from "../../src/token/token-sources.ts";
import { spec } from "../../test/token/engine.ts";

const { values } = parseArgs({
  options: {
    "token-url": { type: "string" },
    rounds: { type: "string", default: "7" },
    calls: { type: "string", default: "500000" },
  },
});

const secret = new Secret("not-a-secret");
const sources = createTokenSources({
  clock: createSystemClock(),
  random: Math.random,
  log: silentLogger,
  secrets: { read: () => secret, refresh: () => false },
  observer: createMetrics(
    { version: "bench", node: process.version },
    { sessions: async () => new Map<string, number>() },
  ).token,
});
const source = sources.source("bench", undefined, spec({ tokenUrl: new URL(values["token-url"] ?? "") }));
await source.token();

const calls = Number(values.calls);
let characters = 0;

function once(): number {
  const startMs = performance.now();
  for (let call = 0; call < calls; call++) {
    const injection = source.token();
    if (injection instanceof Promise) throw new Error("the token is not fresh");
    characters += injection.headers[1]?.length ?? 0;
  }
  return ((performance.now() - startMs) * 1_000) / calls;
}

// What V8 makes of a loop that it has not seen yet is no figure.
once();
const microseconds = Array.from({ length: Number(values.rounds) }, once);
if (characters === 0) throw new Error("no token was given out");
await sources.close();
console.log(JSON.stringify({ microseconds }));

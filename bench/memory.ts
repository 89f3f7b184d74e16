/**
 * Streams 1 GiB up and 1 GiB down through a proxy, checks that every byte arrived, and reports by how much the proxy's
 * resident set grew while it did: a proxy that buffers shows here.
 *
 *     npm run bench:memory -- [--bytes 1073741824] [--proxy pillion] [--scheme https] [--pillion dist/pillion.js] [--json FILE]
 *
 * Exit code 1 when a body was damaged or the growth is above the limit of 48 MiB.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { contenders, type RunningContender } from "./contenders.ts";
import { pattern, patternSha256 } from "./pattern.ts";
import { createTestbed } from "./testbed.ts";

const MIB = 2 ** 20;
const LIMIT_MIB = 48;
const SAMPLE_INTERVAL_MS = 10;

const { values } = parseArgs({
  options: {
    bytes: { type: "string", default: String(1024 * MIB) },
    proxy: { type: "string", default: "pillion" },
    scheme: { type: "string", default: "https" },
    pillion: { type: "string", default: "cmd/pillion.ts" },
    json: { type: "string" },
  },
});
const bytes = Number(values.bytes);

async function response(outbound: ReturnType<typeof request>): Promise<IncomingMessage> {
  const [incoming] = (await once(outbound, "response")) as [IncomingMessage];
  if (incoming.statusCode !== 200) throw new Error(`the proxy answered ${incoming.statusCode}`);
  return incoming;
}

async function upload(origin: string): Promise<boolean> {
  const outbound = request(`${origin}/api/upload`, { method: "PUT", headers: { "content-length": bytes } });
  const answered = response(outbound);
  await pipeline(pattern(bytes), outbound);
  const sha256 = (await (await answered).toArray()).join("");
  return sha256 === patternSha256(bytes);
}

async function download(origin: string): Promise<boolean> {
  const outbound = request(`${origin}/api/download?bytes=${bytes}`).end();
  const incoming = await response(outbound);
  const hash = createHash("sha256");
  await pipeline(incoming, hash);
  return hash.digest("hex") === incoming.headers["x-sha256"];
}

async function warmUp(origin: string): Promise<void> {
  for (let count = 0; count < 20; count++) {
    (await response(request(`${origin}/api/json`).end())).resume();
  }
}

/** The growth of the resident set while `task` runs, in MiB, and the time it took. */
async function measure({ child }: RunningContender, task: () => Promise<boolean>) {
  const beforeBytes = child.residentBytes();
  let peakBytes = beforeBytes;
  const timer = setInterval(() => {
    peakBytes = Math.max(peakBytes, child.residentBytes());
  }, SAMPLE_INTERVAL_MS);
  const startMs = performance.now();
  const intact = await task();
  const seconds = (performance.now() - startMs) / 1_000;
  clearInterval(timer);
  return { intact, growthMiB: (peakBytes - beforeBytes) / MIB, beforeMiB: beforeBytes / MIB, seconds };
}

const contender = contenders.find(({ name }) => name === values.proxy);
if (contender === undefined)
  throw new Error(`--proxy takes: ${contenders.map(({ name }) => name).join(", ")}`);

const testbed = createTestbed();
try {
  const scheme = values.scheme === "http" ? "http" : "https";
  const running = await contender.start(await testbed.startOptions(scheme, values.pillion));
  testbed.adopt(running.child);
  await warmUp(running.origin);
  const results = {
    up: await measure(running, () => upload(running.origin)),
    down: await measure(running, () => download(running.origin)),
  };
  for (const [direction, { intact, growthMiB, beforeMiB, seconds }] of Object.entries(results)) {
    const verdict = intact ? "every byte arrived" : "DAMAGED";
    const rate = (bytes / MIB / seconds).toFixed(0);
    console.log(
      `${direction}: ${(bytes / MIB).toFixed(0)} MiB over ${scheme} through ${contender.name}, ${verdict}, ` +
        `resident set ${beforeMiB.toFixed(1)} MiB + ${growthMiB.toFixed(1)} MiB (limit ${LIMIT_MIB}), ${rate} MiB/s`,
    );
    if (!intact || growthMiB > LIMIT_MIB) process.exitCode = 1;
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
} finally {
  await testbed.close();
}

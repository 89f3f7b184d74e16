import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { serve } from "../../test/e2e/support/serve.ts";
import { head } from "../../test/support/raw-client.ts";
import { type Finding, type Scale, scaled } from "./finding.ts";
import { portOf, residentMiB } from "./process.ts";
import { startBoundsUpstream, startCallers } from "./upstream.ts";

const LIMIT_MIB = 45;
const BODY_BYTES = 100_000_000;
const READ_BYTES = 1_024;

/** Readers at 1 KiB/s of 100 MB each: what a proxy that buffers for them would hold. */
export async function slowReaders(scale: Scale): Promise<Finding> {
  const count = scaled(200, scale);
  const seconds = Math.max(3, scaled(25, scale));
  await using upstream = await startBoundsUpstream();
  await using pillion = await serve(
    `routes: [{ name: plain, path: /plain/, credential: none, upstream: "${upstream.origin}/", connections: 512 }]\n`,
  );
  // What is compiled and opened once is there before it is measured.
  const warming = startCallers(`${pillion.origin}/plain/ok`, Math.min(count, 64));
  await delay(3_000 * scale.scale);
  await warming.end();
  await delay(500);

  const beforeMiB = residentMiB(pillion);
  let received = 0;
  let broken = 0;
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(portOf(pillion), "127.0.0.1");
    socket.on("error", () => {});
    socket.on("close", () => {
      broken += 1;
    });
    socket.pause();
    socket.write(head(`GET /plain/bytes?count=${BODY_BYTES}`));
    return socket;
  });
  let peakMiB = 0;
  for (let tick = 0; tick < seconds * 10; tick += 1) {
    for (let index = tick % 10; index < count; index += 10) {
      const socket = sockets[index];
      const chunk: Buffer | null = socket?.read(Math.min(READ_BYTES, socket.readableLength)) ?? null;
      received += chunk?.length ?? 0;
    }
    peakMiB = Math.max(peakMiB, residentMiB(pillion));
    await delay(100);
  }
  const growthMiB = peakMiB - beforeMiB;
  const kibPerSecond = received / 1_024 / seconds / count;
  const isWhole = broken === 0;
  for (const socket of sockets) socket.destroy();
  return {
    ok: growthMiB <= LIMIT_MIB && isWhole && kibPerSecond > 0.5,
    text:
      `${count} readers at ${kibPerSecond.toFixed(2)} KiB/s for ${seconds} s: resident set ${beforeMiB.toFixed(1)} MiB ` +
      `+ ${growthMiB.toFixed(1)} MiB (limit ${LIMIT_MIB}), ${isWhole ? "none" : broken} broken off`,
  };
}

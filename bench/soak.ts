/**
 * Runs Pillion for a while as it is run in earnest: tokens of five seconds, one token exchange and one upstream answer
 * in a hundred faulty, mixed traffic of several tenants, reloads and rotating secrets all along. Watches it from outside,
 * draws what it saw, and ends with a verdict.
 *
 *     npm run soak -- [--minutes 10] [--rate 60] [--seed 1] [--pillion dist/pillion.js] [--svg FILE] [--json FILE]
 *
 * Loopback only; ends by itself. Exit code 1 when the verdict is no. Linux only, for it reads /proc.
 */
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { announcedJson, startChild } from "./child.ts";
import { imageSettings } from "./image.ts";
import { drawSoak } from "./soak/chart.ts";
import { createSoakClient } from "./soak/client.ts";
import { createRandom } from "./soak/plan.ts";
import { type Sample, takeVitals } from "./soak/sampler.ts";
import { createSurroundings } from "./soak/surroundings.ts";
import { startTokenServer } from "./soak/token-server.ts";
import { startTraffic } from "./soak/traffic.ts";
import { startSoakUpstream } from "./soak/upstream.ts";
import { type Judgement, judgeRun } from "./soak/verdict.ts";

const TOKEN_LIFETIME_SECONDS = 5;
const FAULT_SHARE = 0.01;
const RELOAD_EVERY_MS = 20_000;
const ROTATE_EVERY_MS = 17_000;
const SAMPLE_EVERY_MS = 2_000;
const SAMPLES_AT_LEAST = 20;
/** Some descriptors are opened a moment after the line that says it serves. */
const SETTLE_MS = 1_000;
/** Longer than any kept connection of this run stays open without traffic. */
const REST_MS = 8_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    rate: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    pillion: { type: "string", default: "cmd/pillion.ts" },
    svg: { type: "string" },
    json: { type: "string" },
  },
});
const durationMs = Number(values.minutes) * 60_000;
const rate = Number(values.rate);
if (!(durationMs > 0 && durationMs <= 86_400_000 && rate > 0 && rate <= 2_000))
  throw new Error("--minutes takes up to 1440, --rate up to 2000 requests a second");

const random = createRandom(Number(values.seed));
const tokens = await startTokenServer({
  lifetimeSeconds: TOKEN_LIFETIME_SECONDS,
  faultShare: FAULT_SHARE,
  random,
});
const upstream = await startSoakUpstream(tokens);
const surroundings = createSurroundings(upstream.origin, tokens);
const { flags, environment } = imageSettings();
const { child, announced } = await startChild({
  core: "proxy",
  env: environment,
  args: [...flags, values.pillion, "run", "-c", surroundings.configFile],
  ready: (line) => {
    const logged = announcedJson<{ event: string; listen: string; admin: string }>(line);
    return logged?.event === "listening" ? logged : undefined;
  },
});
const adminOrigin = `http://${announced.admin}`;
const client = createSoakClient(`http://${announced.listen}`, tokens.isFailing);

let failed = true;
try {
  await delay(SETTLE_MS);
  const atRest = await takeVitals(child.pid, adminOrigin);
  const startMs = performance.now();
  const traffic = startTraffic(client, rate, random);
  const reloads = setInterval(() => surroundings.reload(), RELOAD_EVERY_MS);
  const rotations = setInterval(() => surroundings.rotate(), ROTATE_EVERY_MS);
  const samples: Sample[] = [];
  const everyMs = Math.min(SAMPLE_EVERY_MS, durationMs / SAMPLES_AT_LEAST);
  while (performance.now() - startMs < durationMs) {
    await delay(everyMs);
    const { good, faults, unexpected } = traffic.since();
    const atSeconds = (performance.now() - startMs) / 1_000;
    samples.push({ atSeconds, ...(await takeVitals(child.pid, adminOrigin)), good, faults, unexpected });
  }
  clearInterval(reloads);
  clearInterval(rotations);
  await traffic.end();
  client.close();
  await delay(REST_MS);
  const after = await takeVitals(child.pid, adminOrigin);

  const { total, surprises } = traffic;
  const requests = total.good + total.faults + total.unexpected;
  const judgements = judgeRun({
    samples,
    violations: upstream.violations,
    unexpected: total.unexpected,
    requests,
    descriptorsAtRest: { before: atRest.descriptors, after: after.descriptors },
  });
  failed = judgements.some(({ ok }) => ok === false);

  const cpuModel = cpus()[0]?.model.trim() ?? "unknown";
  const setting = `${values.minutes} min, ${rate} requests/s, Node ${process.versions.node}, ${cpus().length} × ${cpuModel}`;
  console.log(`soak: ${setting}`);
  console.log(
    `${requests} requests (${total.faults} met a fault that was asked for), ${tokens.counts.granted} tokens, ` +
      `${tokens.counts.faults} faulty token exchanges, ${tokens.counts.refused} refused secrets, ` +
      `${surroundings.counts.reloads} reloads, ${surroundings.counts.rotations} rotations`,
  );
  for (const [why, count] of surprises) console.log(`unexpected, ${count} times: ${why}`);
  for (const judgement of judgements) console.log(asLine(judgement));
  console.log(`verdict: ${failed ? "NO" : "yes"}`);
  if (values.svg !== undefined)
    writeFileSync(values.svg, drawSoak(samples, { title: "Pillion, a soak", subtitle: setting }));
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ setting, total, judgements, samples }, null, 2)}\n`);
} finally {
  client.close();
  await child.stop();
  await upstream.close();
  await tokens.close();
  surroundings.remove();
}
process.exitCode = failed ? 1 : 0;

function asLine({ what, figure, limit, ok }: Judgement): string {
  const verdict = ok === undefined ? "too short to tell" : ok ? "ok" : "NO";
  return `${verdict.padEnd(4)} ${what}: ${figure} (limit: ${limit})`;
}

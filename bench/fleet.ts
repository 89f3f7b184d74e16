/**
 * A fleet of sidecars that share their tokens, and one that does not: as real processes, and as a model of many more.
 *
 *     npm run fleet -- [--processes 20] [--tenants 1000] [--pillion dist/pillion.js] [--json FILE]
 *                      [--lifetime 20] [--lifetimes 4] [--only NAME,NAME]
 *     npm run fleet -- --model [--sidecars 1,10,…,10000] [--seed 1] [--svg FILE] [--json FILE]
 *
 * The first starts a redis-server, the emulator and that many processes, puts them through cold starts, several lifetimes of
 * their tokens, a killed holder and a killed Redis, and takes about five minutes on two cores. The second runs the token engine
 * itself over virtual time and is the same for the same seed, in about ten minutes. Loopback only, on Linux; both end by
 * themselves, with exit code 1 when a figure is above its limit. `docs/fleet.md` says what came of it.
 */
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { startRedisServer } from "../test/support/redis-server.ts";
import { drawFleet } from "./fleet/chart.ts";
import { modelFleets, modelTables } from "./fleet/model.ts";
import {
  coldStart,
  type Finding,
  failureText,
  holderKilled,
  type Judgement,
  type Measurement,
  redisKilled,
  type Surroundings,
  spacedColdStart,
  steadyState,
} from "./fleet/scenarios.ts";
import { count, duration, type Row, table } from "./fleet/tables.ts";

const { values } = parseArgs({
  options: {
    model: { type: "boolean", default: false },
    processes: { type: "string", default: "20" },
    tenants: { type: "string", default: "1000" },
    lifetime: { type: "string", default: "20" },
    lifetimes: { type: "string", default: "4" },
    pillion: { type: "string", default: "cmd/pillion.ts" },
    only: { type: "string" },
    sidecars: { type: "string", default: "1,10,100,1000,2000,5000,10000" },
    seed: { type: "string", default: "1" },
    svg: { type: "string" },
    json: { type: "string" },
  },
});

const SCENARIOS: readonly (readonly [string, (around: Surroundings) => Promise<Finding>])[] = [
  ["cold", (around) => coldStart(around, true)],
  ["cold-alone", (around) => coldStart(around, false)],
  ["steady", (around) => steadyState(around, true)],
  ["steady-alone", (around) => steadyState(around, false)],
  ["spaced", (around) => spacedColdStart(around, true)],
  ["spaced-alone", (around) => spacedColdStart(around, false)],
  ["holder", holderKilled],
  ["redis", redisKilled],
];

const HEAD: Row = [
  "scenario",
  "tenants",
  "token requests",
  "per tenant and lifetime, mean / max",
  "worst second",
  "smallest gap",
  "requests waited, p50 / p99 / max",
  "token → first process, p50 / max",
  "token → last process, p50 / max",
  "not served",
  "CPU",
  "Redis commands, worst second",
];

/** @throws when it is no whole number in that range */
function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= least && value <= most))
    throw new Error(`--${name} takes whole numbers from ${least} to ${most}, not ${JSON.stringify(text)}`);
  return value;
}

// So that what this process started ends with it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

const ok = values.model ? await runModel() : await runProcesses();
console.log(`verdict: ${ok ? "yes" : "NO"}`);
process.exitCode = ok ? 0 : 1;

async function runProcesses(): Promise<boolean> {
  const names = values.only?.split(",") ?? SCENARIOS.map(([name]) => name);
  const unknown = names.find((name) => SCENARIOS.every(([known]) => known !== name));
  if (unknown !== undefined)
    throw new Error(`--only ${unknown}: there are ${SCENARIOS.map(([name]) => name).join(", ")}`);
  const sizes = {
    processes: wholeNumber("processes", values.processes, 2, 100),
    tenants: wholeNumber("tenants", values.tenants, 1, 5_000),
    lifetimeSeconds: wholeNumber("lifetime", values.lifetime, 5, 600),
    lifetimes: wholeNumber("lifetimes", values.lifetimes, 1, 100),
  };
  await using redis = await startRedisServer();
  const setting = `${sizes.processes} processes, ${values.pillion}, Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}, load ${loadavg()[0]?.toFixed(1)} before`;
  console.log(`fleet: ${setting}`);
  const findings: Finding[] = [];
  for (const [name, run] of SCENARIOS) {
    if (!names.includes(name)) continue;
    await redis.command("FLUSHALL");
    const finding = await run({ pillion: values.pillion, ...sizes, redis });
    findings.push(finding);
    const { scenario, shared, seconds } = finding.measurement;
    console.log(`${scenario}, ${shared ? "shared" : "each for itself"}: ${seconds.toFixed(1)} s`);
    for (const judgement of finding.judgements) console.log(`  ${asLine(judgement)}`);
  }
  console.log(
    `\n${table(
      HEAD,
      findings.map(({ measurement }) => rowOf(measurement)),
    )}\n`,
  );
  if (values.json !== undefined) writeJson(values.json, { setting, findings });
  return findings.every(({ judgements }) => judgements.every(({ ok: good }) => good));
}

async function runModel(): Promise<boolean> {
  const sidecars = values.sidecars
    .split(",")
    .map((text) => wholeNumber("sidecars", text, 1, 100_000))
    .sort((a, b) => a - b);
  const seed = wholeNumber("seed", values.seed, 0, 2 ** 31);
  const results = await modelFleets({ sidecars, seed }, (line) => console.log(line));
  console.log(`\n${modelTables(results)}\n`);
  if (values.svg !== undefined) writeFileSync(values.svg, drawFleet(results));
  if (values.json !== undefined) writeJson(values.json, { seed, results });
  return results.broken.length === 0;
}

function writeJson(file: string, content: unknown): void {
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}

function rowOf(measured: Measurement): Row {
  const { waits, firstServed, lastServed, perLifetime, redis } = measured;
  return [
    `${measured.scenario}, ${measured.shared ? "shared" : "each for itself"}`,
    count(measured.tenants),
    `${count(measured.tokenRequests)}${measured.refused === 0 ? "" : `, ${count(measured.refused)} refused`}`,
    `${perLifetime.mean.toFixed(2)} / ${perLifetime.max}`,
    count(measured.worstSecond),
    measured.smallestGapMs === undefined ? "" : duration(measured.smallestGapMs),
    `${duration(waits.p50Ms)} / ${duration(waits.p99Ms)} / ${duration(waits.maxMs)}`,
    `${duration(firstServed.p50Ms)} / ${duration(firstServed.maxMs)}`,
    `${duration(lastServed.p50Ms)} / ${duration(lastServed.maxMs)}`,
    `${failureText(measured) || "0"} of ${count(measured.requests)}`,
    `${(measured.cpuSeconds + (redis?.cpuSeconds ?? 0)).toFixed(1)} s`,
    redis === undefined ? "" : `${count(redis.commands)}, ${count(redis.worstSecond)}`,
  ];
}

function asLine({ what, figure, limit, ok: good }: Judgement): string {
  return `${good ? "ok " : "NO "} ${what}: ${figure} (limit: ${limit})`;
}

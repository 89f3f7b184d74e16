/**
 * CPU time per request of Pillion against http-proxy and a proxy written by hand, all injecting the same token.
 *
 *     npm run bench -- [--rounds 5] [--seconds 3] [--connections 32] [--only NAME] [--scheme http|https]
 *                      [--client wrk|node] [--pillion dist/pillion.js] [--json FILE]
 *
 * Each contender is one process on a core of its own; client and origin have the rest. The rounds are interleaved, so
 * that whatever else the machine does hits all alike; the first load of each is not counted. CPU time is user and
 * system time of all the process's threads from /proc (Linux only). Loopback only.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { type ClientName, defaultClient, runLoad } from "./client.ts";
import { contenders, type RunningContender } from "./contenders.ts";
import { createTestbed, type Scheme } from "./testbed.ts";

interface Sample {
  readonly cpuMicrosecondsPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
}

interface Row {
  readonly scheme: Scheme;
  readonly name: string;
  readonly samples: Sample[];
  residentMiB: number;
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    connections: { type: "string", default: "32" },
    only: { type: "string", multiple: true },
    scheme: { type: "string", multiple: true, default: ["http", "https"] },
    client: { type: "string", default: defaultClient },
    pillion: { type: "string", default: "cmd/pillion.ts" },
    json: { type: "string" },
  },
});
const seconds = Number(values.seconds);
const connections = Number(values.connections);
const client: ClientName = values.client === "wrk" ? "wrk" : "node";
const chosen = contenders.filter(({ name }) => values.only === undefined || values.only.includes(name));
if (chosen.length === 0) throw new Error(`--only takes: ${contenders.map(({ name }) => name).join(", ")}`);

async function sample({ child, origin }: RunningContender): Promise<Sample> {
  const beforeSeconds = child.cpuSeconds();
  const load = await runLoad(client, `${origin}/api/json`, connections, seconds);
  const cpuSeconds = child.cpuSeconds() - beforeSeconds;
  if (load.failures > 0 || load.requests === 0) {
    throw new Error(`${load.failures} of ${load.requests + load.failures} requests failed at ${origin}`);
  }
  return {
    cpuMicrosecondsPerRequest: (cpuSeconds / load.requests) * 1e6,
    requestsPerSecond: load.requests / load.seconds,
    p99Ms: load.p99Ms,
  };
}

async function compare(scheme: Scheme): Promise<readonly Row[]> {
  const testbed = createTestbed();
  try {
    const options = await testbed.startOptions(scheme, values.pillion);
    const running: { row: Row; contender: RunningContender }[] = [];
    for (const { name, start } of chosen) {
      const contender = await start(options);
      testbed.adopt(contender.child);
      running.push({ row: { scheme, name, samples: [], residentMiB: 0 }, contender });
    }
    for (const { contender } of running) await sample(contender);
    for (let round = 0; round < Number(values.rounds); round++) {
      // Another one goes first each time.
      const order = running.map((_, index) => running[(index + round) % running.length]);
      for (const turn of order) {
        if (turn === undefined) continue;
        turn.row.samples.push(await sample(turn.contender));
        turn.row.residentMiB = Math.max(turn.row.residentMiB, turn.contender.child.residentBytes() / 2 ** 20);
      }
    }
    return running.map(({ row }) => row);
  } finally {
    await testbed.close();
  }
}

function spread(numbers: readonly number[]): { median: number; min: number; max: number } {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = sorted.length / 2;
  const median = sorted.length % 2 === 1 ? at(Math.floor(middle)) : (at(middle - 1) + at(middle)) / 2;
  return { median, min: at(0), max: at(sorted.length - 1) };
}

function summary(row: Row) {
  const of = (pick: (sample: Sample) => number) => spread(row.samples.map(pick));
  return {
    scheme: row.scheme,
    name: row.name,
    cpuMicrosecondsPerRequest: of((each) => each.cpuMicrosecondsPerRequest),
    requestsPerSecond: of((each) => each.requestsPerSecond),
    p99Ms: of((each) => each.p99Ms),
    residentMiB: row.residentMiB,
  };
}

function print(summaries: readonly ReturnType<typeof summary>[]): void {
  const header = [
    "upstream",
    "proxy",
    "CPU µs/request",
    "(min – max)",
    "vs pillion",
    "requests/s",
    "p99 ms",
    "RSS MiB",
  ];
  const lines = summaries.map((each) => {
    const cpu = each.cpuMicrosecondsPerRequest;
    const own = summaries.find(({ name, scheme }) => name === "pillion" && scheme === each.scheme);
    return [
      each.scheme,
      each.name,
      cpu.median.toFixed(1),
      `${cpu.min.toFixed(1)} – ${cpu.max.toFixed(1)}`,
      own === undefined ? "" : `${(cpu.median / own.cpuMicrosecondsPerRequest.median).toFixed(2)}×`,
      each.requestsPerSecond.median.toFixed(0),
      each.p99Ms.median.toFixed(2),
      each.residentMiB.toFixed(0),
    ];
  });
  const widths = header.map((_, column) =>
    Math.max(...[header, ...lines].map((line) => line[column]?.length ?? 0)),
  );
  for (const line of [header, ...lines]) {
    console.log(
      line
        .map((cell, column) =>
          column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join("  "),
    );
  }
}

const machine = {
  node: process.version,
  processor: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  client,
  connections,
  rounds: Number(values.rounds),
  secondsPerRound: seconds,
};
console.log(
  `${machine.processor}, ${machine.cores} cores, Node ${machine.node}, client ${client}, ${connections} connections, ${machine.rounds} rounds of ${seconds} s`,
);

const rows: Row[] = [];
for (const scheme of ["http", "https"] as const) {
  if (values.scheme.includes(scheme)) rows.push(...(await compare(scheme)));
}
const summaries = rows.map(summary);
print(summaries);
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ machine, results: summaries }, null, 2)}\n`);

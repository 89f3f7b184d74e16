/**
 * What a request costs: Pillion, as it is shipped, against what its users would take instead.
 *
 *     npm run bench -- [--quick | --smoke] [--only pillion,nginx] [--rounds 7] [--seconds 2] [--connections 64]
 *                      [--scheme http|https] [--pillion dist/pillion.js] [--json FILE] [--compare FILE] [--docs]
 *                      [--no-install]
 *
 * - `--quick`: a few proxies in one or two minutes; `--smoke`: shows in seconds that all of it works, judges nothing
 * - `--compare FILE`: the change against an earlier run's `--json FILE`, as multiples of nginx
 * - `--docs`: writes `docs/performance.md` and `docs/performance.svg`
 * - `--no-install`: takes what is there, and fetches no peer from a package registry
 *
 * Client (wrk), origin (nginx) and the benchmark itself share one core, the proxy under measurement has the other. CPU
 * time is user and system time of the proxy's whole process tree, from /proc (Linux only). Loopback only; what it
 * starts ends with it. Exit code 0 whatever the figures are, 1 when something broke, 2 for a flag that it does not know.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { drawCpu } from "./compare/chart.ts";
import { contendersOf } from "./compare/contenders.ts";
import { measureDetails } from "./compare/details.ts";
import { parseRecord, RecordError } from "./compare/earlier.ts";
import { type Result, summary } from "./compare/figures.ts";
import { describeMachine, machineLine } from "./compare/machine.ts";
import { replaceGenerated } from "./compare/page.ts";
import { type Plan, parsePlan, UsageError } from "./compare/plan.ts";
import { createProcesses, type Processes, pinSelf } from "./compare/processes.ts";
import { missingTools } from "./compare/provision.ts";
import { type Run, reportMarkdown, reportText } from "./compare/report.ts";
import { measure } from "./compare/rounds.ts";
import { createSurroundings } from "./compare/surroundings.ts";

const docs = join(import.meta.dirname, "..", "docs");
const say = (line: string): void => console.error(line);

async function measureAll(plan: Plan, processes: Processes): Promise<Run> {
  const machine = describeMachine(plan, new Date());
  const surroundings = await createSurroundings(processes, plan);
  process.once("exit", surroundings.remove);
  try {
    const { shipped, entries, missing } = contendersOf(plan, surroundings.directory, say);
    pinSelf();
    const notes: string[] = [];
    const note = (line: string): void => {
      notes.push(line);
      say(line);
    };
    const deps = { processes, surroundings, plan, say, note };
    const results: Result[] = [];
    for (const scheme of plan.schemes) {
      results.push(...(await measure(scheme, entries, deps)).map(summary));
    }
    const takesPart = entries.some(({ contender }) => contender.name === "pillion");
    const details = plan.details && takesPart ? await measureDetails(shipped, deps) : undefined;
    return { machine, results, missing, notes, details };
  } finally {
    await surroundings.close();
  }
}

function publish(run: Run): void {
  const page = join(docs, "performance.md");
  writeFileSync(page, replaceGenerated(readFileSync(page, "utf8"), reportMarkdown(run)));
  writeFileSync(
    join(docs, "performance.svg"),
    drawCpu(run.results, machineLine(run.machine).split(";")[0] ?? ""),
  );
}

async function main(plan: Plan): Promise<void> {
  const earlier =
    plan.compare === undefined ? undefined : parseRecord(readFileSync(plan.compare, "utf8"), plan.compare);
  const missing = missingTools();
  if (missing !== undefined) throw new UsageError(missing);
  const processes = createProcesses();
  process.once("exit", () => processes.killAll());
  process.once("SIGHUP", () => process.exit(129));
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  const run = await measureAll(plan, processes);
  console.log(reportText(run, earlier));
  if (plan.json !== undefined) writeFileSync(plan.json, `${JSON.stringify(run, null, 2)}\n`);
  if (plan.docs) publish(run);
}

try {
  await main(parsePlan(process.argv.slice(2)));
} catch (error) {
  const isUsage = error instanceof UsageError || error instanceof RecordError;
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  // At once: what still runs would hold this process up.
  process.exit(isUsage ? 2 : 1);
}

/** What only Pillion is asked: routing among many routes and tenants, and what a fresh token costs. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { saturate } from "./lap.ts";
import { pillionContender, type ShippedPillion, type Size, tenantPath } from "./pillion.ts";
import { type RoundsDeps, rotated } from "./rounds.ts";
import { type Started, startContender } from "./started.ts";
import { type Spread, spread } from "./statistics.ts";

export interface Details {
  /** CPU time of a request to one among many as a multiple of that to one of each, of the same round. */
  readonly routing: Spread;
  /** The same of requests to 64 of them in turn, each of which has upstream connections of its own. */
  readonly atOnce: Spread;
  readonly routes: number;
  readonly tenants: number;
  readonly tokenMicroseconds: Spread;
}

const ONE: Size = { routes: 1, tenants: 1 };
const MANY: Size = { routes: 1_000, tenants: 10_000 };
const FEW: Size = { routes: 10, tenants: 100 };
/** How many of them are asked for in turn. */
const PAIRS = 64;

/** Spread over the whole table. */
function spreadPaths({ routes, tenants }: Size): readonly string[] {
  const step = Math.max(1, Math.floor(tenants / PAIRS));
  return Array.from({ length: Math.min(PAIRS, tenants) }, (_, pair) =>
    tenantPath((pair * step) % routes, pair * step),
  );
}

/** A wrk script that asks for one path after the other. */
function luaScript(paths: readonly string[]): string {
  return `local paths = { ${paths.map((path) => `"${path}"`).join(", ")} }
local requests = {}
local count = 0
function init(args)
  for index, path in ipairs(paths) do requests[index] = wrk.format("GET", path) end
end
function request()
  count = count + 1
  return requests[(count - 1) % #requests + 1]
end
`;
}

interface Lane {
  readonly started: Started;
  readonly script: string;
}

async function startSized(shipped: ShippedPillion, size: Size, deps: RoundsDeps): Promise<Started> {
  const { processes, surroundings } = deps;
  const contender = pillionContender(`pillion-${size.routes}-routes`, shipped, { size });
  const program = contender.find();
  if (typeof program === "string") throw new Error(program);
  const { directory } = surroundings;
  const start = { processes, setting: surroundings.setting("https"), directory, path: tenantPath(0, 0) };
  return startContender(start, contender, program);
}

/** CPU seconds of one request. */
async function loadLane({ started, script }: Lane, seconds: number, deps: RoundsDeps): Promise<number> {
  const { processes, plan } = deps;
  const beforeSeconds = started.cpuSeconds();
  const load = { url: started.origin, connections: plan.connections, seconds, script };
  const { requests, failures } = await saturate(processes, load);
  if (requests === 0 || failures > 0) {
    throw new Error(`${started.name}: ${failures} of ${requests} requests failed`);
  }
  return (started.cpuSeconds() - beforeSeconds) / requests;
}

async function measureRouting(
  shipped: ShippedPillion,
  size: Size,
  deps: RoundsDeps,
): Promise<Pick<Details, "routing" | "atOnce">> {
  const { plan, surroundings } = deps;
  const writeScript = (name: string, paths: readonly string[]): string => {
    const file = join(surroundings.directory, `${name}.lua`);
    writeFileSync(file, luaScript(paths));
    return file;
  };
  const one = await startSized(shipped, ONE, deps);
  const many = await startSized(shipped, size, deps);
  const middle = Math.floor(size.tenants / 2);
  const lanes: readonly Lane[] = [
    { started: one, script: writeScript("one", [tenantPath(0, 0)]) },
    { started: many, script: writeScript("one-of-many", [tenantPath(middle % size.routes, middle)]) },
    { started: many, script: writeScript("many", spreadPaths(size)) },
  ];
  if (plan.warmUpSeconds > 0) for (const lane of lanes) await loadLane(lane, plan.warmUpSeconds, deps);
  const routing: number[] = [];
  const atOnce: number[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    const seconds = new Map<Lane | undefined, number>();
    for (const lane of rotated(lanes, round)) {
      if (plan.lapWarmUpSeconds > 0) await loadLane(lane, plan.lapWarmUpSeconds, deps);
      seconds.set(lane, await loadLane(lane, plan.seconds, deps));
    }
    const [base = Number.NaN, single = Number.NaN, spreadOut = Number.NaN] = lanes.map((lane) =>
      seconds.get(lane),
    );
    routing.push(single / base);
    atOnce.push(spreadOut / base);
  }
  await Promise.all([one.stop(), many.stop()]);
  return { routing: spread(routing), atOnce: spread(atOnce) };
}

async function measureToken({ processes, surroundings, plan }: RoundsDeps): Promise<Spread> {
  const { tokenUrl } = surroundings.setting("http");
  const calls = plan.kind === "smoke" ? 10_000 : 500_000;
  const file = join(import.meta.dirname, "token-cost.ts");
  const argv = [process.execPath, file, `--token-url=${tokenUrl}`, `--calls=${calls}`];
  const { microseconds } = JSON.parse(await processes.finish("proxy", argv, 60_000)) as {
    microseconds: number[];
  };
  return spread(microseconds);
}

export async function measureDetails(shipped: ShippedPillion, deps: RoundsDeps): Promise<Details> {
  const many = deps.plan.kind === "smoke" ? FEW : MANY;
  deps.say(`routing among ${many.routes} routes and ${many.tenants} tenants`);
  const routing = await measureRouting(shipped, many, deps);
  deps.say("a fresh token");
  return { ...many, ...routing, tokenMicroseconds: await measureToken(deps) };
}

/** The measurements, each in rounds in which another proxy goes first, so that other work on the machine hits all alike. */
import { setTimeout as sleep } from "node:timers/promises";
import type { LoadResult } from "../wrk.ts";
import { emptyFigures, type Figures } from "./figures.ts";
import { download, pace, saturate } from "./lap.ts";
import type { Plan } from "./plan.ts";
import type { Processes } from "./processes.ts";
import type { Contender, Program, Scheme } from "./setting.ts";
import { type StartDeps, type Started, startContender } from "./started.ts";
import type { Surroundings } from "./surroundings.ts";

export interface Entry {
  readonly contender: Contender;
  readonly program: Program;
}

export interface RoundsDeps {
  readonly processes: Processes;
  readonly surroundings: Surroundings;
  readonly plan: Plan;
  say(line: string): void;
  /** For the report: what did not go as it should and does not end the run. */
  note(line: string): void;
}

interface Lane {
  readonly figures: Figures;
  readonly started: Started;
}

const JSON_PATH = "/api/json";
/** Refused connections and the like; a few belong to a proxy that closes connections while they are used. */
const FAILURE_SHARE = 0.001;

/** Of each second of a load. */
const WEIGHED_AFTER_MS = 900;

/** What was wrong with a load: what a proxy did in no time is no figure. undefined: nothing. */
export function faultOf(load: LoadResult): string | undefined {
  const isFine = load.requests > 0 && load.failures <= load.requests * FAILURE_SHARE;
  return isFine ? undefined : `${load.failures} of ${load.requests + load.failures} requests failed`;
}

/** Another one is first each time. */
export function rotated<T>(list: readonly T[], by: number): readonly T[] {
  const cut = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(cut), ...list.slice(0, cut)];
}

interface Watched {
  readonly load: LoadResult;
  readonly cpuMicroseconds: number;
}

/**
 * Runs a load and divides the processor time that the proxy took meanwhile by its requests. undefined: a peer that does
 * not keep up with it, which is noted and not counted.
 *
 * @throws when it is Pillion that fails
 */
async function watched(
  started: Started,
  load: string,
  run: () => Promise<LoadResult>,
  note: RoundsDeps["note"],
): Promise<Watched | undefined> {
  const beforeSeconds = started.cpuSeconds();
  const result = await run();
  const fault = faultOf(result);
  if (fault !== undefined) {
    const line = `${started.name} ${load}: ${fault}`;
    if (started.name.startsWith("pillion")) throw new Error(line);
    note(`${line}; not counted`);
    return undefined;
  }
  const answered = result.requests + (result.early ?? 0);
  return { load: result, cpuMicroseconds: ((started.cpuSeconds() - beforeSeconds) / answered) * 1e6 };
}

async function saturationRound(lanes: readonly Lane[], { processes, plan, note }: RoundsDeps): Promise<void> {
  for (const { figures, started } of lanes) {
    const url = started.origin + JSON_PATH;
    if (plan.lapWarmUpSeconds > 0)
      await saturate(processes, { ...plan, url, seconds: plan.lapWarmUpSeconds });
    const run = (): Promise<LoadResult> => saturate(processes, { ...plan, url });
    // Near its end; not where latencies are taken, since to look costs the client's core milliseconds.
    const weighing = setTimeout(() => {
      figures.loadedMiB.push(started.residentMiB());
    }, plan.seconds * WEIGHED_AFTER_MS);
    const seen = await watched(started, "at saturation", run, note);
    clearTimeout(weighing);
    if (seen === undefined) continue;
    figures.cpuMicroseconds.push(seen.cpuMicroseconds);
    figures.requestsPerSecond.push(seen.load.requests / seen.load.seconds);
  }
}

async function pacedRound(lanes: readonly Lane[], deps: RoundsDeps): Promise<void> {
  const { processes, plan, surroundings } = deps;
  const { requestsPerSecond, settleSeconds } = plan;
  const load = { requestsPerSecond, settleSeconds, seconds: plan.pacedSeconds };
  const authorization = `Bearer ${surroundings.token}`;
  const direct = await pace(processes, { ...load, url: surroundings.directUrl, authorization });
  const fault = faultOf(direct);
  if (fault !== undefined) throw new Error(`the origin itself: ${fault}`);
  for (const { figures, started } of lanes) {
    const run = (): Promise<LoadResult> => pace(processes, { ...load, url: started.origin + JSON_PATH });
    const seen = await watched(started, `at ${requestsPerSecond} requests/s`, run, deps.note);
    if (seen === undefined) continue;
    figures.pacedCpuMicroseconds.push(seen.cpuMicroseconds);
    figures.addedP50Ms.push(seen.load.p50Ms - direct.p50Ms);
    figures.addedP99Ms.push(seen.load.p99Ms - direct.p99Ms);
  }
}

async function bodyRound(lanes: readonly Lane[], { processes, plan }: RoundsDeps): Promise<void> {
  for (const { figures, started } of lanes) {
    const beforeSeconds = started.cpuSeconds();
    const { seconds, bytes } = await download(processes, `${started.origin}/api/body`, plan.bodyBytes);
    figures.bodyMiBPerSecond.push(bytes / 2 ** 20 / seconds);
    figures.bodyCpuSecondsPerGiB.push((started.cpuSeconds() - beforeSeconds) / (bytes / 2 ** 30));
  }
}

async function measureStarts(
  entries: readonly Entry[],
  lanes: readonly Lane[],
  start: StartDeps,
  starts: number,
) {
  for (let round = 0; round < starts; round++) {
    for (const { contender, program } of rotated(entries, round)) {
      const figures = lanes.find((lane) => lane.figures.name === contender.name)?.figures;
      const started = await startContender(start, contender, program);
      figures?.startMs.push(started.startMs);
      await started.stop();
    }
  }
}

/** All that is measured before one upstream. */
export async function measure(
  scheme: Scheme,
  entries: readonly Entry[],
  deps: RoundsDeps,
): Promise<readonly Figures[]> {
  const { processes, surroundings, plan, say } = deps;
  const { directory } = surroundings;
  const start: StartDeps = { processes, setting: surroundings.setting(scheme), directory, path: JSON_PATH };
  const lanes: Lane[] = [];
  for (const { contender, program } of entries) {
    const started = await startContender(start, contender, program);
    const figures = emptyFigures(scheme, contender.name, program.version);
    if (plan.starts === 0) figures.startMs.push(started.startMs);
    lanes.push({ figures, started });
  }
  await sleep(plan.idleMs);
  for (const { figures, started } of lanes) figures.idleMiB.push(started.residentMiB());
  if (plan.warmUpSeconds > 0) {
    const load = { ...plan, seconds: plan.warmUpSeconds };
    say(`${scheme}: warming up`);
    for (const { started } of lanes) await saturate(processes, { ...load, url: started.origin + JSON_PATH });
  }
  for (let round = 0; round < plan.rounds; round++) {
    say(`${scheme}: round ${round + 1} of ${plan.rounds}`);
    await saturationRound(rotated(lanes, round), deps);
    // The latencies and the bodies are judged before a TLS upstream only, which is what a sidecar has.
    if (scheme === "https" || plan.schemes.length === 1) await pacedRound(rotated(lanes, round), deps);
  }
  if (scheme === "https" || plan.schemes.length === 1) {
    for (let round = 0; round < plan.bodies; round++) {
      say(`${scheme}: large bodies, ${round + 1} of ${plan.bodies}`);
      await bodyRound(rotated(lanes, round), deps);
    }
  }
  await Promise.all(lanes.map(({ started }) => started.stop()));
  if (scheme === "https" || plan.schemes.length === 1) {
    say(`${scheme}: starts`);
    await measureStarts(entries, lanes, start, plan.starts);
  }
  return lanes.map(({ figures }) => figures);
}

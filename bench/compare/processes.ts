/** The processes of a run: started, pinned to a core, and ended with it, however it ends. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { treePids } from "./process-tree.ts";

/** Client, origin and the benchmark itself share one core; the proxy under measurement has the other. */
export type Core = "client" | "proxy";
const CORE: Readonly<Record<Core, string>> = { client: "0", proxy: "1" };
const STOP_TIMEOUT_MS = 5_000;

export const canPin = availableParallelism() > 1 && spawnSync("taskset", ["--version"]).status === 0;

/** `taskset` in front of a command, where there is one and more than one core. */
export function pinned(core: Core, argv: readonly string[]): readonly string[] {
  return canPin ? ["taskset", "--cpu-list", CORE[core], ...argv] : argv;
}

export function pinSelf(): void {
  if (canPin) spawnSync("taskset", ["--all-tasks", "--cpu-list", "--pid", CORE.client, String(process.pid)]);
}

export interface Running {
  readonly pid: number;
  /** What it printed so far, the last 4 KiB of it. */
  printed(): string;
  /** Why it ended; undefined while it runs. */
  ended(): string | undefined;
  stop(): Promise<void>;
}

export interface Processes {
  start(core: Core, argv: readonly string[], env?: Readonly<Record<string, string>>): Running;
  /** Runs one to its end. @throws when it fails or takes longer than `timeoutMs` */
  finish(core: Core, argv: readonly string[], timeoutMs: number): Promise<string>;
  /** At once and for good; for the end of this process. */
  killAll(): void;
}

const PRINTED_CHARACTERS = 4_096;

/** What the machine's user has set for Node or npm is no part of what is measured. */
function cleanEnvironment(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  const kept = Object.entries({ PATH, HOME, TMPDIR, LANG }).filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(kept), ...env };
}

/** With all that it started: a master that is killed leaves its workers behind. */
function killTree({ pid }: ChildProcess): void {
  for (const each of pid === undefined ? [] : treePids(pid)) {
    try {
      process.kill(each, "SIGKILL");
    } catch {
      // It has ended meanwhile.
    }
  }
}

export function createProcesses(): Processes {
  const running = new Set<ChildProcess>();

  function track(child: ChildProcess): void {
    running.add(child);
    child.once("close", () => running.delete(child));
  }

  return {
    start(core, argv, env = {}) {
      const [file = "", ...args] = pinned(core, argv);
      const child = spawn(file, args, { env: cleanEnvironment(env), stdio: ["ignore", "pipe", "pipe"] });
      track(child);
      let printed = "";
      let failure: string | undefined;
      const keep = (chunk: Buffer): void => {
        printed = (printed + chunk.toString()).slice(-PRINTED_CHARACTERS);
      };
      child.stdout.on("data", keep);
      child.stderr.on("data", keep);
      child.once("error", (error) => {
        failure = error.message;
      });
      const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
      return {
        pid: child.pid ?? 0,
        printed: () => printed,
        ended: () => failure ?? (isOver() ? `ended with ${child.exitCode ?? child.signalCode}` : undefined),
        async stop() {
          if (isOver() || failure !== undefined) return;
          const timer = setTimeout(() => killTree(child), STOP_TIMEOUT_MS);
          const exit = once(child, "exit");
          child.kill("SIGTERM");
          await exit;
          clearTimeout(timer);
        },
      };
    },
    async finish(core, argv, timeoutMs) {
      const [file = "", ...args] = pinned(core, argv);
      const promise = promisify(execFile)(file, args, {
        timeout: timeoutMs,
        env: cleanEnvironment({}),
        maxBuffer: 2 ** 24,
      });
      track(promise.child);
      return (await promise).stdout;
    },
    killAll() {
      for (const child of running) killTree(child);
    },
  };
}

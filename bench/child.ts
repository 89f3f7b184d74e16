/** A process under measurement, or one that helps to measure: started, pinned to a core, watched, ended. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** Which core: the proxies have one for themselves, so that client and origin do not disturb their caches. */
export type Core = "proxy" | "rest";

export interface Child {
  readonly pid: number;
  /** User and system time of all its threads so far. */
  cpuSeconds(): number;
  residentBytes(): number;
  stop(): Promise<void>;
}

/** The kernel's unit of time in /proc, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const STOP_TIMEOUT_MS = 5_000;

const canPin = availableParallelism() > 1 && spawnSync("taskset", ["--version"]).status === 0;

/** `taskset` in front of a command, where there is one and more than one core. */
export function pinned(core: Core, command: readonly string[]): readonly string[] {
  if (!canPin) return command;
  const cores = core === "proxy" ? "0" : `1-${availableParallelism() - 1}`;
  return ["taskset", "--cpu-list", cores, ...command];
}

export interface ChildOptions<T> {
  readonly core: Core;
  /** Arguments of Node. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Looks for what the process says once it serves; undefined for any other line. */
  readonly ready: (line: string) => T | undefined;
}

/** Resolves once the process is ready. @throws when it ends before that; the message holds what it printed */
export async function startChild<T>(options: ChildOptions<T>): Promise<{ child: Child; announced: T }> {
  const [command = "", ...args] = pinned(options.core, [process.execPath, ...options.args]);
  const spawned = spawn(command, args, {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const announced = await announcement(spawned, options);
  const { pid } = spawned;
  if (pid === undefined) throw new Error(`${command} did not start`);
  const child: Child = {
    pid,
    cpuSeconds() {
      // Fields 14 and 15, counted after the command's name, which may hold spaces.
      const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
        .replace(/^.*\) /, "")
        .split(" ");
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    },
    residentBytes() {
      const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
      return Number(kibibytes) * 1024;
    },
    async stop() {
      if (spawned.exitCode !== null || spawned.signalCode !== null) return;
      const timer = setTimeout(() => spawned.kill("SIGKILL"), STOP_TIMEOUT_MS);
      spawned.kill("SIGTERM");
      await once(spawned, "exit");
      clearTimeout(timer);
    },
  };
  return { child, announced };
}

function announcement<T>(spawned: ChildProcess, { args, ready }: ChildOptions<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let printed = "";
    const watch = (chunk: Buffer): void => {
      printed += chunk.toString();
      for (const line of printed.split("\n").slice(0, -1)) {
        const found = ready(line);
        if (found !== undefined) {
          printed = "";
          resolve(found);
          return;
        }
      }
    };
    spawned.stdout?.on("data", watch);
    spawned.stderr?.on("data", watch);
    spawned.once("error", reject);
    spawned.once("exit", (code) =>
      reject(new Error(`node ${args.join(" ")} ended with ${code}:\n${printed}`)),
    );
  });
}

/** Reads the `{"port":1234}` that the benchmark's own servers print. */
export function announcedJson<T>(line: string): T | undefined {
  return line.startsWith("{") ? (JSON.parse(line) as T) : undefined;
}

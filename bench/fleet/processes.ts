/** Sidecars as processes of their own, all of one configuration. */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createWorkspace } from "../../test/e2e/support/workspace.ts";
import { type Provider, SECRET } from "./provider.ts";

export interface Sidecar {
  readonly origin: string;
  /** User and system time so far; of one that has ended, its last known. */
  cpuSeconds(): number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

export interface FleetOptions {
  readonly pillion: string;
  readonly processes: number;
  /** undefined: each for itself. */
  readonly redisUrl: string | undefined;
  readonly provider: Provider;
}

export interface Fleet extends AsyncDisposable {
  readonly sidecars: readonly Sidecar[];
}

/** The kernel's unit of time in /proc, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const START_TIMEOUT_MS = 60_000;

/** A run that fails must not leave its processes behind. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Resolves once all of them serve. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const workspace = createWorkspace();
  const configFile = workspace.write("pillion.yaml", configuration(options));
  const env = {
    PATH: process.env["PATH"],
    STORE_KEY: randomBytes(32).toString("base64"),
    REDIS_URL: options.redisUrl ?? "",
    SECRET,
  };
  const started: Started[] = [];
  const end = async (): Promise<void> => {
    await Promise.all(started.map(({ kill }) => kill()));
    workspace.remove();
  };
  try {
    for (let count = 0; count < options.processes; count += 1)
      started.push(start(options.pillion, configFile, env));
    const origins = await Promise.all(started.map(({ origin }) => origin));
    const sidecars = started.map(({ cpuSeconds, kill }, index) => ({
      origin: origins[index] ?? "",
      cpuSeconds,
      kill,
    }));
    return { sidecars, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}

interface Started extends Omit<Sidecar, "origin"> {
  readonly origin: Promise<string>;
}

function start(pillion: string, configFile: string, env: NodeJS.ProcessEnv): Started {
  const child = spawn(process.execPath, [pillion, "run", "-c", configFile], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  const exited = once(child, "exit").then(() => running.delete(child));
  let cpuSeconds = 0;
  return {
    origin: listening(child),
    cpuSeconds() {
      cpuSeconds = cpuSecondsOf(child.pid) ?? cpuSeconds;
      return cpuSeconds;
    },
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Reads its log up to the line that says where it serves; what follows is not looked at. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = "";
    const timer = setTimeout(
      () => reject(new Error(`no sidecar within 60 s:\n${printed}`)),
      START_TIMEOUT_MS,
    );
    const read = (chunk: Buffer): void => {
      printed += chunk.toString();
      const address = /"event":"listening","listen":"([^"]+)"/.exec(printed)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      child.stdout?.off("data", read).resume();
      resolve(`http://${address}`);
    };
    child.stdout?.on("data", read);
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`a sidecar ended with ${code}:\n${printed}`));
    });
  });
}

function cpuSecondsOf(pid: number | undefined): number | undefined {
  try {
    // Fields 14 and 15, counted after the command's name, which may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

function configuration({ provider, redisUrl }: FleetOptions): string {
  const store =
    redisUrl === undefined
      ? ""
      : "store: { redis: { url: { env: REDIS_URL } }, encryption_keys: [{ env: STORE_KEY }] }\n";
  return `listen: 127.0.0.1:0
admin: 127.0.0.1:0
${store}credentials:
  machine:
${provider.credential}routes:
  - { name: machine, path: "/api/{tenant}/", upstream: "${provider.apiUrl}", credential: machine, timeouts: { connect: 30s } }
`;
}

/** A proxy that runs: started, waited for, asked what it has used. */
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { treeCpuSeconds, treeResidentBytes } from "./process-tree.ts";
import type { Processes, Running } from "./processes.ts";
import type { Contender, Program, Setting } from "./setting.ts";

export interface Started {
  readonly name: string;
  readonly version: string;
  /** What to put before a path. */
  readonly origin: string;
  /** From its start to the first answer that came through it. */
  readonly startMs: number;
  cpuSeconds(): number;
  residentMiB(): number;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;
const RETRY_MS = 1;

/** One that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** The status of one request on a connection of its own; undefined: nobody answers. */
function statusOf(port: number, path: string, authorization?: string): Promise<number | undefined> {
  const field = authorization === undefined ? "" : `Authorization: ${authorization}\r\n`;
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    let received = "";
    const settle = (status: number | undefined): void => {
      socket.destroy();
      resolve(status);
    };
    socket.setTimeout(2_000, () => settle(undefined));
    socket.once("connect", () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${field}\r\n`),
    );
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      const status = /^HTTP\/1\.1 (\d{3})/.exec(received)?.[1];
      if (status !== undefined) settle(Number(status));
    });
    socket.once("error", () => settle(undefined));
    socket.once("end", () => settle(undefined));
  });
}

/** @throws when it ends, or answers nothing but errors for 30 s; the message holds what it printed */
export async function firstAnswer(
  name: string,
  running: Running,
  port: number,
  path: string,
  authorization?: string,
): Promise<void> {
  const endMs = performance.now() + START_TIMEOUT_MS;
  let status: number | undefined;
  while (performance.now() < endMs) {
    status = await statusOf(port, path, authorization);
    if (status === 200) return;
    const ended = running.ended();
    if (ended !== undefined) throw new Error(`${name} ${ended}:\n${running.printed()}`);
    await sleep(RETRY_MS);
  }
  throw new Error(`${name} does not serve (last answer: ${status ?? "none"}):\n${running.printed()}`);
}

export interface StartDeps {
  readonly processes: Processes;
  readonly setting: Omit<Setting, "port" | "directory">;
  /** Where each gets a folder of its own. */
  readonly directory: string;
  /** What is asked for first. */
  readonly path: string;
}

export async function startContender(
  { processes, setting, directory, path }: StartDeps,
  { name }: Contender,
  program: Program,
): Promise<Started> {
  const port = await freePort();
  const own = join(directory, `${name}-${port}`);
  mkdirSync(own, { recursive: true });
  const { argv, env } = program.command({ ...setting, port, directory: own });
  const beganMs = performance.now();
  const running = processes.start("proxy", argv, env);
  await firstAnswer(name, running, port, path);
  return {
    name,
    version: program.version,
    origin: `http://127.0.0.1:${port}`,
    startMs: performance.now() - beganMs,
    cpuSeconds: () => treeCpuSeconds(running.pid),
    residentMiB: () => treeResidentBytes(running.pid) / 2 ** 20,
    stop: () => running.stop(),
  };
}

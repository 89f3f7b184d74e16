/** Runs the client in a process of its own: wrk where it is installed, else `bench/load.ts`. */
import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { pinned } from "./child.ts";

export interface LoadResult {
  readonly requests: number;
  /** Answers other than 200, and connections that broke. */
  readonly failures: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type ClientName = "wrk" | "node";

const run = promisify(execFile);

export const defaultClient: ClientName = spawnSync("wrk", ["--version"]).error === undefined ? "wrk" : "node";

export async function runLoad(
  client: ClientName,
  url: string,
  connections: number,
  seconds: number,
): Promise<LoadResult> {
  const command =
    client === "wrk"
      ? ["wrk", "--threads=1", `--connections=${connections}`, `--duration=${seconds}s`, "--latency", url]
      : [
          process.execPath,
          join(import.meta.dirname, "load.ts"),
          `--url=${url}`,
          `--connections=${connections}`,
          `--seconds=${seconds}`,
        ];
  const [file = "", ...args] = pinned("rest", command);
  const { stdout } = await run(file, args, { timeout: (seconds + 15) * 1_000 });
  return client === "wrk" ? parseWrk(stdout) : (JSON.parse(stdout) as LoadResult);
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000 };

function parseWrk(output: string): LoadResult {
  const [, requests = "0", seconds = "0"] = /(\d+) requests in ([\d.]+)s/.exec(output) ?? [];
  const latencyMs = (percent: number): number => {
    const [, value = "0", unit = "ms"] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s|m)`).exec(output) ?? [];
    return Number(value) * (UNIT_MS[unit] ?? 1);
  };
  const statuses = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0);
  const [, ...sockets] =
    /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output) ?? [];
  const broken = sockets.reduce((sum, count) => sum + Number(count), 0);
  return {
    requests: Number(requests),
    failures: statuses + broken,
    seconds: Number(seconds),
    p50Ms: latencyMs(50),
    p99Ms: latencyMs(99),
  };
}

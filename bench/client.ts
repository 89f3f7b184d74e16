/** Runs the client in a process of its own: wrk where it is installed, else `bench/load.ts`. */
import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { pinned } from "./child.ts";
import { type LoadResult, parseWrk } from "./wrk.ts";

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

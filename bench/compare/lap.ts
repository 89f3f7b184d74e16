/** One load on one proxy, and what it took. */
import { join } from "node:path";
import { type LoadResult, parseWrk } from "../wrk.ts";
import type { Processes } from "./processes.ts";

/** What a load may take beyond its time before something is wrong. */
const GRACE_MS = 20_000;

export interface Saturation {
  readonly url: string;
  readonly connections: number;
  /** Whole seconds; wrk takes no other. */
  readonly seconds: number;
  /** A Lua file that makes the requests. Default: the same one again and again. */
  readonly script?: string;
}

/** As much as goes through: each connection sends its next request when the last one is answered. */
export async function saturate(processes: Processes, load: Saturation): Promise<LoadResult> {
  const script = load.script === undefined ? [] : [`--script=${load.script}`];
  const argv = [
    "wrk",
    "--threads=1",
    `--connections=${load.connections}`,
    `--duration=${load.seconds}s`,
    "--latency",
    ...script,
    load.url,
  ];
  return parseWrk(await processes.finish("client", argv, load.seconds * 1_000 + GRACE_MS));
}

export interface Pace {
  readonly url: string;
  readonly requestsPerSecond: number;
  readonly seconds: number;
  /** Before that, for the client to become as quick as it will be. */
  readonly settleSeconds: number;
  /** Sent along, where the origin is asked directly. */
  readonly authorization?: string;
}

/** A fixed rate, whatever the answers do: `bench/load.ts --rate`. */
export async function pace(processes: Processes, load: Pace): Promise<LoadResult> {
  const argv = [
    process.execPath,
    join(import.meta.dirname, "..", "load.ts"),
    `--url=${load.url}`,
    `--rate=${load.requestsPerSecond}`,
    `--seconds=${load.seconds}`,
    `--settle=${load.settleSeconds}`,
    ...(load.authorization === undefined ? [] : [`--authorization=${load.authorization}`]),
  ];
  return JSON.parse(await processes.finish("client", argv, load.seconds * 1_000 + GRACE_MS)) as LoadResult;
}

export interface Download {
  readonly seconds: number;
  readonly bytes: number;
}

/** One large body, thrown away as it comes. @throws when it is not the whole body */
export async function download(processes: Processes, url: string, bytes: number): Promise<Download> {
  const wanted = "%{http_code} %{size_download} %{time_total}";
  const argv = ["curl", "--silent", "--show-error", "--output", "/dev/null", "--write-out", wanted, url];
  const [status, size, seconds] = (await processes.finish("client", argv, 120_000)).split(" ");
  if (status !== "200" || Number(size) !== bytes) throw new Error(`${url}: ${status}, ${size} bytes`);
  return { seconds: Number(seconds), bytes };
}

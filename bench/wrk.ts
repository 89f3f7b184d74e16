/** What a load came to, and how wrk says so. */

export interface LoadResult {
  readonly requests: number;
  /** Answered beside them, too early to count. Default 0. */
  readonly early?: number;
  /** Answers other than 2xx and connections that broke. */
  readonly failures: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000 };

/** What `wrk --latency` prints. */
export function parseWrk(output: string): LoadResult {
  const [, requests = "0", seconds = "0"] = /(\d+) requests in ([\d.]+)s/.exec(output) ?? [];
  const latencyMs = (percent: number): number => {
    const found = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s|m)`).exec(output);
    return Number(found?.[1] ?? 0) * (UNIT_MS[found?.[2] ?? "ms"] ?? 1);
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

/** Looks at the process from outside: memory and descriptors in /proc, event-loop delay in /metrics. Linux only. */
import { readdirSync, readFileSync } from "node:fs";
import { type Metrics, scrape } from "../../test/e2e/support/metrics.ts";

export interface Sample {
  /** Since traffic began. */
  readonly atSeconds: number;
  readonly residentMiB: number;
  readonly descriptors: number;
  /** 99th percentile and greatest since the sample before. */
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
  readonly heapUsedMiB: number;
  /** Outcomes since the sample before. */
  readonly good: number;
  readonly faults: number;
  readonly unexpected: number;
}

export type Vitals = Omit<Sample, "atSeconds" | "good" | "faults" | "unexpected">;

const MIB = 2 ** 20;

export async function takeVitals(pid: number, adminOrigin: string): Promise<Vitals> {
  // Before the scrape, whose own connection would be counted as long as it takes to close.
  const looked = { residentMiB: residentMiB(pid), descriptors: readdirSync(`/proc/${pid}/fd`).length };
  const metrics = await scrape(adminOrigin);
  return {
    ...looked,
    delayP99Ms: seconds(metrics, "nodejs_eventloop_lag_p99_seconds") * 1_000,
    delayMaxMs: seconds(metrics, "nodejs_eventloop_lag_max_seconds") * 1_000,
    heapUsedMiB: metrics.total(metricName(metrics, "nodejs_heap_size_used_bytes")) / MIB,
  };
}

function residentMiB(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Number(kibibytes) / 1_024;
}

function seconds(metrics: Metrics, name: string): number {
  return metrics.total(metricName(metrics, name));
}

function metricName(metrics: Metrics, name: string): string {
  if (!metrics.types.has(name)) throw new Error(`/metrics has no ${name}`);
  return name;
}

/** The proxy's process as the kernel sees it. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { PillionProcess } from "../../test/support/pillion-process.ts";

const MIB = 1_048_576;

export function residentMiB({ child }: PillionProcess): number {
  const status = readFileSync(`/proc/${child.pid}/status`, "latin1");
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024) / MIB;
}

export function descriptors({ child }: PillionProcess): number {
  return readdirSync(`/proc/${child.pid}/fd`).length;
}

export function portOf({ origin }: PillionProcess): number {
  return Number(new URL(origin).port);
}

/** Milliseconds until `condition` holds; undefined when it does not within `limitMs`. */
export async function timeUntil(condition: () => boolean, limitMs: number): Promise<number | undefined> {
  const startedAtMs = performance.now();
  while (!condition()) {
    if (performance.now() - startedAtMs > limitMs) return undefined;
    await delay(5);
  }
  return performance.now() - startedAtMs;
}

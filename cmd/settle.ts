import { performance } from "node:perf_hooks";
import type { Clock } from "../src/core/clock.ts";

/** What is looked at to decide; the process itself, or a test. */
export interface Surroundings {
  readonly clock: Pick<Clock, "schedule">;
  /** Memory of the process that is resident. */
  residentBytes(): number;
  /** Share of the time since the last call that the event loop was busy, 0 to 1. */
  utilization(): number;
  /** Collects all garbage: some ten milliseconds in which nothing else is done. */
  collect(): void;
}

/** The first look comes when the first requests of a start are through, further ones when a burst may have ended. */
const FIRST_LOOK_MS = 1_000;
const LOOK_INTERVAL_MS = 5_000;
/** Busier than this, some hundred requests a second, and somebody would wait for the collection. */
const IDLE_UTILIZATION = 0.02;
/** Less than this is not worth a collection. */
const WORTHWHILE_BYTES = 8 * 1_048_576;

/**
 * What a start leaves behind (the text of the configuration, code that runs once), and what a burst of requests does, is
 * as much as the sidecar itself. V8 collects when it needs room: an idle process would keep it for ever. So whenever the
 * process is idle and has grown since it was last tidied, all garbage is collected, at most once in five seconds.
 */
export function settleWhenIdle({ clock, residentBytes, utilization, collect }: Surroundings): void {
  let settledBytes = 0;
  const look = (): void => {
    if (utilization() <= IDLE_UTILIZATION && residentBytes() - settledBytes >= WORTHWHILE_BYTES) {
      collect();
      settledBytes = residentBytes();
    }
    clock.schedule(LOOK_INTERVAL_MS, look);
  };
  utilization();
  clock.schedule(FIRST_LOOK_MS, look);
}

/** Of this process. */
export function createUtilization(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}

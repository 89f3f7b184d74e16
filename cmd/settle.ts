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

/** Until the start is tidied up after: as soon as the first requests of it are through. */
const FIRST_LOOK_MS = 1_000;
/**
 * After that. Code goes too, and what was compiled of it is compiled anew when it is needed next: the first second of a load
 * then takes half as much again of the processor. So a pause between two bursts is not made use of, a quiet night is.
 */
const LATER_LOOK_MS = 600_000;
/** Busier than this, some hundred requests a second, and somebody would wait for the collection. */
const IDLE_UTILIZATION = 0.02;
/** Less than this is not worth a collection. */
const WORTHWHILE_BYTES = 8 * 1_048_576;

/**
 * What a start leaves behind (the text of the configuration, code that runs once) is as much as the sidecar itself, and a
 * burst of requests leaves as much again. V8 collects when it needs room: an idle process would keep it for ever. So all
 * garbage is collected in the first idle second, and then wherever the process was idle for ten minutes and has grown.
 */
export function settleWhenIdle({ clock, residentBytes, utilization, collect }: Surroundings): void {
  let settledBytes = 0;
  const look = (): void => {
    if (utilization() <= IDLE_UTILIZATION && residentBytes() - settledBytes >= WORTHWHILE_BYTES) {
      collect();
      settledBytes = residentBytes();
    }
    clock.schedule(settledBytes === 0 ? FIRST_LOOK_MS : LATER_LOOK_MS, look);
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

import { uptime } from "node:os";
import { performance } from "node:perf_hooks";

/** Something that can be cancelled; what `Clock.schedule` returns. */
export interface Timer {
  cancel(): void;
}

/** Time, handed in so that tests can turn it. */
export interface Clock {
  /** Monotonic milliseconds that go on while the machine sleeps. Decides every expiry. */
  now(): number;
  /** Unix time in milliseconds. For dates on the wire and in logs, and as a second opinion after a jump. */
  wall(): number;
  /** Calls `task` once after `delayMs` (clamped to 0…2 147 483 647). Does not keep the process alive. */
  schedule(delayMs: number, task: () => void): Timer;
}

/** The longest delay a Node timer takes; a longer one would fire at once. */
export const MAX_TIMER_MS = 2_147_483_647;

/** A difference between wall and monotonic time below this is drift or rounding, not a jump. */
const JUMP_MS = 1_000;

/**
 * The machine's clock. Linux's monotonic clock stands still while a machine is suspended, so a token would seem
 * younger than it is: when wall and monotonic time come apart, the system's uptime, which counts suspension and
 * does not follow a changed wall clock, tells sleep from a clock that was set.
 */
export function createSystemClock(): Clock {
  let sleptMs = 0;
  let offsetMs = Date.now() - performance.now();
  let bootOffsetMs = uptime() * 1_000 - performance.now();

  return {
    now() {
      const monotonicMs = performance.now();
      const currentOffsetMs = Date.now() - monotonicMs;
      if (currentOffsetMs - offsetMs > JUMP_MS || offsetMs - currentOffsetMs > JUMP_MS) {
        const currentBootOffsetMs = uptime() * 1_000 - monotonicMs;
        if (currentBootOffsetMs - bootOffsetMs > JUMP_MS) sleptMs += currentBootOffsetMs - bootOffsetMs;
        bootOffsetMs = currentBootOffsetMs;
        offsetMs = currentOffsetMs;
      }
      return monotonicMs + sleptMs;
    },
    wall: Date.now,
    schedule(delayMs, task) {
      const timer = setTimeout(task, Math.min(Math.max(0, delayMs), MAX_TIMER_MS));
      timer.unref();
      return { cancel: () => clearTimeout(timer) };
    },
  };
}

import type { Clock, Timer } from "../core/clock.ts";

/**
 * How long an answer is waited for, in time during which this process could have noticed it. Of a moment in which it
 * stood still (a long turn of its loop, a machine with more to do than it can) only one tick counts: otherwise a process
 * that is short of time would take everybody else for slow, and do without the store when that saves most.
 */
export interface Patience {
  /** Calls `over` after `limitMs`, or up to a tick later, unless it is cancelled before. */
  wait(limitMs: number, over: () => void): Timer;
  /** Milliseconds that have counted so far; it stands still while nobody waits. */
  spentMs(): number;
}

interface Waiting {
  ticks: number;
  readonly over: () => void;
}

export function createPatience(clock: Clock, tickMs: number): Patience {
  const waiting = new Set<Waiting>();
  let spentTicks = 0;
  let timer: Timer | undefined;

  // An answer may lie in the socket: it is read before what was set by `setImmediate` runs.
  const tickLater = (): void => {
    const mine = clock.schedule(tickMs, () => {
      setImmediate(() => {
        // Given up meanwhile, and another may run by now.
        if (timer === mine) tick();
      });
    });
    timer = mine;
  };

  const tick = (): void => {
    timer = undefined;
    spentTicks += 1;
    for (const each of waiting) {
      each.ticks -= 1;
      if (each.ticks > 0) continue;
      waiting.delete(each);
      each.over();
    }
    if (waiting.size > 0 && timer === undefined) tickLater();
  };

  return {
    wait(limitMs, over) {
      // Whoever comes in the middle of a tick does not have that one counted.
      const each = { ticks: Math.ceil(limitMs / tickMs) + (timer === undefined ? 0 : 1), over };
      waiting.add(each);
      if (timer === undefined) tickLater();
      return {
        cancel() {
          waiting.delete(each);
          if (waiting.size > 0) return;
          timer?.cancel();
          timer = undefined;
        },
      };
    },
    spentMs: () => spentTicks * tickMs,
  };
}

import { type Clock, MAX_TIMER_MS, type Timer } from "../../src/core/clock.ts";

/** A clock that stands still until it is turned. */
export interface FakeClock extends Clock {
  /** Turns both times on, firing what falls due in order; promises settle after each and at the end. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock alone, as a person, NTP or a resumed machine does. */
  setWall(unixMs: number): void;
  /** Turns both times without firing timers, as a machine that slept: late timers fire with the next `advance`. */
  sleep(ms: number): void;
  /** Timers that are set, the ones due first. In milliseconds from now. */
  pending(): readonly number[];
}

/** Monotonic time begins at 1 000 000, wall time at 2030-01-01. */
export function createFakeClock(): FakeClock {
  let nowMs = 1_000_000;
  let offsetMs = Date.UTC(2030, 0, 1) - nowMs;
  let serial = 0;
  const timers = new Map<number, { readonly atMs: number; readonly task: () => void }>();

  const next = (): [number, { readonly atMs: number; readonly task: () => void }] | undefined => {
    let first: [number, { readonly atMs: number; readonly task: () => void }] | undefined;
    for (const entry of timers) if (first === undefined || entry[1].atMs < first[1].atMs) first = entry;
    return first;
  };

  return {
    now: () => nowMs,
    wall: () => nowMs + offsetMs,
    schedule(delayMs, task): Timer {
      serial += 1;
      const id = serial;
      timers.set(id, { atMs: nowMs + Math.min(Math.max(0, delayMs), MAX_TIMER_MS), task });
      return { cancel: () => void timers.delete(id) };
    },
    async advance(ms) {
      const endMs = nowMs + ms;
      await settle();
      for (let due = next(); due !== undefined && due[1].atMs <= endMs; due = next()) {
        const [id, { atMs, task }] = due;
        timers.delete(id);
        nowMs = Math.max(nowMs, atMs);
        task();
        await settle();
      }
      nowMs = endMs;
      await settle();
    },
    setWall(unixMs) {
      offsetMs = unixMs - nowMs;
    },
    sleep(ms) {
      nowMs += ms;
    },
    pending: () => [...timers.values()].map(({ atMs }) => atMs - nowMs).sort((a, b) => a - b),
  };
}

/** Lets promises that are already decided run to their ends, however long the chain. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

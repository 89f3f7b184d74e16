/** Virtual time: it jumps from one event to the next, however many thousand sidecars have set one. */
import { type Clock, MAX_TIMER_MS, type Timer } from "../../src/core/clock.ts";

export interface EventClock extends Clock {
  /**
   * Fires what falls due until then, in order. After each event promises settle, however long their chains, and what the
   * event itself set by `setImmediate` runs. Ends with `now()` at that moment.
   */
  runUntil(atMs: number): Promise<void>;
  /** Events so far that were not cancelled. */
  readonly fired: number;
}

interface Event {
  readonly atMs: number;
  readonly serial: number;
  /** undefined: cancelled. It stays in the heap until its time. */
  task: (() => void) | undefined;
}

const WALL_START_MS = Date.UTC(2030, 0, 1);

/** Monotonic time begins at 0, wall time at 2030-01-01. */
export function createEventClock(): EventClock {
  const heap: Event[] = [];
  let nowMs = 0;
  let serial = 0;
  let fired = 0;

  return {
    now: () => nowMs,
    wall: () => WALL_START_MS + nowMs,
    get fired() {
      return fired;
    },
    schedule(delayMs, task): Timer {
      serial += 1;
      const event: Event = { atMs: nowMs + Math.min(Math.max(0, delayMs), MAX_TIMER_MS), serial, task };
      push(heap, event);
      return {
        cancel() {
          event.task = undefined;
        },
      };
    },
    runUntil(endMs) {
      return new Promise((resolve) => {
        const step = (): void => {
          let first = heap[0];
          while (first !== undefined && first.atMs <= endMs) {
            pop(heap);
            if (first.task !== undefined) {
              nowMs = first.atMs;
              fired += 1;
              first.task();
              setImmediate(step);
              return;
            }
            first = heap[0];
          }
          nowMs = endMs;
          resolve();
        };
        setImmediate(step);
      });
    },
  };
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.serial < b.serial);
}

/** A binary heap, the event due first at its top. */
function push(heap: Event[], event: Event): void {
  let index = heap.length;
  heap.push(event);
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = heap[above] as Event;
    if (!isBefore(event, parent)) break;
    heap[index] = parent;
    index = above;
  }
  heap[index] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let below = 2 * index + 1;
    if (below >= heap.length) break;
    if (below + 1 < heap.length && isBefore(heap[below + 1] as Event, heap[below] as Event)) below += 1;
    const child = heap[below] as Event;
    if (!isBefore(child, last)) break;
    heap[index] = child;
    index = below;
  }
  heap[index] = last;
}

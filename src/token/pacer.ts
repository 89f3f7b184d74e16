import type { Clock, Timer } from "../core/clock.ts";

/** A turn at a token URL; `done` says that the exchange is over, whatever its result. */
export interface Turn {
  done(): void;
}

export interface Pacer {
  /**
   * Waits for a turn, first come first served per token URL. `requestsPerSecond` Infinity: not spaced.
   * Rejects with the signal's reason when it aborts; a waiter then leaves the queue without using a turn.
   */
  turn(tokenUrl: string, requestsPerSecond: number, signal: AbortSignal): Promise<Turn>;
}

/** Exchanges under way per token URL at most. */
const MAX_CONCURRENT = 32;

interface Waiter {
  readonly intervalMs: number;
  readonly begin: () => void;
}

/** One token URL's queue. */
interface Lane {
  readonly waiting: Set<Waiter>;
  running: number;
  startedAtMs: number;
  /** undefined while the exchange that began last is under way. */
  answeredAtMs: number | undefined;
  timer: Timer | undefined;
}

/**
 * Spaces and bounds token requests per token URL (product contract §3, rule 11; Qmatic's API limits: one per second).
 *
 * A server counts when requests arrive, which a sender does not see: a first request that has to connect arrives later
 * after it was sent than the next one. All that is sure is that it had arrived when it was answered. So the next turn
 * comes one interval after the answer, or two after the start where the answer is slower: then the server is presumed
 * to have it, and one that hangs does not hold up the other tenants.
 */
export function createPacer(clock: Clock): Pacer {
  const lanes = new Map<string, Lane>();

  const laneOf = (tokenUrl: string): Lane => {
    const known = lanes.get(tokenUrl);
    if (known !== undefined) return known;
    const lane: Lane = {
      waiting: new Set(),
      running: 0,
      startedAtMs: Number.NEGATIVE_INFINITY,
      answeredAtMs: Number.NEGATIVE_INFINITY,
      timer: undefined,
    };
    lanes.set(tokenUrl, lane);
    return lane;
  };

  /** Begins as many turns as may begin now, and comes back when the next one may. */
  const advance = (tokenUrl: string, lane: Lane): void => {
    lane.timer?.cancel();
    lane.timer = undefined;
    for (const waiter of lane.waiting) {
      if (lane.running >= MAX_CONCURRENT) return;
      const waitMs = opensAtMs(lane, waiter.intervalMs) - clock.now();
      if (waitMs > 0) {
        lane.timer = clock.schedule(Math.ceil(waitMs), () => advance(tokenUrl, lane));
        return;
      }
      lane.waiting.delete(waiter);
      lane.running += 1;
      lane.startedAtMs = clock.now();
      lane.answeredAtMs = undefined;
      waiter.begin();
    }
  };

  const finish = (tokenUrl: string, lane: Lane, startedAtMs: number, intervalMs: number): void => {
    lane.running -= 1;
    if (lane.startedAtMs === startedAtMs) lane.answeredAtMs = clock.now();
    // A lane that is not spaced has nothing to remember.
    if (lane.running === 0 && lane.waiting.size === 0 && intervalMs === 0) lanes.delete(tokenUrl);
    else advance(tokenUrl, lane);
  };

  return {
    turn(tokenUrl, requestsPerSecond, signal) {
      const intervalMs = 1_000 / requestsPerSecond;
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const lane = laneOf(tokenUrl);
        const leave = (): void => {
          lane.waiting.delete(waiter);
          reject(signal.reason);
          advance(tokenUrl, lane);
        };
        const waiter: Waiter = {
          intervalMs,
          begin() {
            signal.removeEventListener("abort", leave);
            const startedAtMs = lane.startedAtMs;
            let over = false;
            resolve({
              done() {
                if (over) return;
                over = true;
                finish(tokenUrl, lane, startedAtMs, intervalMs);
              },
            });
          },
        };
        signal.addEventListener("abort", leave, { once: true });
        lane.waiting.add(waiter);
        advance(tokenUrl, lane);
      });
    },
  };
}

/** When a waiter with this interval may begin; its own interval counts, the request before may have had another. */
function opensAtMs({ startedAtMs, answeredAtMs }: Lane, intervalMs: number): number {
  if (intervalMs === 0) return Number.NEGATIVE_INFINITY;
  const slowestMs = startedAtMs + 2 * intervalMs;
  return answeredAtMs === undefined ? slowestMs : Math.min(slowestMs, answeredAtMs + intervalMs);
}

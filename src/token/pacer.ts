import type { Random } from "../core/backoff.ts";
import type { Clock, Timer } from "../core/clock.ts";

/** A turn at a token URL; `done` says that the exchange is over, whatever its result. */
export interface Turn {
  done(): void;
}

export interface Pacer {
  /**
   * Waits for a turn at a token URL: those that a request waits for go first, otherwise whoever came first.
   * `requestsPerSecond` Infinity: not spaced. Rejects with the signal's reason when it aborts; a waiter then leaves the
   * queue without using a turn. `isAwaited` is asked whenever a turn is given out; default: it is.
   */
  turn(
    tokenUrl: string,
    requestsPerSecond: number,
    signal: AbortSignal,
    isAwaited?: () => boolean,
  ): Promise<Turn>;
}

/** The spacing that all processes keep together: at any time one of them holds a token URL's slot. */
export interface FleetSlots {
  /** `taken`: another process has it; undefined: nobody can be asked. Never rejects. */
  claim(tokenUrl: string, ttlMs: number): Promise<FleetSlot | "taken" | undefined>;
}

export interface FleetSlot {
  /** It ends `ttlMs` from now. */
  endAfter(ttlMs: number): void;
}

export interface FleetPacing {
  readonly slots: FleetSlots;
  readonly random: Random;
}

/** Exchanges under way per token URL at most. */
const MAX_CONCURRENT = 32;

/** How long until a slot that was taken is asked for again, as a share of the interval; ±50 % is drawn each time. */
const AGAIN = { awaited: 0.05, background: 0.25, minMs: 20, maxMs: 2_000 };

interface Waiter {
  readonly intervalMs: number;
  readonly isAwaited: () => boolean;
  readonly begin: (slot: FleetSlot | undefined) => void;
}

/** One token URL's queue. */
interface Lane {
  readonly waiting: Set<Waiter>;
  running: number;
  startedAtMs: number;
  /** undefined while the exchange that began last is under way. */
  answeredAtMs: number | undefined;
  /** The fleet's slot is being asked for. */
  claiming: boolean;
  /** When another process had it, and how the wait for the next try was drawn. */
  takenAtMs: number;
  spread: number;
  timer: Timer | undefined;
}

/**
 * Spaces and bounds token requests per token URL (product contract §3, rule 11; Qmatic's API limits: one per second).
 *
 * A server counts when requests arrive, which a sender does not see: a first request that has to connect arrives later
 * after it was sent than the next one. All that is sure is that it had arrived when it was answered. So the next turn
 * comes one interval after the answer, or two after the start where the answer is slower: then the server is presumed
 * to have it, and one that hangs does not hold up the other tenants.
 *
 * With a `fleet` the same holds over all its processes: a turn also takes the token URL's slot, which lasts as long.
 * While nobody can be asked for it each process spaces its own requests.
 */
export function createPacer(clock: Clock, fleet?: FleetPacing): Pacer {
  const lanes = new Map<string, Lane>();

  const laneOf = (tokenUrl: string): Lane => {
    const known = lanes.get(tokenUrl);
    if (known !== undefined) return known;
    const lane: Lane = {
      waiting: new Set(),
      running: 0,
      startedAtMs: Number.NEGATIVE_INFINITY,
      answeredAtMs: Number.NEGATIVE_INFINITY,
      claiming: false,
      takenAtMs: Number.NEGATIVE_INFINITY,
      spread: 1,
      timer: undefined,
    };
    lanes.set(tokenUrl, lane);
    return lane;
  };

  /** Begins as many turns as may begin now, and comes back when the next one may. */
  const advance = (tokenUrl: string, lane: Lane): void => {
    lane.timer?.cancel();
    lane.timer = undefined;
    while (!lane.claiming && lane.running < MAX_CONCURRENT) {
      const waiter = foremost(lane);
      if (waiter === undefined) return;
      const waitMs = opensAtMs(lane, waiter) - clock.now();
      if (waitMs > 0) {
        lane.timer = clock.schedule(Math.ceil(waitMs), () => advance(tokenUrl, lane));
        return;
      }
      if (fleet !== undefined && waiter.intervalMs > 0) claim(tokenUrl, lane, waiter.intervalMs, fleet);
      else start(lane, waiter, undefined);
    }
  };

  /** Who gets the slot is decided when it is there: whoever is foremost then. */
  const claim = (tokenUrl: string, lane: Lane, intervalMs: number, { slots, random }: FleetPacing): void => {
    lane.claiming = true;
    void slots.claim(tokenUrl, 2 * intervalMs).then((slot) => {
      lane.claiming = false;
      if (slot === "taken") {
        lane.takenAtMs = clock.now();
        lane.spread = 0.5 + random();
      } else {
        const waiter = foremost(lane);
        if (waiter === undefined) slot?.endAfter(0);
        else start(lane, waiter, slot);
      }
      advance(tokenUrl, lane);
    });
  };

  const start = (lane: Lane, waiter: Waiter, slot: FleetSlot | undefined): void => {
    lane.waiting.delete(waiter);
    lane.running += 1;
    lane.startedAtMs = clock.now();
    lane.answeredAtMs = undefined;
    lane.takenAtMs = Number.NEGATIVE_INFINITY;
    waiter.begin(slot);
  };

  const finish = (tokenUrl: string, lane: Lane, startedAtMs: number, intervalMs: number): void => {
    lane.running -= 1;
    if (lane.startedAtMs === startedAtMs) lane.answeredAtMs = clock.now();
    // A lane that is not spaced has nothing to remember.
    if (lane.running === 0 && lane.waiting.size === 0 && intervalMs === 0) lanes.delete(tokenUrl);
    else advance(tokenUrl, lane);
  };

  return {
    turn(tokenUrl, requestsPerSecond, signal, isAwaited = () => true) {
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
          isAwaited,
          begin(slot) {
            signal.removeEventListener("abort", leave);
            const { startedAtMs } = lane;
            let over = false;
            resolve({
              done() {
                if (over) return;
                over = true;
                slot?.endAfter(intervalMs);
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

/** The first that a request waits for, else the first. */
function foremost({ waiting }: Lane): Waiter | undefined {
  for (const waiter of waiting) if (waiter.isAwaited()) return waiter;
  for (const waiter of waiting) return waiter;
  return undefined;
}

/** When a waiter may begin; its own interval counts, the request before may have had another. */
function opensAtMs(lane: Lane, { intervalMs, isAwaited }: Waiter): number {
  if (intervalMs === 0) return Number.NEGATIVE_INFINITY;
  const { startedAtMs, answeredAtMs, takenAtMs, spread } = lane;
  const slowestMs = startedAtMs + 2 * intervalMs;
  const ownMs = answeredAtMs === undefined ? slowestMs : Math.min(slowestMs, answeredAtMs + intervalMs);
  const againMs = intervalMs * (isAwaited() ? AGAIN.awaited : AGAIN.background) * spread;
  return Math.max(ownMs, takenAtMs + Math.min(AGAIN.maxMs, Math.max(AGAIN.minMs, againMs)));
}

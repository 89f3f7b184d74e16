/** Sends planned requests at an even rate, whatever becomes of those under way, and counts what came of them. */
import { setTimeout as delay } from "node:timers/promises";
import type { SoakClient } from "./client.ts";
import { drawPlan } from "./plan.ts";

export interface Tally {
  good: number;
  faults: number;
  unexpected: number;
}

export interface Traffic {
  readonly total: Readonly<Tally>;
  /** What was unexpected, and how often. */
  readonly surprises: ReadonlyMap<string, number>;
  /** Counts since it was asked last. */
  since(): Tally;
  /** Sends no more, and resolves once all that is under way has ended. */
  end(): Promise<void>;
}

/** A rate above what the proxy can do must not pile up without bound. */
const MAX_UNDER_WAY = 500;

export function startTraffic(client: SoakClient, perSecond: number, random: () => number): Traffic {
  const total: Tally = { good: 0, faults: 0, unexpected: 0 };
  const surprises = new Map<string, number>();
  const underWay = new Set<Promise<void>>();
  let reported: Tally = { ...total };
  let serial = 0;
  let ended = false;

  async function one(): Promise<void> {
    serial += 1;
    const outcome = await client.send(drawPlan(serial, random));
    if (outcome.kind === "good") total.good += 1;
    else if (outcome.kind === "fault") total.faults += 1;
    else {
      total.unexpected += 1;
      surprises.set(outcome.why, (surprises.get(outcome.why) ?? 0) + 1);
    }
  }

  async function pace(): Promise<void> {
    const startMs = performance.now();
    while (!ended) {
      const due = Math.floor(((performance.now() - startMs) / 1_000) * perSecond);
      while (serial < due && underWay.size < MAX_UNDER_WAY) {
        const task = one().finally(() => underWay.delete(task));
        underWay.add(task);
      }
      await delay(5);
    }
  }
  const pacing = pace();

  return {
    total,
    surprises,
    since() {
      const difference = {
        good: total.good - reported.good,
        faults: total.faults - reported.faults,
        unexpected: total.unexpected - reported.unexpected,
      };
      reported = { ...total };
      return difference;
    },
    async end() {
      ended = true;
      await pacing;
      await Promise.all(underWay);
    },
  };
}

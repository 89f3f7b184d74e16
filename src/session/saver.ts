import { backoffMs, type Random } from "../core/backoff.ts";
import type { Clock, Timer } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import { StoreUnavailable } from "../store/store.ts";

/** Writes what must not get lost because the store is down at the wrong moment. */
export interface Saver {
  /** Writes now, and again and again where the store is down. Resolves after the first try; never rejects. */
  keepTrying(write: () => Promise<unknown>): Promise<void>;
  /** Tries once more what is left, since there will be no later. */
  flush(): Promise<void>;
}

const BACKOFF = { baseMs: 250, maxMs: 5_000 };

interface Job {
  readonly write: () => Promise<unknown>;
  attempt: number;
  timer: Timer | undefined;
}

export function createSaver({
  clock,
  random,
  log,
}: {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}): Saver {
  const jobs = new Set<Job>();

  const attempt = async (job: Job): Promise<void> => {
    try {
      await job.write();
    } catch (error) {
      if (error instanceof StoreUnavailable) return;
      log.error("session_write_crashed", { error: error instanceof Error ? error.message : "unknown" });
    }
    jobs.delete(job);
  };

  const run = async (job: Job): Promise<void> => {
    await attempt(job);
    if (!jobs.has(job)) return;
    job.timer = clock.schedule(backoffMs(job.attempt, BACKOFF, random), () => void run(job));
    job.attempt += 1;
  };

  return {
    keepTrying(write) {
      const job: Job = { write, attempt: 0, timer: undefined };
      jobs.add(job);
      return run(job);
    },
    async flush() {
      const left = [...jobs];
      for (const job of left) job.timer?.cancel();
      await Promise.all(left.map(attempt));
    },
  };
}

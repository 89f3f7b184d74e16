import type { Clock } from "../core/clock.ts";
import type { AccessToken } from "./access-token.ts";

/** One refresh under way. Requests join it; none of them can cancel it. */
export interface Flight {
  /** Counts up per identity, so that an older result does not overwrite a newer token. */
  readonly generation: number;
  /** The full cache key of the secret that it carries. */
  key: string | undefined;
  /** Begun by a timer: no request has asked for it. */
  readonly background: boolean;
  /** A request waits for it. */
  awaited: boolean;
  /** What it brought; undefined until then, and when it failed. */
  token: AccessToken | undefined;
  /** Resolves when it is over, however it ended. Never rejects. */
  over: Promise<void>;
}

/** Resolves when the flight is over or `limitMs` have passed, whichever is first. */
export function landed(
  flight: Pick<Flight, "over">,
  limitMs: number,
  clock: Clock,
): Promise<"over" | "limit"> {
  return new Promise((resolve) => {
    const timer = clock.schedule(limitMs, () => resolve("limit"));
    flight.over.then(
      () => {
        timer.cancel();
        resolve("over");
      },
      () => resolve("over"),
    );
  });
}

/** Resolves after `delayMs`, or at once when the signal aborts. */
export function pause(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  if (delayMs <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = clock.schedule(delayMs, end);
    signal.addEventListener("abort", end, { once: true });
  });
}

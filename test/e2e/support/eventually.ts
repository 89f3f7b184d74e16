import { setTimeout as delay } from "node:timers/promises";

/**
 * Looks again and again where a process tells of a change by no event. Returns what `look` gives once that is neither
 * undefined nor false; fails after `withinMs` with the last thing that was seen.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  withinMs = 5_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(20);
  }
}

/** Uniform in [0, 1), handed in so that tests can choose. */
export type Random = () => number;

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Full-jitter exponential backoff: uniform between 0 and min(maxMs, baseMs · 2^attempt), never under half of baseMs,
 * so that a lucky draw is not a hot loop. `attempt` counts from 0.
 *
 * | attempt | base 1 s, max 30 s |
 * |---|---|
 * | 0 | 0.5 … 1 s |
 * | 1 | 0.5 … 2 s |
 * | 4 | 0.5 … 16 s |
 * | 5+ | 0.5 … 30 s |
 */
export function backoffMs(attempt: number, { baseMs, maxMs }: BackoffOptions, random: Random): number {
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return Math.max(baseMs / 2, random() * ceilingMs);
}

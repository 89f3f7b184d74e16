/** What both halves of the scale model make of moments and waits. Pure, but for the two that count. */

/** Milliseconds. */
export interface Waits {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export function summarize(waitsMs: readonly number[]): Waits {
  const sorted = Float64Array.from(waitsMs).sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

/** How many there were in each second. */
export interface Tally {
  add(atMs: number): void;
  readonly total: number;
  /** The most in any second that begins with one of whole numbers since 0. */
  worst(fromMs?: number, toMs?: number): number;
  /** On average. */
  perSecond(fromMs: number, toMs: number): number;
}

export function createTally(): Tally {
  const seconds: number[] = [];
  let total = 0;
  const between = (fromMs: number, toMs: number): readonly number[] =>
    seconds.slice(Math.floor(fromMs / 1_000), Math.ceil(toMs / 1_000));
  return {
    add(atMs) {
      const second = Math.floor(atMs / 1_000);
      while (seconds.length <= second) seconds.push(0);
      seconds[second] = (seconds[second] ?? 0) + 1;
      total += 1;
    },
    get total() {
      return total;
    },
    worst: (fromMs = 0, toMs = Number.POSITIVE_INFINITY) =>
      between(fromMs, Math.min(toMs, seconds.length * 1_000)).reduce(
        (most, count) => Math.max(most, count),
        0,
      ),
    perSecond: (fromMs, toMs) =>
      (between(fromMs, toMs).reduce((sum, count) => sum + count, 0) * 1_000) / Math.max(1, toMs - fromMs),
  };
}

/** The most within any 1000 ms, wherever they begin. `atMs` in order. */
export function worstSecond(atMs: readonly number[]): number {
  let most = 0;
  let first = 0;
  for (const [last, moment] of atMs.entries()) {
    while (moment - (atMs[first] ?? moment) >= 1_000) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** undefined: there are fewer than two. `atMs` in order. */
export function smallestGapMs(atMs: readonly number[]): number | undefined {
  let smallest: number | undefined;
  for (const [index, moment] of atMs.entries()) {
    const before = atMs[index - 1];
    if (before !== undefined) smallest = Math.min(smallest ?? Number.POSITIVE_INFINITY, moment - before);
  }
  return smallest;
}

/** No advisory window opens earlier in a token's life: 22 % before its end. */
const RENEWABLE_SHARE = 0.78;

/**
 * Token requests of one tenant for each of its tokens' lives, in order: a request begins a new one if the token that the one
 * before it brought may be due for renewal. With sharing each should be 1, however many replicas there are.
 *
 * @param answeredMs when a token was there at the earliest, for a request at `atMs`
 */
export function requestsPerLifetime(atMs: readonly number[], lifetimeMs: number): readonly number[] {
  const counts: number[] = [];
  let beganMs = Number.NEGATIVE_INFINITY;
  for (const moment of atMs) {
    if (moment - beganMs >= lifetimeMs * RENEWABLE_SHARE * 0.98) {
      beganMs = moment;
      counts.push(0);
    }
    counts[counts.length - 1] = (counts.at(-1) ?? 0) + 1;
  }
  return counts;
}

/** How long something takes that now and then takes much longer: log-normal, as networks and servers are. */

export interface Delay {
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** Of the standard normal distribution. */
const P99_DEVIATIONS = 2.326;

export function drawMs({ medianMs, p99Ms }: Delay, random: () => number): number {
  // Box and Muller; 1 - random() is never 0.
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return medianMs * Math.exp((Math.log(p99Ms / medianMs) / P99_DEVIATIONS) * normal);
}

/** Exponential: until the next of those that come independently of each other. */
export function drawGapMs(meanMs: number, random: () => number): number {
  return -Math.log(1 - random()) * meanMs;
}

import { ok, type Verdict, warning } from "./finding.ts";

/** What time a server said it was. */
export interface ClockSample {
  readonly host: string;
  /** Its `Date`, with its `Age` added. Unix milliseconds, whole seconds. */
  readonly serverMs: number;
  /** This machine's clock when the request went and when the answer came. */
  readonly sentAtWallMs: number;
  readonly receivedAtWallMs: number;
}

/** Tokens and certificates are judged by clocks; servers commonly allow for a minute. */
const MAX_SKEW_MS = 60_000;
/** `Date` is in whole seconds. */
const RESOLUTION_MS = 1_000;
/** RFC 9110 §5.6.7: the one form that a sender may write. */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const AGE_SECONDS = /^\d{1,9}$/;

/** Unix milliseconds of an answer's `Date`, which a cache's `Age` makes up for; undefined where there is none. */
export function serverTimeMs(date: string | undefined, age: string | undefined): number | undefined {
  if (date === undefined || !IMF_FIXDATE.test(date)) return undefined;
  const dateMs = Date.parse(date);
  if (Number.isNaN(dateMs)) return undefined;
  return dateMs + (age !== undefined && AGE_SECONDS.test(age) ? Number(age) * 1_000 : 0);
}

/**
 * How far this machine's clock is ahead (positive) or behind, as far as an answer proves it: 0 where the time on the way
 * and the resolution of `Date` explain the difference.
 */
export function skewMs({ serverMs, sentAtWallMs, receivedAtWallMs }: ClockSample): number {
  if (sentAtWallMs > serverMs + RESOLUTION_MS) return sentAtWallMs - serverMs - RESOLUTION_MS;
  return receivedAtWallMs < serverMs ? receivedAtWallMs - serverMs : 0;
}

/** Whose clock is wrong is told by the number of those who agree: one server that is off is its own operators' matter. */
export function judgeClock(samples: readonly ClockSample[]): Verdict {
  if (samples.length === 0) return ok("not compared: no server told its time");
  const skews = new Map<string, number>();
  for (const sample of samples) {
    const before = skews.get(sample.host);
    const now = skewMs(sample);
    if (before === undefined || Math.abs(now) < Math.abs(before)) skews.set(sample.host, now);
  }
  const all = [...skews].map(([host, ms]) => ({ host, ms }));
  const off = all.filter(({ ms }) => Math.abs(ms) > MAX_SKEW_MS);
  const largest = all.reduce((a, b) => (Math.abs(b.ms) > Math.abs(a.ms) ? b : a));
  const facts = { skew_seconds: Math.round(largest.ms / 1_000), hosts: all.map(({ host }) => host) };
  if (off.length === 0) {
    const figure = largest.ms === 0 ? "agrees" : `differs by ${seconds(largest.ms)} at most`;
    return ok(`this machine's clock ${figure} with ${hosts(all)}`, facts);
  }
  const words = off
    .map(({ host, ms }) => `${seconds(ms)} ${ms > 0 ? "ahead of" : "behind"} ${host}`)
    .join(", ");
  if (off.length < all.length) {
    return warning(
      `this machine's clock is ${words}, and agrees with other servers`,
      "the clock of that server is probably wrong: its operators have to set it",
      facts,
    );
  }
  return {
    status: "failure",
    reason: `this machine's clock is ${words}`,
    hint: "set it by NTP (timedatectl, chronyc tracking; a container has the clock of its host): tokens seem expired or not yet valid, and certificates too",
    facts,
  };
}

function seconds(ms: number): string {
  return `${Math.round(Math.abs(ms) / 1_000)} s`;
}

function hosts(all: readonly { readonly host: string }[]): string {
  const [first] = all;
  return all.length === 1 && first !== undefined ? first.host : `${all.length} servers`;
}

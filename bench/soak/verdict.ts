/** Whether a soak went well: every judgement with its figure and its limit. Pure. */
import type { Sample } from "./sampler.ts";
import type { Violations } from "./upstream.ts";

export interface Judgement {
  readonly what: string;
  readonly figure: string;
  readonly limit: string;
  /** undefined: the run was too short to tell. */
  readonly ok: boolean | undefined;
}

export interface Run {
  readonly samples: readonly Sample[];
  readonly violations: Violations;
  readonly unexpected: number;
  readonly requests: number;
  /** Descriptors after the traffic ended and kept connections were gone, and before it began. */
  readonly descriptorsAtRest: { readonly before: number; readonly after: number };
}

/** Caches fill, code is compiled, the heap and its allocator find their size. Of a short run it is the first half. */
const WARM_UP_SECONDS = 300;
/** A slope over less says more of the last collection of garbage than of the process. */
const SLOPE_NEEDS_SECONDS = 240;
const TEN_MINUTES_SECONDS = 600;
const RESIDENT_LIMIT_MIB = 1;
/**
 * Over five minutes the resident set of one and the same run of an hour, flat as a whole, has slopes from −1.5 to +1.2 MiB in
 * ten minutes, and it goes on finding its size for twenty (docs/soak.md). So the limit is for a run of which this much is
 * judged; a shorter one can only tell a leak that shows at once.
 */
const RESIDENT_NEEDS_SECONDS = 1_200;
const RESIDENT_LIMIT_OF_SHORT_MIB = 5;
/** A pool opens a connection or two more at a busier moment; a leak would go on. */
const DESCRIPTORS_LIMIT = 5;
const FLOOR_WINDOW_SECONDS = 20;

/** Where the part of a run begins that is judged. */
export function warmUpEndSeconds(samples: readonly Sample[]): number {
  return Math.min(WARM_UP_SECONDS, (samples.at(-1)?.atSeconds ?? 0) / 2);
}

export function judgeRun(run: Run): readonly Judgement[] {
  const warmSeconds = warmUpEndSeconds(run.samples);
  const part = run.samples.filter(({ atSeconds }) => atSeconds >= warmSeconds);
  const spanSeconds = (part.at(-1)?.atSeconds ?? 0) - (part[0]?.atSeconds ?? 0);
  const tells = spanSeconds >= SLOPE_NEEDS_SECONDS;
  const residentLimitMiB =
    spanSeconds >= RESIDENT_NEEDS_SECONDS ? RESIDENT_LIMIT_MIB : RESIDENT_LIMIT_OF_SHORT_MIB;
  const per10Minutes = (of: readonly Sample[], value: (sample: Sample) => number): number =>
    slope(of.map((sample) => [sample.atSeconds, value(sample)])) * TEN_MINUTES_SECONDS;
  const resident = per10Minutes(part, ({ residentMiB }) => residentMiB);
  const descriptors = per10Minutes(quietest(part), (sample) => sample.descriptors);
  const { before, after } = run.descriptorsAtRest;
  return [
    {
      what: "resident set, slope after warm-up",
      figure: `${signed(resident)} MiB in 10 min`,
      limit: `less than ${residentLimitMiB} MiB`,
      ok: tells ? resident < residentLimitMiB : undefined,
    },
    {
      what: "descriptors, slope of the floor after warm-up",
      figure: `${signed(descriptors)} in 10 min`,
      limit: `less than ${DESCRIPTORS_LIMIT}`,
      ok: tells ? descriptors < DESCRIPTORS_LIMIT : undefined,
    },
    {
      what: "descriptors at rest, before and after",
      figure: `${before} → ${after}`,
      limit: "no more than before",
      ok: after <= before,
    },
    none("unexpected outcomes", run.unexpected, `${run.requests} requests`),
    none("expired tokens sent", run.violations.expired),
    none("tokens of another tenant", run.violations.crossed),
    none("requests without their token", run.violations.missing),
  ];
}

function none(what: string, count: number, of?: string): Judgement {
  return { what, figure: of === undefined ? `${count}` : `${count} of ${of}`, limit: "0", ok: count === 0 };
}

/** The sample with the fewest descriptors of each 20 s: a burst of connections comes and goes, a leak lifts the floor. */
function quietest(samples: readonly Sample[]): readonly Sample[] {
  const windows = Map.groupBy(samples, ({ atSeconds }) => Math.floor(atSeconds / FLOOR_WINDOW_SECONDS));
  return [...windows.values()].map((window) =>
    window.reduce((least, sample) => (sample.descriptors < least.descriptors ? sample : least)),
  );
}

/** Least squares: by how much y grows with each x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const numerator = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const denominator = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return denominator === 0 ? 0 : numerator / denominator;
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

/** How much is measured, and of what: the flags of `npm run bench`. Pure. */
import { parseArgs } from "node:util";
import type { Scheme } from "./setting.ts";

export interface Plan {
  readonly rounds: number;
  /** Of one load at saturation; whole ones, as wrk takes no other. */
  readonly seconds: number;
  /** Of one load at a fixed rate. */
  readonly pacedSeconds: number;
  /** At a fixed rate, what comes before that is not counted. */
  readonly settleSeconds: number;
  /** 0: the start that the other measurements begin with is the one that counts. */
  readonly starts: number;
  readonly bodies: number;
  readonly bodyBytes: number;
  readonly connections: number;
  readonly requestsPerSecond: number;
  /** Whole ones, at saturation: V8 and its peers compile what is hot. 0: none. */
  readonly warmUpSeconds: number;
  /** The same before each load that is counted: upstream connections are there again, and the processor's caches are warm. */
  readonly lapWarmUpSeconds: number;
  /** How long a proxy rests before it is weighed. */
  readonly idleMs: number;
  readonly schemes: readonly Scheme[];
  /** Fetch what peers need from the package registries. */
  readonly install: boolean;
  /** Also: routing among many, and what a fresh token costs. */
  readonly details: boolean;
  readonly only: readonly string[] | undefined;
  readonly pillion: string | undefined;
  readonly json: string | undefined;
  readonly compare: string | undefined;
  readonly docs: boolean;
  readonly kind: "whole" | "quick" | "smoke";
}

const GIBIBYTE = 2 ** 30;
const COMMON = {
  connections: 64,
  requestsPerSecond: 1_000,
  bodyBytes: GIBIBYTE,
  settleSeconds: 0.5,
  warmUpSeconds: 4,
  lapWarmUpSeconds: 1,
  install: true,
  details: true,
  idleMs: 2_000,
  schemes: ["https", "http"],
} as const;

/** The whole run takes some 17 minutes, the quick one 1 to 2, the smoke run seconds. */
const KINDS = {
  whole: { ...COMMON, rounds: 7, seconds: 2, pacedSeconds: 3, starts: 5, bodies: 3 },
  quick: {
    ...COMMON,
    rounds: 2,
    seconds: 1,
    pacedSeconds: 1,
    starts: 1,
    bodies: 0,
    idleMs: 500,
    warmUpSeconds: 2,
    details: false,
  },
  smoke: {
    ...COMMON,
    ...{
      rounds: 1,
      seconds: 1,
      pacedSeconds: 0.3,
      settleSeconds: 0.1,
      starts: 1,
      bodies: 1,
      bodyBytes: 2 ** 20,
    },
    ...{ warmUpSeconds: 0, lapWarmUpSeconds: 0, install: false, idleMs: 0, schemes: ["https"] as const },
  },
} as const;

/** Where `--only` does not say. */
const CHOSEN = {
  whole: undefined,
  quick: ["pillion", "http-proxy+agent", "nginx", "go"],
  smoke: ["pillion", "http-proxy+agent", "nginx"],
} as const;

export class UsageError extends Error {}

function positive(name: string, value: string | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (!/^[1-9]\d{0,3}$/.test(value))
    throw new UsageError(`--${name} takes a whole number from 1 to 9999, not ${value}`);
  return Number(value);
}

function schemesOf(value: string | undefined): readonly Scheme[] | undefined {
  if (value === undefined) return undefined;
  if (value !== "http" && value !== "https")
    throw new UsageError(`--scheme takes http or https, not ${value}`);
  return [value];
}

/** @throws UsageError */
export function parsePlan(args: readonly string[]): Plan {
  const values = parse(args);
  const kind = values.smoke ? "smoke" : values.quick ? "quick" : "whole";
  const base = KINDS[kind];
  const only = values.only?.split(",").map((each) => each.trim());
  return {
    ...base,
    kind,
    rounds: positive("rounds", values.rounds, base.rounds),
    seconds: positive("seconds", values.seconds, base.seconds),
    connections: positive("connections", values.connections, base.connections),
    schemes: schemesOf(values.scheme) ?? base.schemes,
    only: only ?? CHOSEN[kind],
    install: base.install && !values["no-install"],
    pillion: values.pillion,
    json: values.json,
    compare: values.compare,
    docs: values.docs,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        rounds: { type: "string" },
        seconds: { type: "string" },
        connections: { type: "string" },
        scheme: { type: "string" },
        pillion: { type: "string" },
        json: { type: "string" },
        compare: { type: "string" },
        docs: { type: "boolean", default: false },
        quick: { type: "boolean", default: false },
        smoke: { type: "boolean", default: false },
        "no-install": { type: "boolean", default: false },
      },
    }).values;
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

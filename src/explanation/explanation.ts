import type { Config } from "../config/config.ts";
import type { ValuePath } from "../config/yaml-document.ts";
import type { Clock } from "../core/clock.ts";
import type { ErrorCode, ProxyError } from "../core/errors.ts";
import type { ProxyState } from "../proxy/proxy-state.ts";
import type { RequestHead } from "../proxy/request-head.ts";
import type { RouteEntry } from "../proxy/route-table.ts";
import type { RouteMatch } from "../proxy/router.ts";
import type { Target } from "../proxy/target.ts";
import type { Locality } from "../transport/http-listener.ts";
import type { Arrived } from "./arrival.ts";

/** A request as it would be on the wire, head only. */
export interface AskedRequest {
  readonly method: string;
  /** Raw: nothing in it is resolved or encoded. */
  readonly target: string;
  /** In their order, `Host` among them. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Where the connection comes in; a port that is undefined is not known before the start. */
  readonly locality: Locality;
}

export const STEPS = [
  "request",
  "host",
  "origin",
  "target",
  "access",
  "endpoint",
  "preflight",
  "route",
  "method",
  "operation",
  "session",
  "tenant",
  "credential",
  "upstream",
  "headers",
  "upgrade",
  "replay",
  "response",
] as const;

export type StepName = (typeof STEPS)[number];

/** One decision on a request's way. */
export interface Step {
  readonly step: StepName;
  /** False for the one that refuses; none follows it. */
  readonly ok: boolean;
  /** What was judged, and why it came out so. */
  readonly detail: string;
  /** The key of the configuration that decided, or the nearest that could. */
  readonly at?: ValuePath;
}

/** What lets a refused request in. */
export interface Remedy {
  /** The key of the configuration to change; undefined: none would help. */
  readonly at?: ValuePath;
  /** Where nothing is written at `at`. */
  readonly orAt?: ValuePath;
  readonly hint: string;
}

/** Names as they are written to the upstream, each once; no values. */
export interface HeaderChanges {
  /** Put in by the proxy: its own, the route's, and the injected ones. */
  readonly set: readonly string[];
  /** Sent by the caller, and not passed on. */
  readonly removed: readonly string[];
}

/** All that would become of a request, as far as the configuration and the request say. */
export interface Explanation {
  /** It would be forwarded, or answered by the proxy itself as it should be. */
  readonly allowed: boolean;
  /** Of an answer by the proxy itself, where that is certain. */
  readonly status: number | undefined;
  readonly code: ErrorCode | undefined;
  readonly route: string | undefined;
  readonly tenant: string | undefined;
  readonly credential: string | undefined;
  /** Whose token is injected; undefined where no route was found. */
  readonly grant: "none" | "client_credentials" | "static" | "user" | "anonymous" | undefined;
  /** The whole URL at the upstream; undefined: nothing is forwarded. */
  readonly upstream: string | undefined;
  readonly headers: HeaderChanges;
  readonly steps: readonly Step[];
  /** What cannot be known without secrets or the store, and is taken for granted here. */
  readonly assumptions: readonly string[];
  readonly remedy: Remedy | undefined;
}

/** What the refusal of a request is about, as far as it got. */
export interface Progress {
  head?: RequestHead;
  arrived?: Arrived;
  target?: Target;
  match?: RouteMatch<RouteEntry>;
  tenant?: string | undefined;
}

/** One explanation under way. */
export interface Walk {
  readonly config: Config;
  readonly asked: AskedRequest;
  readonly clock: Clock;
  readonly state: ProxyState;
  readonly trail: Trail;
  readonly progress: Progress;
}

/** A refused request, as far as it got. */
export interface Refused extends Progress {
  readonly config: Config;
  readonly state: ProxyState;
  readonly asked: AskedRequest;
}

/** What is known of a request by and by. */
export type Findings = {
  -readonly [K in "route" | "tenant" | "credential" | "grant" | "upstream"]: Explanation[K];
} & {
  headers: HeaderChanges;
  status: number | undefined;
};

/** Notes down the steps of one request, the one under way among them: that is the one which an error belongs to. */
export interface Trail {
  readonly findings: Findings;
  readonly assumptions: Set<string>;
  /** The decision that comes next. */
  enter(step: StepName): void;
  /** It came out well, by the key at `at`. */
  pass(detail: string, at?: ValuePath): void;
  /** The steps so far; `refusal` ends them. */
  steps(refusal?: ProxyError, at?: ValuePath): readonly Step[];
  present(): StepName;
}

export function createTrail(): Trail {
  const steps: Step[] = [];
  let present: StepName = "request";
  const add = (ok: boolean, detail: string, at: ValuePath | undefined): void =>
    void steps.push({ step: present, ok, detail, ...(at === undefined ? {} : { at }) });
  return {
    findings: {
      route: undefined,
      tenant: undefined,
      credential: undefined,
      grant: undefined,
      upstream: undefined,
      headers: { set: [], removed: [] },
      status: undefined,
    },
    assumptions: new Set(),
    enter(step) {
      present = step;
    },
    pass: (detail, at) => add(true, detail, at),
    steps(refusal, at) {
      if (refusal !== undefined) add(false, refusal.message, at);
      return steps;
    },
    present: () => present,
  };
}

/** What `doctor` says of one thing that it examined. */
export interface Finding extends Verdict {
  readonly subject: Subject;
}

/** `warning`: it works now, and probably not as meant or not for long. Only a failure makes the whole fail. */
export type Status = "ok" | "warning" | "failure";

export interface Verdict {
  readonly status: Status;
  /** What was found, for a person: a clause on one line. Never a secret, never a token. */
  readonly reason: string;
  /** The next step; given where `status` is not ok. */
  readonly hint?: string;
  /** The figures of `reason` for programs: names in snake_case, units in the names. */
  readonly facts?: Facts;
}

export type Facts = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** What a finding is about. */
export type Subject =
  | { readonly kind: "environment" | "configuration" | "store" | "clock" }
  | { readonly kind: "credential"; readonly credential: string; readonly tenant: string | undefined }
  /** An origin, and the routes that lead to it. */
  | { readonly kind: "upstream"; readonly upstream: string; readonly routes: readonly string[] };

/** Routes named in a line; the rest are counted. */
const MAX_NAMED_ROUTES = 5;

/** `credential qmatic, tenant isb`, `upstream https://api.example.com (routes a, b)`, `clock`. */
export function subjectName(subject: Subject): string {
  switch (subject.kind) {
    case "credential":
      return subject.tenant === undefined
        ? `credential ${subject.credential}`
        : `credential ${subject.credential}, tenant ${subject.tenant}`;
    case "upstream":
      return `upstream ${subject.upstream} (${routeNames(subject.routes)})`;
    default:
      return subject.kind;
  }
}

function routeNames(routes: readonly string[]): string {
  const named = routes.slice(0, MAX_NAMED_ROUTES).join(", ");
  const further = routes.length - MAX_NAMED_ROUTES;
  return `${routes.length === 1 ? "route" : "routes"} ${named}${further > 0 ? ` and ${further} more` : ""}`;
}

export function ok(reason: string, facts: Facts = {}): Verdict {
  return { status: "ok", reason, facts };
}

export function warning(reason: string, hint: string, facts: Facts = {}): Verdict {
  return { status: "warning", reason, hint, facts };
}

export function failure({ reason, hint }: Fault, facts: Facts = {}): Verdict {
  return { status: "failure", reason, hint, facts };
}

/** A cause and a next step. */
export interface Fault {
  readonly reason: string;
  readonly hint: string;
}

import type { Environment } from "../src/config/parse.ts";

/** What decides whether somebody can watch a Node process at work. */
export interface DebugSurroundings {
  readonly env: Environment;
  /** `process.execArgv`: flags of the command line. Those of NODE_OPTIONS are in `env`. */
  readonly execArgv: readonly string[];
  /** `inspector.url()`: where a debugger listens already, however it came about. */
  readonly inspectorUrl: string | undefined;
}

const INSPECTOR = "a debugger reads every secret";
const SNAPSHOT = "a heap snapshot holds every secret";
const REPORT = "a diagnostic report holds the environment: add --report-exclude-env";
const HIDDEN = "what that file switches on is not seen here: give the flags themselves";

/**
 * Flags of Node that print traffic or write memory to a file, each with what it would do. Left out on purpose is what
 * only adds trust anchors (NODE_EXTRA_CA_CERTS, --use-system-ca, --use-openssl-ca): organisations need it, and
 * certificates are verified as before. Profiles (--cpu-prof, --heap-prof) hold names of functions and no values.
 */
const FLAGS: Readonly<Record<string, string>> = {
  "--abort-on-uncaught-exception": "a core dump holds every secret",
  "--debug-port": INSPECTOR,
  "--diagnostic-dir": "it is a place for heap snapshots and reports, and none may be written",
  "--experimental-config-file": HIDDEN,
  "--experimental-default-config-file": HIDDEN,
  "--experimental-network-inspection": INSPECTOR,
  "--heapsnapshot-near-heap-limit": SNAPSHOT,
  "--heapsnapshot-signal": SNAPSHOT,
  "--insecure-http-parser": "requests could be smuggled past the proxy",
  "--tls-keylog": "whoever has the keys can decrypt all TLS traffic",
  "--trace-event-categories": "a trace holds the URLs of requests",
  "--trace-event-file-pattern": "a trace holds the URLs of requests",
  "--trace-tls": "it prints TLS traffic",
  "--use-env-proxy": "traffic would take a way that the configuration does not name: use http_proxy there",
};

/** Harmless once the environment is left out: a report holds stacks, limits and addresses, but no heap. */
const REPORT_TRIGGERS: ReadonlySet<string> = new Set([
  "--report-on-fatalerror",
  "--report-on-signal",
  "--report-uncaught-exception",
]);

/**
 * The doors that stand open: one line each for a person, naming the variable or the flag and never its value. Empty
 * when none does. Plain HTTP_PROXY and its kin are no door: without --use-env-proxy nothing here listens to them.
 */
export function openDebugDoors({ env, execArgv, inspectorUrl }: DebugSurroundings): readonly string[] {
  const byCommand = flagNames(execArgv);
  const byOptions = flagNames(splitNodeOptions(env["NODE_OPTIONS"] ?? ""));
  const reportsEnvironment = !byCommand.has("--report-exclude-env") && !byOptions.has("--report-exclude-env");
  const doors = [
    ...variables(env),
    ...flags(byCommand, reportsEnvironment, ""),
    ...flags(byOptions, reportsEnvironment, " in NODE_OPTIONS"),
  ];
  if (inspectorUrl !== undefined && !doors.some((door) => door.includes("--inspect")))
    doors.push("a debugger listens: it reads every secret; start without it");
  return doors;
}

function variables(env: Environment): readonly string[] {
  const doors: string[] = [];
  const isSet = (name: string): boolean => (env[name] ?? "") !== "";
  // Node compares with "0" and nothing else.
  if (env["NODE_TLS_REJECT_UNAUTHORIZED"] === "0")
    doors.push(
      "NODE_TLS_REJECT_UNAUTHORIZED=0: certificates would not be verified; use tls.ca in the configuration",
    );
  // Any section: names take wildcards, and what a section prints differs from release to release.
  for (const name of ["NODE_DEBUG", "NODE_DEBUG_NATIVE"])
    if (isSet(name))
      doors.push(`${name} is set: Node prints tokens and traffic; use --log-level debug instead`);
  if (isSet("SSLKEYLOGFILE"))
    doors.push("SSLKEYLOGFILE is set: whoever has the keys can decrypt all TLS traffic; unset it");
  if (isSet("NODE_USE_ENV_PROXY") && env["NODE_USE_ENV_PROXY"] !== "0")
    doors.push(`NODE_USE_ENV_PROXY is set: ${FLAGS["--use-env-proxy"]}`);
  return doors;
}

function flags(names: ReadonlySet<string>, reportsEnvironment: boolean, where: string): readonly string[] {
  return [...names].flatMap((name) => {
    const why = name.startsWith("--inspect")
      ? INSPECTOR
      : REPORT_TRIGGERS.has(name) && reportsEnvironment
        ? REPORT
        : FLAGS[name];
    return why === undefined ? [] : [`${name}${where}: ${why}`];
  });
}

/** Names without values, in the spelling of the documentation: Node takes an underscore for a hyphen. */
function flagNames(args: readonly string[]): ReadonlySet<string> {
  return new Set(
    args.filter((arg) => arg.startsWith("--")).map((arg) => arg.replace(/=.*$/s, "").replaceAll("_", "-")),
  );
}

/** As Node reads NODE_OPTIONS: parts between spaces; double quotes hold spaces together, a backslash escapes in them. */
function splitNodeOptions(text: string): readonly string[] {
  return [...text.matchAll(/(?:"(?:\\.|[^"\\])*"?|[^ "])+/gs)].map(([part]) =>
    part.replace(/"((?:\\.|[^"\\])*)"?/gs, (_, quoted: string) => quoted.replace(/\\(.)/gs, "$1")),
  );
}

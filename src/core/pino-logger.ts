import { pino } from "pino";
import type { LogFields, Logger, LogLevel } from "./log.ts";
import { createStandardOutput } from "./standard-output.ts";

export interface PinoLoggerOptions {
  readonly level: LogLevel;
  readonly format: "json" | "pretty";
  /** Where lines go. Default: standard output, written synchronously so that the last words are not lost. */
  readonly destination?: { write(line: string): void };
  readonly color?: boolean;
}

/** Every field that a line may carry; see `LogFields`. Checked at run time, since a spread slips past the compiler. */
const ALLOWED: Readonly<Record<keyof LogFields, true>> = {
  admin: true,
  attempt: true,
  bytes: true,
  client: true,
  code: true,
  credential: true,
  detail: true,
  duration_ms: true,
  error: true,
  expires_in: true,
  file: true,
  grant: true,
  listen: true,
  method: true,
  outcome: true,
  path: true,
  reason: true,
  request_id: true,
  retry_in_ms: true,
  route: true,
  routes: true,
  signal: true,
  status: true,
  tenant: true,
  tenants: true,
  trace_id: true,
  upstream: true,
  upstream_ms: true,
  url: true,
  version: true,
};

/** Logs as JSON lines `{"level","time","event",…}`, or readable ones for a terminal. The level can be changed at run time. */
export async function createPinoLogger(
  options: PinoLoggerOptions,
): Promise<Logger & { setLevel(level: LogLevel): void }> {
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.format === "pretty"
      ? // Loaded only where somebody looks at a terminal: a sidecar's lines are read by machines.
        (await import("./pretty-destination.ts")).prettyDestination(options)
      : (options.destination ?? createStandardOutput()),
  );
  const write =
    (level: LogLevel) =>
    (event: string, fields?: LogFields): void => {
      if (logger.isLevelEnabled(level)) logger[level]({ event, ...allowed(fields) });
    };
  return {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
    setLevel(level) {
      logger.level = level;
    },
  };
}

function allowed(fields: LogFields | undefined): LogFields {
  if (fields === undefined) return {};
  return Object.fromEntries(Object.entries(fields).filter(([name]) => Object.hasOwn(ALLOWED, name)));
}

import { Writable } from "node:stream";
import { pino } from "pino";
import { PinoPretty as pretty } from "pino-pretty";
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
export function createPinoLogger(options: PinoLoggerOptions): Logger & { setLevel(level: LogLevel): void } {
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.format === "pretty"
      ? prettyDestination(options)
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

/** `16:55:44.164 INFO  listening  listen=127.0.0.1:8080 admin=127.0.0.1:9090` */
function prettyDestination(options: PinoLoggerOptions): pino.DestinationStream {
  return pretty({
    colorize: options.color ?? false,
    messageKey: "event",
    translateTime: "SYS:HH:MM:ss.l",
    hideObject: true,
    sync: true,
    messageFormat: (line, _key, _level, { colors }) =>
      `${colors.cyan(String(line["event"]))} ${readableFields(line)}`.trimEnd(),
    destination: (options.destination ?? standardOutputStream()) as NodeJS.WritableStream,
  });
}

/** Fields that a person at a terminal does not miss, or that stand in the line already. */
const UNREAD: ReadonlySet<string> = new Set(["level", "time", "event", "request_id", "trace_id"]);

function readableFields(line: Readonly<Record<string, unknown>>): string {
  return Object.entries(line)
    .filter(([name]) => !UNREAD.has(name))
    .map(([name, value]) => `${name}=${/[\s"]/.test(String(value)) ? JSON.stringify(value) : String(value)}`)
    .join(" ");
}

/** As pino-pretty wants it. */
function standardOutputStream(): Writable {
  const output = createStandardOutput();
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      output.write(line);
      done();
    },
  });
}

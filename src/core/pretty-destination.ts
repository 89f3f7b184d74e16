import { Writable } from "node:stream";
import type { pino } from "pino";
import { PinoPretty as pretty } from "pino-pretty";
import type { PinoLoggerOptions } from "./pino-logger.ts";
import { createStandardOutput } from "./standard-output.ts";

/** `16:55:44.164 INFO  listening  listen=127.0.0.1:8080 admin=127.0.0.1:9090` */
export function prettyDestination(
  options: Pick<PinoLoggerOptions, "color" | "destination">,
): pino.DestinationStream {
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

/** The key `session`: what holds for every visitor's session. */
import { z } from "zod";
import { isLoopbackHost } from "./addresses.ts";
import type { ListenAddress, SessionConfig } from "./config.ts";
import type { ReadCredential } from "./credential.ts";
import { INSECURE_HTTP, isInsecure } from "./insecure-http.ts";
import type { Reporter } from "./reporter.ts";
import { httpUrl } from "./url-schemas.ts";
import { duration } from "./value-schemas.ts";

const DAY_MS = 86_400_000;
/** As long as browsers keep a cookie at most (RFC 6265bis §5.5). */
const LONG = { max: 400 * DAY_MS, examples: "30m, 12h or 15d" };

export const session = z.strictObject({
  public_url: httpUrl({ path: false })
    .optional()
    .describe(
      "Where browsers reach the data listener: an origin, without a path. Gives the redirect URI (with /.pillion/callback), which is registered at the provider. Default: http://localhost with the port of `listen`, when that is a loopback address.",
    )
    .meta({ examples: ["https://appointments.example.com", "http://localhost:8080"] }),
  allow_insecure_http: z
    .boolean()
    .prefault(false)
    .describe(
      "Accept a plain http: public_url beyond loopback names. Session cookies then travel in the clear.",
    ),
  idle: duration(LONG)
    .optional()
    .describe("A session that is not used for so long ends. Default: 15d, and never longer than `absolute`.")
    .meta({ examples: ["15d"] }),
  absolute: duration(LONG).prefault("30d").describe("A session ends so long after its login, used or not."),
  limit: z
    .int()
    .min(1)
    .max(100_000_000)
    .prefault(100_000)
    .describe(
      "Signed-in sessions at most, and as many of visitors who are not signed in; the least recently used goes first.",
    )
    .meta({ examples: [10_000] }),
});

const DEFAULT_IDLE_MS = 15 * DAY_MS;

export function readSession(values: z.output<typeof session>, report: Reporter): SessionConfig {
  const { public_url: publicUrl, idle, absolute: absoluteMs, limit } = values;
  if (publicUrl !== undefined && isInsecure(publicUrl) && !values.allow_insecure_http) {
    report.fault("plain-http", ["session", "public_url"], INSECURE_HTTP);
  }
  if (idle !== undefined && idle > absoluteMs) {
    const message = "must not be longer than session.absolute, which ends every session";
    report.fault("conflict", ["session", "idle"], message);
  }
  return { publicUrl, idleMs: idle ?? Math.min(DEFAULT_IDLE_MS, absoluteMs), absoluteMs, limit };
}

/** The redirect URI can be told from the listener only where browsers are on the same machine. */
export function requirePublicUrl(
  { publicUrl }: SessionConfig,
  listen: ListenAddress,
  credentials: Iterable<readonly [string, ReadCredential | undefined]>,
  report: Reporter,
): void {
  if (publicUrl !== undefined || (listen.kind === "tcp" && isLoopbackHost(listen.host))) return;
  for (const [name, read] of credentials) {
    if (read?.grant !== "user") continue;
    report.fault(
      "missing-key",
      ["session", "public_url"],
      `is missing: credential ${name} signs users in, and listen is no loopback address; say where browsers reach it, such as https://appointments.example.com`,
      "key",
    );
    return;
  }
}

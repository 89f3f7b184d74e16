import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { AccessTokenClaims } from "./access-token.ts";
import type { Caller } from "./context.ts";
import type { Answer, Call } from "./exchange.ts";

/**
 * What the real services do not have, below each service's prefix and behind the same authentication, for people who
 * try a proxy: `/echo` (any method), `/ticks` (server-sent events) and `/redirect` (an absolute `Location`).
 * undefined: another path.
 */
export async function reflect(call: Call, caller: Caller, maxBodyBytes: number): Promise<Answer | undefined> {
  switch (call.path) {
    case "/echo":
      return echo(call, caller, maxBodyBytes);
    case "/ticks":
      return ticks(call.query);
    case "/redirect":
      return { status: 302, headers: { Location: `${call.baseUrl}/echo?redirected=true` } };
    default:
      return undefined;
  }
}

async function echo(
  call: Call,
  { client, claims }: Caller,
  maxBodyBytes: number,
): Promise<Answer | undefined> {
  const { request } = call;
  const body = await digestBody(call, maxBodyBytes);
  if (body === undefined) return { status: 413, json: { message: "Payload Too Large" } };
  return {
    status: 200,
    json: {
      client: client.name,
      subject: subjectOf(claims),
      method: call.method,
      target: call.target,
      http_version: request.httpVersion,
      headers: rawHeaderPairs(request.rawHeaders),
      trailers: rawHeaderPairs(request.rawTrailers),
      body,
    },
  };
}

/** Whom the token stands for, in one line, so that a test can tell two visitors apart. */
function subjectOf({ subject }: AccessTokenClaims): Record<string, string> {
  if (subject.kind === "machine") return { kind: "machine" };
  const visitor = subject.visitor === undefined ? {} : { visitor: subject.visitor };
  return subject.kind === "user"
    ? { kind: "user", user: subject.user, ...visitor }
    : { kind: "anonymous", ...visitor };
}

/** Header fields as they came, in order; of a credential only scheme, length and the start of its SHA-256. */
export function rawHeaderPairs(rawHeaders: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const value = rawHeaders[index + 1] ?? "";
    pairs.push([name, /^(?:proxy-)?authorization$/i.test(name) ? maskCredential(value) : value]);
  }
  return pairs;
}

function maskCredential(value: string): string {
  const space = value.indexOf(" ");
  const credential = value.slice(space + 1);
  const digest = credentialDigest(credential);
  return `${value.slice(0, Math.max(0, space))} (${credential.length} characters, sha256 ${digest})`.trimStart();
}

/** The start of its SHA-256: tells credentials apart without telling one. */
export function credentialDigest(credential: string): string {
  return createHash("sha256").update(credential).digest("hex").slice(0, 12);
}

async function digestBody(
  call: Call,
  maxBytes: number,
): Promise<{ bytes: number; sha256: string } | undefined> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of call.request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  return bytes <= maxBytes ? { bytes, sha256: hash.digest("hex") } : undefined;
}

const MAX_TICKS = 10_000;

/** `?count=` events (default 5), `?interval_ms=` apart (default 1000); the first one at once. */
function ticks(query: URLSearchParams): Answer {
  const count = boundedInteger(query.get("count"), 5, MAX_TICKS);
  const intervalMs = boundedInteger(query.get("interval_ms"), 1_000, 60_000);
  const headers = { "Content-Type": "text/event-stream", "Cache-Control": "no-store" };
  return { status: 200, headers, stream: (response) => writeTicks(response, count, intervalMs) };
}

function writeTicks(response: ServerResponse, count: number, intervalMs: number): void {
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;
  response.once("close", () => clearTimeout(timer));
  const next = () => {
    if (sent >= count) {
      response.end();
      return;
    }
    sent += 1;
    response.write(`id: ${sent}\nevent: tick\ndata: {"tick":${sent}}\n\n`);
    timer = setTimeout(next, intervalMs);
  };
  next();
}

function boundedInteger(text: string | null, fallback: number, max: number): number {
  return text !== null && /^\d{1,9}$/.test(text) ? Math.min(Number(text), max) : fallback;
}

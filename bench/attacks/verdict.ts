/** Judges one case: rejected, or exactly the well-formed messages that its bytes hold, each with what we inject, once. */
import type { Lane } from "../../test/attacks/lab.ts";
import { fieldValues } from "../../test/support/raw-client.ts";
import type { RecordedMessage } from "../../test/support/recorder.ts";
import { readStrictly, type StrictRequest } from "../../test/support/strict-http.ts";

export interface Observation {
  /** What was sent. */
  readonly bytes: string;
  /** What reached the upstream. */
  readonly messages: readonly RecordedMessage[];
  readonly faults: readonly string[];
  /** All that was answered. */
  readonly received: string;
  /** The connection was not ended in time. */
  readonly hung: boolean;
}

export type Verdict =
  | { readonly kind: "rejected" | "forwarded" | "both" }
  | { readonly kind: "mismatch"; readonly why: string };

const FORBIDDEN_NAMES =
  /^(keep-alive|proxy-(?:connection|authorization|authenticate)|trailer|upgrade|http2-settings|forwarded|x-forwarded-.*|x-original-url|x-rewrite-url|x-account|x-tenant-id|pillion-.*|expect|.*_.*)$/i;

/** What a strict reader finds in the bytes: whole requests, then perhaps the head of one whose body is cut or broken. */
interface Reading {
  readonly whole: readonly StrictRequest[];
  readonly open: StrictRequest | undefined;
  readonly clean: boolean;
}

function readAll(bytes: string): Reading {
  const whole: StrictRequest[] = [];
  for (let rest = bytes; ; ) {
    const result = readStrictly(rest, { asServer: true });
    if (result.kind === "nothing") return { whole, open: undefined, clean: true };
    if (result.kind === "partial") return { whole, open: undefined, clean: false };
    if (result.kind === "fault") return { whole, open: result.request, clean: false };
    if (!result.request.complete) return { whole, open: result.request, clean: false };
    whole.push(result.request);
    rest = rest.slice(result.length);
  }
}

export function judge(lane: Lane, observed: Observation): Verdict {
  const mismatch = (why: string): Verdict => ({ kind: "mismatch", why });
  const { messages, faults, received, hung } = observed;
  if (hung) return mismatch("the connection was not ended");
  if (faults.length > 0) return mismatch(`bytes that are no message at the upstream: ${faults.join()}`);
  const reading = readAll(observed.bytes);

  // Pipelined requests go up side by side, so their order is not looked at; each is there once.
  const unseen = [...reading.whole];
  for (const message of messages) {
    const found = unseen.findIndex((request) => corresponds(message, request, lane));
    const isOpen =
      reading.open !== undefined && !message.complete && corresponds(message, reading.open, lane);
    const source = found === -1 && isOpen ? reading.open : unseen.splice(found, found === -1 ? 0 : 1)[0];
    if (source === undefined) return mismatch(`a message that was not sent: ${describe(message)}`);
    const wrong = wrongWith(message, source, lane);
    if (wrong !== undefined) return mismatch(`${wrong}: ${describe(message)}`);
  }

  const answers = readAnswers(received);
  if (typeof answers === "string") return mismatch(answers);
  const served = answers.filter((status) => status === 200).length;
  const complete = messages.filter((message) => message.complete).length;
  const refused = answers.length - served;
  if (served !== complete) return mismatch(`${served} times 200 for ${complete} whole messages`);
  if (
    answers.some(
      (status) => status !== 200 && (status < 400 || status > 499) && status !== 501 && status !== 505,
    )
  )
    return mismatch(`answered with ${answers.join()}`);
  if (answers.length > reading.whole.length + 1) return mismatch(`${answers.length} answers`);
  if (!reading.clean && complete === 0 && refused === 0) return mismatch("neither answered nor forwarded");
  if (served === 0) return { kind: "rejected" };
  return { kind: refused === 0 ? "forwarded" : "both" };
}

function corresponds(message: RecordedMessage, request: StrictRequest, lane: Lane): boolean {
  const prefix = prefixOf(lane, request);
  if (prefix === undefined || message.method !== request.method) return false;
  const bare = prefix.slice(0, -1);
  const rest = request.target.startsWith(prefix)
    ? request.target.slice(bare.length)
    : request.target === bare || request.target.startsWith(`${bare}?`)
      ? `/${request.target.slice(bare.length)}`
      : undefined;
  return (
    message.target === rest &&
    (message.complete ? message.body === request.body : request.body.startsWith(message.body))
  );
}

function prefixOf(lane: Lane, { target }: StrictRequest): string | undefined {
  if (lane.name !== "tenant by path") return lane.prefix;
  return /^\/t\/t[12](?=[/?]|$)/.exec(target)?.[0].concat("/");
}

/** The tenant is the one that the request names, whatever was made of it. */
function injectionOf(lane: Lane, request: StrictRequest): Lane["injected"] {
  const tenant =
    lane.name === "tenant by path"
      ? request.target.split(/[/?]/)[2]
      : lane.name === "tenant by header"
        ? fieldValues(request.headers, "x-tenant").join("|")
        : undefined;
  return tenant === undefined ? lane.injected : [["authorization", `Bearer ours-${tenant}`]];
}

function wrongWith(message: RecordedMessage, source: StrictRequest, lane: Lane): string | undefined {
  const { headers } = message;
  const injected = injectionOf(lane, source);
  for (const [name, value] of injected) {
    const values = fieldValues(headers, name);
    if (values.length !== 1 || values[0] !== value) return `${name} is ${JSON.stringify(values)}`;
  }
  const expected = injected.some(([name]) => name === "authorization") ? 1 : 0;
  if (fieldValues(headers, "authorization").length !== expected) return "an Authorization that is not ours";
  if (fieldValues(headers, "host").join() !== new URL(lane.recorder.origin).host) return "a foreign Host";
  // HTTP/2 has one field of what was repeated.
  if (!/(?:^|, *)1\.1 pillion$/.test(fieldValues(headers, "via").at(-1) ?? "")) return "no Via";
  if (fieldValues(headers, "connection").some((value) => !/^(keep-alive|close|upgrade)$/i.test(value)))
    return "a Connection that is not ours";
  const isHandshake = lane.name === "with upgrades";
  for (const name of headers.filter((_, index) => index % 2 === 0))
    if (FORBIDDEN_NAMES.test(name) && !(isHandshake && /^upgrade$/i.test(name))) return `a field ${name}`;
  if (/(?:^|[;,])\s*pillion\s*=/i.test(fieldValues(headers, "cookie").join())) return "the session's cookie";
  for (const name of message.trailers.filter((_, index) => index % 2 === 0))
    if (
      /^(authorization|content-length|transfer-encoding|host|connection|x-account|x-tenant-id|pillion-.*|.*_.*)$/i.test(
        name,
      )
    )
      return `a trailer ${name}`;
  return undefined;
}

/** Statuses of the final answers; a text says what is wrong with the bytes. */
function readAnswers(received: string): number[] | string {
  const statuses: number[] = [];
  for (let rest = received; rest !== ""; ) {
    const end = rest.indexOf("\r\n\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(rest)?.[1]);
    if (end === -1 || Number.isNaN(status)) return `not an answer: ${JSON.stringify(rest.slice(0, 200))}`;
    const head = rest.slice(0, end + 2);
    const length = Number(/\r\ncontent-length: *(\d+)\r\n/i.exec(head)?.[1] ?? 0);
    rest = rest.slice(end + 4);
    if (status < 200) continue;
    statuses.push(status);
    // An answer to HEAD has none of the body that its length tells of.
    if (!rest.startsWith("HTTP/1.1 ") || length === 0) rest = rest.slice(length);
  }
  return statuses;
}

function describe({ method, target, headers, body, complete, connection }: RecordedMessage): string {
  return JSON.stringify({ method, target, headers, body: body.slice(0, 200), complete, connection });
}

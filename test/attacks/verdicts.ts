/**
 * The verdicts that a hostile request can get. After each the process is asked for something harmless: it still serves,
 * and nothing of the attack has become part of another message.
 */
import { expect } from "vitest";
import { type Answer, connectRaw, fieldValues, head } from "../support/raw-client.ts";
import type { RecordedMessage } from "../support/recorder.ts";
import { type Lab, type Lane, onLane } from "./lab.ts";

/** Sends whole, or byte by byte until an answer comes. */
export type Pace = "whole" | "byte by byte";

export async function sendAt(
  pace: Pace,
  client: Awaited<ReturnType<typeof connectRaw>>,
  bytes: string,
): Promise<void> {
  if (pace === "whole") {
    client.send(bytes);
    return;
  }
  client.socket.setNoDelay(true);
  for (const byte of bytes) {
    if (client.buffered() !== "" || client.socket.destroyed) return;
    client.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** REJ: one 4xx, 501 or 505, then the end of the connection; no complete message of it, and none of what came behind it. */
export async function expectRejected(
  lab: Lab,
  lane: Lane,
  bytes: string,
  statuses: readonly number[],
  pace: Pace = "whole",
): Promise<Answer> {
  const before = lane.recorder.messages.length;
  const client = await connectRaw(lab.dataPort);
  await sendAt(pace, client, onLane(bytes, lane));
  // A request behind it must not be served, whatever was made of the first.
  if (pace === "whole") client.send(onLane(head("GET /api/evil"), lane));
  const answer = await client.answer();
  expect(statuses).toContain(answer.status);
  expect(answer.field("content-type")).toBe("application/problem+json");
  await client.closed();
  expect(client.buffered()).toBe("");
  client.socket.destroy();
  const seen = await messagesSince(lab, lane, before);
  expect(seen.filter(({ complete }) => complete)).toEqual([]);
  return answer;
}

/** REJ on the admin listener, where a head alone may have been answered already. */
export async function expectRejectedByAdmin(
  lab: Lab,
  bytes: string,
  statuses: readonly number[],
): Promise<void> {
  const client = await connectRaw(lab.adminPort);
  client.send(bytes.replaceAll("/api/a", "/livez") + head("GET /livez"));
  const answer = await client.answer();
  expect(statuses).toContain(answer.status);
  await client.closed();
  expect(client.buffered()).toBe("");
  client.socket.destroy();
  await adminCanary(lab);
}

/** ONE: one answer, and at the upstream one well-formed message with what the route injects, once. */
export async function expectOne(
  lab: Lab,
  lane: Lane,
  bytes: string,
  pace: Pace = "whole",
): Promise<{ readonly message: RecordedMessage; readonly answer: Answer }> {
  const before = lane.recorder.messages.length;
  const client = await connectRaw(lab.dataPort);
  await sendAt(pace, client, onLane(bytes, lane));
  const answer = await client.answer();
  expect(answer.status).toBe(200);
  const seen = await messagesSince(lab, lane, before);
  expect(client.buffered()).toBe("");
  client.socket.destroy();
  const [message] = seen;
  if (message === undefined) throw new Error("nothing reached the upstream");
  expect(seen.length).toBe(1);
  expect(message.complete).toBe(true);
  expectOurs(message, lane);
  return { message, answer };
}

/** DENY: a 4xx, and for a route that was never used neither a connection nor a token. */
export async function expectDenied(
  lab: Lab,
  lane: Lane,
  bytes: string,
  status: number,
  code?: string,
): Promise<Answer> {
  const before = lane.recorder.messages.length;
  const client = await connectRaw(lab.dataPort);
  client.send(onLane(bytes, lane));
  const answer = await client.answer();
  client.socket.destroy();
  expect(answer.status).toBe(status);
  if (code !== undefined) expect(JSON.parse(answer.body)).toMatchObject({ code });
  expect(answer.headers.filter((name) => /^access-control-/i.test(name))).toEqual([]);
  expect(await messagesSince(lab, lane, before)).toEqual([]);
  return answer;
}

/** A lane that was never asked for anything stays so, whatever is refused on it. */
export function expectCold(lab: Lab): void {
  expect(lab.cold.recorder.connections).toBe(0);
  expect(lab.tokenEndpoint.requests.filter(({ body }) => body.includes("client_id=cold"))).toEqual([]);
}

/** What every message at an upstream has and has not. */
export function expectOurs(message: RecordedMessage, { injected, recorder }: Lane): void {
  const { headers } = message;
  for (const [name, value] of injected) expect(fieldValues(headers, name)).toEqual([value]);
  const authorizations = injected.filter(([name]) => name === "authorization").length;
  expect(fieldValues(headers, "authorization").length).toBe(authorizations);
  expect(fieldValues(headers, "host")).toEqual([new URL(recorder.origin).host]);
  expect(fieldValues(headers, "via").join(", ")).toMatch(/(?:^|, )1\.1 pillion$/);
  for (const value of fieldValues(headers, "connection")) expect(value).toBe("keep-alive");
  const names = headers.filter((_, index) => index % 2 === 0).join("\n");
  expect(names).not.toMatch(
    /^(keep-alive|proxy-.*|trailer|upgrade|http2-settings|forwarded|x-forwarded-.*|x-original-url|x-rewrite-url|x-account|pillion-.*|.*_.*)$/im,
  );
}

/** Asks for something harmless; what reached the upstream since `before`, without that. */
export async function messagesSince(
  lab: Lab,
  lane: Lane,
  before: number,
): Promise<readonly RecordedMessage[]> {
  expect(lab.pillion.child.exitCode).toBeNull();
  const name = lab.freshName();
  const served = lane === lab.cold ? lab.lane("credential") : lane;
  const client = await connectRaw(lab.dataPort);
  client.send(onLane(`${head(`POST /api/${name}`, "Content-Length: 3")}abc`, served));
  expect(await client.answer()).toMatchObject({ status: 200, body: "ok" });
  client.socket.destroy();
  const canary = served.recorder.messages.filter(({ target }) => target.endsWith(name));
  expect(canary).toMatchObject([{ method: "POST", body: "abc", complete: true }]);
  for (const message of canary) expectOurs(message, served);
  expect(lane.recorder.faults).toEqual([]);
  return lane.recorder.messages.slice(before).filter((message) => !canary.includes(message));
}

export async function adminCanary(lab: Lab): Promise<void> {
  expect(lab.pillion.child.exitCode).toBeNull();
  const client = await connectRaw(lab.adminPort);
  client.send(head("GET /livez"));
  expect((await client.answer()).status).toBe(200);
  client.socket.destroy();
}

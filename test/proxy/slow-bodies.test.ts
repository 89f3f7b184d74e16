import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { ProxyError } from "../../src/core/errors.ts";
import { RequestBody } from "../../src/proxy/request-body.ts";
import { createFakeClock, settle } from "../support/fake-clock.ts";
import { aRoute, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

const BODY_IDLE_MS = 60_000;

/** A caller that sends at will, and an upstream that takes what comes unless told otherwise. */
function aBody() {
  const clock = createFakeClock();
  const caller = new PassThrough();
  const socket = { bytesRead: 0 };
  const request = Object.assign(caller, { socket }) as unknown as IncomingMessage;
  const body = new RequestBody(request, {
    clock,
    memory: { relayed: () => {} } as never,
    idleMs: BODY_IDLE_MS,
    keepBytes: 0,
    continueOn: undefined,
  });
  const ended: { error?: unknown } = {};
  body.on("error", (error) => {
    ended.error = error;
  });
  const send = (bytes: number): void => {
    socket.bytesRead += bytes;
    caller.write(Buffer.alloc(bytes));
  };
  return { clock, body, ended, send };
}

/** Milliseconds until the body was given up; undefined: it never was. */
async function livesFor(bytes: number, everyMs: number, forMs: number): Promise<number | undefined> {
  const { clock, body, ended, send } = aBody();
  body.resume();
  await settle();
  for (let passedMs = 0; passedMs < forMs; passedMs += everyMs) {
    send(bytes);
    await clock.advance(everyMs);
    if (ended.error === undefined) continue;
    expect(ended.error).toBeInstanceOf(ProxyError);
    expect(ended.error).toMatchObject({ code: "REQUEST_INVALID" });
    return passedMs + everyMs;
  }
  return undefined;
}

const MINUTE_MS = 60_000;

describe("B01: a request's body that drips", () => {
  it.each([
    ["a byte a second", 1, 1_000],
    ["a byte just before each pause is over", 1, 59_000],
    ["ninety of them", 90, 59_000],
  ])("is given up after five times limits.body_idle: %s", async (_what, bytes, everyMs) => {
    const lifeMs = await livesFor(bytes, everyMs, 20 * MINUTE_MS);
    expect(lifeMs).toBeGreaterThanOrEqual(5 * BODY_IDLE_MS);
    expect(lifeMs).toBeLessThan(5 * BODY_IDLE_MS + everyMs);
  });

  it.each([
    ["two bytes a second", 2, 1_000],
    ["a line of an event each half minute", 100, 30_000],
    ["64 KiB in a minute", 65_536, 59_000],
  ])("is not, at more than that: %s", async (_what, bytes, everyMs) => {
    expect(await livesFor(bytes, everyMs, 30 * MINUTE_MS)).toBeUndefined();
  });

  it("is not, while it is the upstream that takes nothing", async () => {
    const { clock, body, ended, send } = aBody();
    body.read();
    await settle();
    send(200_000);
    await clock.advance(60 * MINUTE_MS);
    expect(ended.error).toBeUndefined();
    body.resume();
    for (let minute = 0; minute < 4; minute += 1) {
      await clock.advance(50_000);
      send(1);
    }
    expect(ended.error, "its time begins when it is wanted again").toBeUndefined();
  });

  it("is answered with 400, and its upstream socket is free again", async () => {
    await using upstream = await startUpstream((request) => void request.on("error", () => {}).resume());
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin })],
      limits: { bodyIdleMs: 700 },
    });
    const client = await connectRaw(proxy.port);
    client.send(head("POST /api/a", "Content-Length: 1000"));
    const drip = setInterval(() => client.send("x"), 600);
    const answer = await client.answer().finally(() => clearInterval(drip));
    const { detail } = JSON.parse(answer.body);
    expect(detail).toContain("less than 2 bytes a second");
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, "REQUEST_INVALID"]);
    client.socket.destroy();
    await upstream.idle();
  });
});

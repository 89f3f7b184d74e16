import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectRaw, fieldValues, head } from "../support/raw-client.ts";
import { HANDSHAKE, startWebSocketUpstream, type WebSocketUpstream } from "../support/websocket-upstream.ts";
import { eventually } from "./support/eventually.ts";
import { send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import { type Serving, serve } from "./support/serve.ts";

describe("an upgraded connection", () => {
  let upstream: WebSocketUpstream;
  let pillion: Serving;
  beforeEach(async () => {
    upstream = await startWebSocketUpstream();
  });
  afterEach(async () => {
    await pillion.stop();
    await upstream[Symbol.asyncDispose]();
  });

  async function start(drain = "{ timeout: 10s }"): Promise<void> {
    pillion = await serve(
      `log: { access: true }
drain: ${drain}
credentials:
  key: { provider: static, header: X-Api-Key, value: { env: KEY } }
routes:
  - { name: live, path: /live/, credential: key, upstream: "${upstream.origin}", upgrade: true }
`,
      { env: { KEY: "the-key" } },
    );
  }

  async function open(): Promise<WebSocket> {
    const socket = new WebSocket(`${pillion.origin.replace("http:", "ws:")}/live/chat`);
    await once(socket, "open");
    return socket;
  }

  async function echoed(socket: WebSocket, text: string): Promise<unknown> {
    const answer = once(socket, "message");
    socket.send(text);
    const [message] = (await answer) as [MessageEvent];
    return message.data;
  }

  const inFlight = async (): Promise<number> =>
    (await scrape(pillion.adminOrigin)).total("pillion_requests_in_flight", { route: "live" });

  it("carries the credential in its handshake, is in flight while it is open, and counted and logged at its end", async () => {
    await start();
    const socket = await open();
    expect(await echoed(socket, "hello")).toBe("hello");
    expect(fieldValues(upstream.handshakes[0]?.headers ?? [], "x-api-key")).toEqual(["the-key"]);
    expect(await inFlight()).toBe(1);
    const closed = once(socket, "close");
    socket.close(1000);
    await closed;
    expect(await pillion.logged("request")).toMatchObject({
      route: "live",
      method: "GET",
      path: "/live/chat",
      status: 101,
      outcome: "complete",
    });
    expect(await inFlight()).toBe(0);
    const metrics = await scrape(pillion.adminOrigin);
    expect(metrics.total("pillion_requests_total", { route: "live", method: "GET", code: "101" })).toBe(1);
  });

  it("goes on while the process drains, which ends with 0 once it is closed", async () => {
    await start();
    const socket = await open();
    pillion.signal("SIGTERM");
    await pillion.logged("shutting_down");
    await eventually("nobody is let in any more", () =>
      send(`${pillion.origin}/live/x`).then(
        () => false,
        () => true,
      ),
    );
    expect(await echoed(socket, "still here")).toBe("still here");
    const closed = once(socket, "close");
    socket.close(1000);
    const [event] = (await closed) as [CloseEvent];
    expect(event.wasClean).toBe(true);
    expect(await pillion.exited()).toBe(0);
  });

  it("is cut at drain.timeout, on both sides, and the process ends with 1", async () => {
    await start("{ timeout: 300ms }");
    const socket = await open();
    const closed = once(socket, "close");
    pillion.signal("SIGTERM");
    const [event] = (await closed) as [CloseEvent];
    expect(event.wasClean).toBe(false);
    expect(await pillion.exited()).toBe(1);
    await eventually("the upstream's side is closed", async () => upstream.sockets.size === 0);
  });

  it("ends at once with the process at a second signal", async () => {
    await start("{ delay: 10s, timeout: 20s }");
    const socket = await open();
    const closed = once(socket, "close");
    pillion.signal("SIGTERM");
    await pillion.logged("shutting_down");
    const signalledAtMs = performance.now();
    pillion.signal("SIGTERM");
    expect(await pillion.exited()).toBe(1);
    expect(performance.now() - signalledAtMs).toBeLessThan(1_000);
    await closed;
  });

  it("is not begun any more while the process drains: 503 SHUTTING_DOWN", async () => {
    await start();
    const socket = await open();
    const kept = await connectRaw(Number(new URL(pillion.origin).port));
    kept.send(head("GET /live/plain"));
    expect((await kept.answer()).status).toBe(426);
    pillion.signal("SIGTERM");
    await pillion.logged("shutting_down");
    await eventually("nobody is let in any more", () =>
      connectRaw(Number(new URL(pillion.origin).port)).then(
        (late) => {
          late.socket.destroy();
          return false;
        },
        () => true,
      ),
    );
    kept.send(head("GET /live/chat", ...HANDSHAKE));
    const answer = await kept.answer();
    expect({ status: answer.status, code: JSON.parse(answer.body).code }).toEqual({
      status: 503,
      code: "SHUTTING_DOWN",
    });
    expect(answer.field("retry-after")).toMatch(/^\d+$/);
    await kept.closed();
    expect(upstream.handshakes).toHaveLength(1);
    const closed = once(socket, "close");
    socket.close(1000);
    await closed;
    expect(await pillion.exited()).toBe(0);
  });

  it("is never had from the admin listener", async () => {
    await start();
    const client = await connectRaw(Number(new URL(pillion.adminOrigin).port));
    client.send(head("GET /livez", ...HANDSHAKE));
    const answer = await client.answer();
    expect({ status: answer.status, upgrade: answer.field("upgrade") }).toEqual({
      status: 200,
      upgrade: undefined,
    });
    const foreign = await connectRaw(Number(new URL(pillion.adminOrigin).port));
    foreign.send(head("GET /status.json", ...HANDSHAKE, "Origin: https://evil.example"));
    expect((await foreign.answer()).status).toBe(403);
    client.socket.destroy();
    foreign.socket.destroy();
  });
});

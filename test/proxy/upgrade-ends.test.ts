import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aRoute, eventually, type RunningProxy, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head, type RawClient } from "../support/raw-client.ts";
import {
  HANDSHAKE,
  startWebSocketUpstream,
  switching,
  type WebSocketUpstream,
} from "../support/websocket-upstream.ts";

/** Both sides must be gone within a second; the rest is for a busy machine. */
const WITHIN_MS = 1_000 + 250;

/** The far end is closed and not merely shut: what is still written to it comes back as a reset. */
function isGone(socket: Socket): Promise<void> {
  socket.on("error", () => {});
  return eventually(() => {
    if (!socket.destroyed) socket.write("anybody there?");
    return socket.destroyed;
  });
}

describe("an upgraded connection", () => {
  let upstream: WebSocketUpstream;
  let proxy: RunningProxy;
  let agrees: boolean;
  beforeEach(async () => {
    agrees = true;
    // An upgraded socket ends only when a test ends it: what is seen of the other side is the proxy's doing.
    upstream = await startWebSocketUpstream({
      onHandshake: (socket, request) => {
        if (agrees) socket.write(switching(request));
        else socket.resume().once("end", () => socket.end());
      },
    });
    proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin, upgrade: true })] });
  });
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  interface Pair {
    readonly client: RawClient;
    readonly server: Socket;
  }

  async function open(): Promise<Pair> {
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/chat", ...HANDSHAKE));
    expect((await client.answer()).status).toBe(101);
    const server = upstream.handshakes.at(-1)?.socket;
    if (server === undefined) throw new Error("no handshake came through");
    return { client, server };
  }

  const finished = () => proxy.told.events.filter((event) => event === "finished api GET 101").length;

  it.each<[string, (pair: Pair) => void]>([
    ["the caller resets it", ({ client }) => void client.socket.resetAndDestroy()],
    ["the caller closes it", ({ client }) => void client.socket.destroy()],
    ["the caller ends it and stays silent", ({ client }) => void client.socket.end()],
  ])("U13 is closed towards the upstream within a second when %s", async (_what, act) => {
    const pair = await open();
    const ended = once(pair.server.resume(), "end");
    const startedAtMs = performance.now();
    act(pair);
    await ended;
    await eventually(() => finished() === 1);
    expect(performance.now() - startedAtMs).toBeLessThan(WITHIN_MS);
    await isGone(pair.server);
  });

  it.each<[string, (pair: Pair) => void]>([
    ["resets it", ({ server }) => void server.resetAndDestroy()],
    ["closes it", ({ server }) => void server.destroy()],
    ["ends it and stays silent", ({ server }) => void server.end()],
  ])("U13 is closed towards the caller within a second when the upstream %s", async (_what, act) => {
    const pair = await open();
    const startedAtMs = performance.now();
    act(pair);
    await pair.client.closed();
    await eventually(() => finished() === 1);
    expect(performance.now() - startedAtMs).toBeLessThan(WITHIN_MS);
    await isGone(pair.client.socket);
  });

  it("delivers what was sent before the end, and what the other side still answers", async () => {
    const { client, server } = await open();
    let heard = "";
    server.on("data", (bytes: Buffer) => {
      heard += bytes.toString("latin1");
    });
    server.once("end", () => {
      server.write(`heard ${heard.length}, `);
      setTimeout(() => server.end("bye"), 100);
    });
    client.send("x".repeat(300_000));
    client.socket.end();
    await client.closed();
    expect(client.buffered()).toBe("heard 300000, bye");
    await eventually(() => finished() === 1);
    expect(proxy.told.log.at(-1)?.fields).toMatchObject({ status: 101, outcome: "complete" });
  });

  it("delivers what the upstream sent before it ended, to a caller that still sends", async () => {
    const { client, server } = await open();
    let heard = "";
    server.on("data", (bytes: Buffer) => {
      heard += bytes.toString("latin1");
    });
    server.end("y".repeat(300_000));
    await client.closed();
    expect(client.buffered()).toBe("y".repeat(300_000));
    client.send("last words");
    client.socket.end();
    await eventually(() => heard === "last words");
  });

  it("is logged as aborted when one side was cut", async () => {
    const { server } = await open();
    server.resetAndDestroy();
    await eventually(() => finished() === 1);
    expect(proxy.told.log.at(-1)?.fields).toMatchObject({ status: 101, outcome: "aborted" });
  });

  it("passes megabytes both ways at once, unchanged", async () => {
    const { client, server } = await open();
    server.pipe(server);
    const sent = "0123456789abcdef".repeat(524_288);
    client.send(sent);
    await eventually(() => client.buffered().length === sent.length);
    expect(client.buffered() === sent).toBe(true);
    client.socket.destroy();
  });

  it("takes no more from one side than the other side reads", async () => {
    const { client, server } = await open();
    client.socket.pause();
    const piece = Buffer.alloc(65_536, "z");
    const total = 64 * 1_048_576;
    let taken = 0;
    const pump = (): void => {
      while (taken < total) {
        taken += piece.length;
        if (!server.write(piece)) return;
      }
    };
    server.on("drain", pump);
    pump();
    // Nothing is read at the far end: what was taken stands still at what kernels and the proxy hold.
    let before = -1;
    await eventually(() => {
      const isStill = before === taken;
      before = taken;
      return isStill;
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 200);
    await promise;
    expect(taken).toBeLessThan(total / 2);
    client.socket.destroy();
    server.off("drain", pump);
  });

  it("leaves nothing behind when its caller leaves before the upstream has answered", async () => {
    agrees = false;
    const callers = Array.from({ length: 50 }, () => connect({ port: proxy.port, host: "127.0.0.1" }));
    for (const caller of callers) caller.write(head("GET /api/chat", ...HANDSHAKE), "latin1");
    await eventually(() => upstream.handshakes.length === 50);
    const startedAtMs = performance.now();
    for (const [index, caller] of callers.entries()) {
      caller.on("error", () => {});
      if (index % 2 === 0) caller.resetAndDestroy();
      else caller.destroy();
    }
    await eventually(() => upstream.sockets.size === 0);
    expect(performance.now() - startedAtMs).toBeLessThan(WITHIN_MS);
    await eventually(
      () => proxy.told.events.filter((event) => event === "finished api GET 499").length === 50,
    );
  });

  it("leaves nothing behind when its caller leaves while it is being opened", async () => {
    const ended: Promise<unknown>[] = [];
    for (let round = 0; round < 20; round++) {
      const caller = connect({ port: proxy.port, host: "127.0.0.1" });
      caller.on("error", () => {});
      caller.write(head("GET /api/chat", ...HANDSHAKE), "latin1");
      await eventually(() => upstream.handshakes.length === round + 1);
      const socket = upstream.handshakes[round]?.socket;
      if (socket !== undefined) ended.push(once(socket.resume(), "end"));
      caller.resetAndDestroy();
    }
    await Promise.all(ended);
    await eventually(() => proxy.told.events.filter((event) => event.startsWith("finished")).length === 20);
  });

  it("outlives a reload, and the route's timeouts", async () => {
    proxy.reload([
      aRoute({
        upstream: upstream.origin,
        upgrade: true,
        timeouts: { connectMs: 100, headersMs: 100, idleMs: 100 },
      }),
    ]);
    const { client, server } = await open();
    proxy.reload([]);
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, 1_300);
    await promise;
    server.write("still here");
    await eventually(() => client.buffered() === "still here");
    client.socket.destroy();
  });
});

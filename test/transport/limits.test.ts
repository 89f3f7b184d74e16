import { describe, expect, it } from "vitest";
import { aRoute, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

const answering = () => startUpstream((_request, response) => response.end("ok"));

describe("limits.connections", () => {
  it("refuses those beyond it with 503 OVERLOADED, and serves those within it", async () => {
    await using upstream = await answering();
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin })],
      limits: { connections: 2 },
    });
    const kept = [await connectRaw(proxy.port), await connectRaw(proxy.port)];
    const beyond = await connectRaw(proxy.port);
    beyond.send(head("GET /api/a"));
    const answer = await beyond.answer();
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, "OVERLOADED"]);
    expect(answer.field("retry-after")).toBe("1");
    expect(answer.field("proxy-status")).toContain("error=connection_limit_reached");
    await beyond.closed();
    for (const client of kept) {
      client.send(head("GET /api/a"));
      expect((await client.answer()).status).toBe(200);
      client.socket.destroy();
    }
  });

  it("counts a connection no more once it is closed", async () => {
    await using upstream = await answering();
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin })],
      limits: { connections: 1 },
    });
    for (let turn = 0; turn < 5; turn += 1) {
      const client = await connectRaw(proxy.port);
      client.send(head("GET /api/a", "Connection: close"));
      expect((await client.answer()).status).toBe(200);
      await client.closed();
      client.socket.destroy();
      await new Promise((resolve) => client.socket.once("close", resolve));
    }
  });
});

describe("B01: limits.header_timeout", () => {
  it("cuts a head that does not arrive, with a word", async () => {
    await using proxy = await startProxy({ routes: [], limits: { headerTimeoutMs: 100 } });
    const client = await connectRaw(proxy.port);
    client.send("GET /api/a HTTP/1.1\r\nHost: loc");
    const answer = await client.answer();
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([400, "REQUEST_INVALID"]);
    await client.closed();
  });

  it("cuts a connection that says nothing, without a word", async () => {
    await using proxy = await startProxy({ routes: [], limits: { headerTimeoutMs: 100 } });
    const client = await connectRaw(proxy.port);
    await client.closed();
    expect(client.buffered()).toBe("");
  });

  it("does not cut a long answer", async () => {
    const go = Promise.withResolvers<void>();
    await using upstream = await startUpstream(async (_request, response) => {
      await go.promise;
      response.end("late");
    });
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin })],
      limits: { headerTimeoutMs: 50 },
    });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    const silent = await connectRaw(proxy.port);
    await silent.closed();
    go.resolve();
    expect((await client.answer()).body).toBe("late");
    client.socket.destroy();
  });
});

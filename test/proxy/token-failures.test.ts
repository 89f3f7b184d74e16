import { describe, expect, it } from "vitest";
import { ProxyError } from "../../src/core/errors.ts";
import {
  aCredential,
  aRoute,
  createScriptedSource,
  eventually,
  startProxy,
} from "../support/proxy-harness.ts";
import { connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

async function setup(next: () => string | Promise<string>) {
  const upstream = await startUpstream((_request, response) => response.end("served"));
  const source = createScriptedSource(next);
  const proxy = await startProxy({
    routes: [aRoute({ upstream: upstream.origin, credential: aCredential() })],
    source: () => source,
  });
  const stack = new AsyncDisposableStack();
  stack.use(upstream);
  stack.use(proxy);
  return { stack, upstream, proxy };
}

describe("a request whose token", () => {
  it("is being fetched waits for it", async () => {
    const token = Promise.withResolvers<string>();
    const { stack, proxy, upstream } = await setup(() => token.promise);
    await using _ = stack;
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await eventually(() => proxy.told.events.includes("started api"));
    expect(upstream.requests).toEqual([]);
    token.resolve("late");
    expect((await client.answer()).body).toBe("served");
    client.socket.destroy();
  });

  it.each([
    [
      "rejects",
      () => Promise.reject(new ProxyError("TOKEN_UNAVAILABLE", "No token.", { retryAfterSeconds: 6.2 })),
    ],
    [
      "throws",
      () => {
        throw new ProxyError("TOKEN_UNAVAILABLE", "No token.", { retryAfterSeconds: 6.2 });
      },
    ],
  ])("cannot be had (%s) gets 503 and Retry-After, and nothing is sent on", async (_name, next) => {
    const { stack, proxy, upstream } = await setup(next);
    await using _ = stack;
    const answer = await roundTrip(proxy.port, `${head("POST /api/a", "Content-Length: 2")}{}`);
    expect(answer.status).toBe(503);
    expect(answer.field("retry-after")).toBe("7");
    expect(answer.field("proxy-status")).toContain('details="TOKEN_UNAVAILABLE"');
    expect(JSON.parse(answer.body)).toMatchObject({ code: "TOKEN_UNAVAILABLE", status: 503 });
    expect(upstream.requests).toEqual([]);
    await eventually(() => proxy.told.events.length === 3);
    expect(proxy.told.events).toEqual([
      "started api",
      "failed api TOKEN_UNAVAILABLE",
      "finished api POST 503",
    ]);
  });

  it("is refused for good gets 502", async () => {
    const { stack, proxy } = await setup(() =>
      Promise.reject(new ProxyError("TOKEN_REJECTED", "invalid_client")),
    );
    await using _ = stack;
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "TOKEN_REJECTED"]);
  });

  it("fails by a fault of the proxy's gets 500 that shows nothing of it", async () => {
    const { stack, proxy } = await setup(() => Promise.reject(new Error("secret-canary")));
    await using _ = stack;
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([500, "INTERNAL"]);
    expect(answer.body).not.toContain("secret-canary");
  });

  it("comes after its caller has left is not used", async () => {
    const token = Promise.withResolvers<string>();
    const { stack, proxy, upstream } = await setup(() => token.promise);
    await using _ = stack;
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await eventually(() => proxy.told.events.includes("started api"));
    client.socket.destroy();
    await eventually(() => proxy.told.events.includes("finished api GET 499"));
    token.resolve("late");
    expect((await roundTrip(proxy.port, head("GET /other"))).status).toBe(404);
    expect(upstream.requests).toEqual([]);
    expect(upstream.sockets.size).toBe(0);
  });
});

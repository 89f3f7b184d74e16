import { describe, expect, it } from "vitest";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { aRoute, eventually, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head, type RawClient } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

async function setup(clock?: FakeClock) {
  const stack = new AsyncDisposableStack();
  const go = Promise.withResolvers<void>();
  const upstream = await startUpstream(async ({ url }, response) => {
    if (url === "/begun") response.write("begun ");
    if (url !== "/quick") await go.promise;
    response.end("done");
  });
  stack.use(upstream);
  const proxy = await startProxy({
    routes: [aRoute({ upstream: upstream.origin })],
    ...(clock === undefined ? {} : { clock }),
  });
  stack.use(proxy);
  const request = async (path: string) => {
    const client = await connectRaw(proxy.port);
    client.send(head(`GET /api/${path}`));
    return client;
  };
  const begun = async () => {
    const client = await request("begun");
    await eventually(() => client.buffered().includes("begun"));
    return client;
  };
  return { stack, go, upstream, proxy, request, begun };
}

async function expectLastAnswer(client: RawClient): Promise<void> {
  const answer = await client.answer();
  expect([answer.body, answer.field("connection")]).toEqual(["done", "close"]);
  await client.closed();
}

describe("a listener that closes", () => {
  it("takes no new connection", async () => {
    const { stack, proxy } = await setup();
    await using _ = stack;
    await proxy.listener.close();
    await expect(connectRaw(proxy.port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("lets what is in flight finish, with Connection: close", async () => {
    const { stack, go, upstream, proxy, request } = await setup();
    await using _ = stack;
    const client = await request("slow");
    await eventually(() => upstream.requests.length === 1);
    const closed = proxy.listener.close();
    go.resolve();
    await expectLastAnswer(client);
    await closed;
  });

  it("lets an answer that has begun finish, and closes behind it", async () => {
    const { stack, go, proxy, begun } = await setup();
    await using _ = stack;
    const client = await begun();
    const closed = proxy.listener.close();
    go.resolve();
    expect((await client.answer()).body).toBe("begun done");
    await client.closed();
    await closed;
  });

  it("answers every pipelined request, and says close with the last", async () => {
    const { stack, go, upstream, proxy, request } = await setup();
    await using _ = stack;
    const client = await request("slow");
    client.send(head("GET /api/slower"));
    await eventually(() => upstream.requests.length === 2);
    const closed = proxy.listener.close();
    go.resolve();
    expect((await client.answer()).field("connection")).toBe("keep-alive");
    expect((await client.answer()).field("connection")).toBe("close");
    await client.closed();
    await closed;
  });

  it("serves a kept connection's next request, with Connection: close", async () => {
    const { stack, proxy, request } = await setup();
    await using _ = stack;
    const client = await request("quick");
    await client.answer();
    const closed = proxy.listener.close();
    client.send(head("GET /api/quick"));
    await expectLastAnswer(client);
    await closed;
  });

  it("serves the next request of a caller whose answer began before it could be told", async () => {
    const { stack, go, proxy, begun } = await setup();
    await using _ = stack;
    const client = await begun();
    const closed = proxy.listener.close();
    go.resolve();
    expect((await client.answer()).field("connection")).toBe("keep-alive");
    client.send(head("GET /api/quick"));
    await expectLastAnswer(client);
    await closed;
  });

  it("serves a request that lay at the socket when the connection's last second was over", async () => {
    const clock = createFakeClock();
    const { stack, proxy, request } = await setup(clock);
    await using _ = stack;
    const client = await request("quick");
    await client.answer();
    await eventually(() => proxy.told.log.length === 1);
    const closed = proxy.listener.close();
    client.send(head("GET /api/quick"));
    // Without a turn of the event loop between the two, as after a process stood still.
    void clock.advance(1_000);
    await expectLastAnswer(client);
    await closed;
  });

  it("does not wait for a kept connection that says no more", async () => {
    const { stack, proxy, request } = await setup();
    await using _ = stack;
    const client = await request("quick");
    await client.answer();
    await proxy.listener.close();
    await client.closed();
  });

  it("counts as cut what had an answer under way, and nothing else", async () => {
    const { stack, upstream, proxy, request } = await setup();
    await using _ = stack;
    const idle = await request("quick");
    await idle.answer();
    const client = await request("slow");
    await eventually(() => upstream.requests.length === 2);
    const closed = proxy.listener.close();
    expect(proxy.listener.destroy()).toBe(1);
    await closed;
    await client.closed();
    await upstream.idle();
  });
});

import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.ts";
import { createKeptConnection, send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";
import { answerOk, startUpstream, type Upstream } from "./support/upstream.ts";

describe("C05, C07: draining", () => {
  let upstream: Upstream;
  let held: PromiseWithResolvers<void>;
  let pillion: Serving;
  beforeEach(async () => {
    upstream = await startUpstream();
    held = Promise.withResolvers<void>();
    upstream.respond((request, response) => {
      if (request.target === "/held") void held.promise.then(() => answerOk(request, response));
      else answerOk(request, response);
    });
  });
  afterEach(async () => {
    held.resolve();
    await pillion.stop();
    await upstream.close();
  });

  async function start(drain: string): Promise<void> {
    pillion = await serve(`drain: ${drain}
routes:
  - { name: plain, path: /plain/, credential: none, upstream: "${upstream.origin}/" }
`);
  }

  const readiness = async (): Promise<number> => (await send(`${pillion.adminOrigin}/readyz`)).status;

  it.each(["SIGTERM", "SIGINT"] as const)(
    "at %s: not ready, new connections refused, what is in flight finishes, and 0",
    async (signal) => {
      await start("{ timeout: 10s }");
      const inFlight = Array.from({ length: 10 }, () => send(`${pillion.origin}/plain/held`));
      await upstream.received(10);
      pillion.signal(signal);
      await pillion.logged("shutting_down");
      await eventually("readiness is gone", async () => (await readiness()) === 503);
      await eventually("nobody is let in any more", async () => {
        return send(`${pillion.origin}/plain/x`).then(
          () => false,
          (error: NodeJS.ErrnoException) => error.code === "ECONNREFUSED",
        );
      });
      held.resolve();
      const replies = await Promise.all(inFlight);
      expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
      expect(await pillion.exited()).toBe(0);
      expect(pillion.stderr()).toBe("");
    },
  );

  it("serves everything as before during drain.delay, on new connections too", async () => {
    await start("{ delay: 1500ms, timeout: 5s }");
    const agent = createKeptConnection();
    await send(`${pillion.origin}/plain/x`, { agent });
    const signalledAtMs = performance.now();
    pillion.signal("SIGTERM");
    await eventually("readiness is gone", async () => (await readiness()) === 503);
    const kept = await send(`${pillion.origin}/plain/x`, { agent });
    expect(kept.status).toBe(200);
    expect(kept.headers.connection).not.toBe("close");
    expect((await send(`${pillion.origin}/plain/x`)).status).toBe(200);
    expect((await send(`${pillion.adminOrigin}/livez`)).status).toBe(200);
    agent.destroy();
    expect(await pillion.exited()).toBe(0);
    expect(performance.now() - signalledAtMs).toBeGreaterThanOrEqual(1_490);
  });

  it("tells a kept connection by `Connection: close`", async () => {
    await start("{ timeout: 10s }");
    const agent = createKeptConnection();
    const first = await send(`${pillion.origin}/plain/x`, { agent });
    expect(first.headers.connection).not.toBe("close");
    const last = send(`${pillion.origin}/plain/held`, { agent });
    await upstream.received(2);
    pillion.signal("SIGTERM");
    await pillion.logged("shutting_down");
    await eventually("it drains", async () => (await readiness()) === 503);
    held.resolve();
    expect((await last).headers.connection).toBe("close");
    expect(await pillion.exited()).toBe(0);
    agent.destroy();
  });

  it("answers the next request of an idle kept connection, and closes it then", async () => {
    await start("{ timeout: 10s }");
    const agent = createKeptConnection();
    const slow = send(`${pillion.origin}/plain/held`);
    await send(`${pillion.origin}/plain/x`, { agent });
    await upstream.received(2);
    pillion.signal("SIGTERM");
    await pillion.logged("shutting_down");
    const reply = await send(`${pillion.origin}/plain/x`, { agent });
    expect(reply.status).toBe(200);
    expect(reply.headers.connection).toBe("close");
    held.resolve();
    expect((await slow).status).toBe(200);
    expect(await pillion.exited()).toBe(0);
    agent.destroy();
  });

  it("does not wait for connections on which nothing is under way", async () => {
    await start("{ timeout: 15s }");
    const { port } = new URL(pillion.origin);
    const silent = connect(Number(port), "127.0.0.1");
    silent.on("error", () => {});
    const agent = createKeptConnection();
    await send(`${pillion.origin}/plain/x`, { agent });
    const signalledAtMs = performance.now();
    pillion.signal("SIGTERM");
    expect(await pillion.exited()).toBe(0);
    expect(performance.now() - signalledAtMs).toBeLessThan(8_000);
    silent.destroy();
    agent.destroy();
  });

  it("cuts at drain.timeout what has not finished, and ends with 1", async () => {
    await start("{ timeout: 300ms }");
    const cut = send(`${pillion.origin}/plain/held`).then(
      ({ status }) => String(status),
      () => "cut",
    );
    await upstream.received(1);
    const signalledAtMs = performance.now();
    pillion.signal("SIGTERM");
    expect(await pillion.exited()).toBe(1);
    expect(performance.now() - signalledAtMs).toBeLessThan(3_000);
    expect(await cut).toBe("cut");
  });

  it.each(["SIGTERM", "SIGINT"] as const)("ends at once with 1 at a second signal (%s)", async (second) => {
    await start("{ delay: 10s, timeout: 20s }");
    const cut = send(`${pillion.origin}/plain/held`).catch(() => undefined);
    await upstream.received(1);
    pillion.signal("SIGTERM");
    await pillion.logged("shutting_down");
    const signalledAtMs = performance.now();
    pillion.signal(second);
    expect(await pillion.exited()).toBe(1);
    expect(performance.now() - signalledAtMs).toBeLessThan(1_000);
    await cut;
  });
});

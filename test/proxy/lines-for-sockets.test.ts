import { describe, expect, it } from "vitest";
import {
  createHeldAnswers,
  LIFETIME_MS,
  startAging,
  started,
  startGate,
  tokensOf,
} from "../support/aging-tokens.ts";
import { createHttp2Routes } from "../support/http2-routes.ts";
import { aRoute, eventually, startProxy } from "../support/proxy-harness.ts";
import { type Answer, connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

const { pem, tls } = createHttp2Routes();

const TIMEOUTS = { connectMs: 5_000, headersMs: 150, idleMs: 5_000 };
const POST = head("POST /api/a", "Content-Length: 4");

const codeOf = (answer: Answer): string => JSON.parse(answer.body).code;

describe("a request that found a socket free and lost it", () => {
  it("while its caller took its time over the body waits no longer than any other", async () => {
    const held = createHeldAnswers();
    await using upstream = await startUpstream(held.answer);
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, connections: 1, timeouts: TIMEOUTS })],
    });
    const slow = await connectRaw(proxy.port);
    slow.send(POST);
    await eventually(() => started(proxy) === 1);
    const other = await connectRaw(proxy.port);
    // The head of its answer comes at once, and the rest never: no limit ends it.
    other.send(head("GET /api/hold"));
    await eventually(() => held.heads.length === 1);
    held.beginAll();
    await eventually(() => other.buffered().includes("begun"));
    slow.send("body");
    const answer = await slow.answer();
    expect([answer.status, codeOf(answer)]).toEqual([503, "OVERLOADED"]);
    for (const { socket } of [slow, other]) socket.destroy();
  });

  it("while a newer token was fetched for it waits no longer than any other", async () => {
    const held = createHeldAnswers();
    await using upstream = await startUpstream(held.answer, pem);
    await using gate = await startGate(upstream.origin);
    const { proxy, clock, source } = await startAging(gate.origin, {
      timeouts: TIMEOUTS,
      connection: { tls, httpProxy: undefined },
    });
    await using _ = proxy;
    const { promise: fetched, resolve: fetchNow } = Promise.withResolvers<void>();
    source.renew = (make) => fetched.then(make);
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await eventually(() => gate.waiting() === 1);
    clock.turn(LIFETIME_MS);
    gate.open();
    await eventually(() => source.asked.length === 2);
    source.renew = (make) => make();
    const other = await connectRaw(proxy.port);
    other.send(head("GET /api/hold"));
    await eventually(() => held.heads.length === 1);
    held.beginAll();
    await eventually(() => other.buffered().includes("begun"));
    fetchNow();
    expect(codeOf(await client.answer())).toBe("OVERLOADED");
    expect(held.heads.flatMap(tokensOf)).toEqual(["Bearer token-2"]);
    for (const { socket } of [client, other]) socket.destroy();
  });
});

describe("requests that nobody waits for any more", () => {
  const kinds: readonly (readonly [string, string])[] = [
    ["without a body", head("GET /api/a")],
    ["with one", `${POST}body`],
    ["with one that never began", POST],
    ["with an expectation", head("POST /api/a", "Content-Length: 4", "Expect: 100-continue")],
  ];
  it.each(kinds)(
    "%s are not gathered without end behind sockets that do not come free",
    async (_what, bytes) => {
      const held = createHeldAnswers();
      await using upstream = await startUpstream(held.answer);
      await using proxy = await startProxy({
        routes: [aRoute({ upstream: upstream.origin, connections: 1 })],
      });
      const holder = await connectRaw(proxy.port);
      const expecting = bytes.includes("Expect");
      holder.send(
        expecting
          ? `${head("POST /api/hold", "Content-Length: 4", "Expect: 100-continue")}body`
          : head("GET /api/hold"),
      );
      await eventually(() => held.heads.length === 1);
      for (let round = 0; round < 4; round++) {
        const clients = await Promise.all(Array.from({ length: 50 }, () => connectRaw(proxy.port)));
        const before = proxy.told.events.length;
        for (const client of clients) client.send(bytes);
        await eventually(() => proxy.told.events.length === before + 50);
        for (const { socket } of clients) socket.resetAndDestroy();
        const over = (event: string) => /finished|rejected/.test(event);
        await eventually(() => proxy.told.events.filter(over).length === 50 * (round + 1));
      }
      const overloaded = proxy.told.events.filter((event) => event.includes("OVERLOADED")).length;
      expect(overloaded > 0).toBe(bytes !== POST);
      held.letGo();
      while ((await holder.answer()).status === 100);
      expect((await roundTrip(proxy.port, head("GET /api/b"))).body).toBe("served");
      expect(upstream.requests.map(({ url }) => url)).toEqual(["/hold", "/b"]);
      holder.socket.destroy();
    },
  );
});

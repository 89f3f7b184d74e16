import { describe, expect, it } from "vitest";
import { ProxyError } from "../../src/core/errors.ts";
import type { Injection } from "../../src/token/token-source.ts";
import {
  createAgingSource,
  createHeldAnswers,
  createTurnableClock,
  LIFETIME_MS,
  later,
  RENEWALS,
  startAging,
  started,
  startGate,
  tokensOf,
} from "../support/aging-tokens.ts";
import { createHttp2Routes } from "../support/http2-routes.ts";
import { aCredential, aRoute, eventually, type RouteOptions, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { readBody, startUpstream } from "../support/upstream.ts";

const { pem, tls } = createHttp2Routes();

/** One request that holds the route's only connection, and one behind it. */
async function setupQueue(route: Partial<RouteOptions> = {}) {
  const stack = new AsyncDisposableStack();
  const held = createHeldAnswers();
  const upstream = stack.use(await startUpstream(held.answer));
  const { proxy, clock, source } = await startAging(upstream.origin, route);
  stack.use(proxy);
  const first = await connectRaw(proxy.port);
  first.send(head("GET /api/hold"));
  await eventually(() => held.heads.length === 1);
  const second = await connectRaw(proxy.port);
  second.send(head("GET /api/a"));
  await eventually(() => started(proxy) === 2);
  stack.defer(() => {
    for (const { socket } of [first, second]) socket.destroy();
  });
  const tokens = () => upstream.requests.flatMap(({ headers }) => tokensOf(headers));
  return { stack, held, proxy, clock, source, first, second, tokens };
}

describe("a request that waited for its socket", () => {
  it("goes out with the token that it was given, while that is good", async () => {
    const { stack, held, clock, source, second, tokens } = await setupQueue();
    await using _ = stack;
    clock.turn(LIFETIME_MS * 0.9);
    held.letGo();
    expect((await second.answer()).status).toBe(200);
    expect([tokens(), source.asked]).toEqual([
      ["Bearer token-1", "Bearer token-1"],
      [undefined, undefined],
    ]);
  });

  it("asks for another in the mandatory window", async () => {
    const { stack, held, clock, second, tokens } = await setupQueue();
    await using _ = stack;
    clock.turn(LIFETIME_MS * 0.96);
    held.letGo();
    expect((await second.answer()).status).toBe(200);
    expect(tokens()).toEqual(["Bearer token-1", "Bearer token-2"]);
  });

  it("keeps one that it was given in that window, for want of another", async () => {
    const { stack, held, clock, source, proxy, tokens } = await setupQueue();
    await using _ = stack;
    const kept = source.token() as Injection;
    source.renew = () => kept;
    clock.turn(LIFETIME_MS * 0.96);
    const third = await connectRaw(proxy.port);
    third.send(head("GET /api/b"));
    await eventually(() => started(proxy) === 3);
    held.letGo();
    expect((await third.answer()).status).toBe(200);
    expect([tokens().at(-1), source.asked.at(-1)]).toEqual(["Bearer token-1", "Bearer token-1"]);
    expect(source.asked.filter((unsent) => unsent !== undefined)).toHaveLength(1);
    third.socket.destroy();
  });

  it("is told what any other is where no newer token can be had, and leaves the socket to others", async () => {
    const { stack, held, clock, source, proxy, second, tokens } = await setupQueue();
    await using _ = stack;
    source.renew = () =>
      Promise.reject(new ProxyError("TOKEN_UNAVAILABLE", "Not now.", { retryAfterSeconds: 1 }));
    clock.turn(LIFETIME_MS);
    held.letGo();
    const answer = await second.answer();
    expect([answer.status, JSON.parse(answer.body).code, answer.field("retry-after")]).toEqual([
      503,
      "TOKEN_UNAVAILABLE",
      "1",
    ]);
    source.renew = later;
    expect((await roundTrip(proxy.port, head("GET /api/b"))).body).toBe("served");
    expect(tokens()).toEqual(["Bearer token-1", "Bearer token-2"]);
    expect(proxy.told.events).toContain("failed api TOKEN_UNAVAILABLE");
  });

  it("is not sent when its caller left while a newer token was fetched", async () => {
    const { stack, held, clock, source, proxy, second, tokens } = await setupQueue();
    await using _ = stack;
    const { promise: fetched, resolve: fetchNow } = Promise.withResolvers<void>();
    source.renew = (make) => fetched.then(make);
    clock.turn(LIFETIME_MS);
    held.letGo();
    await eventually(() => source.asked.length === 3);
    second.socket.resetAndDestroy();
    await eventually(() => proxy.told.events.includes("finished api GET 499"));
    fetchNow();
    expect((await roundTrip(proxy.port, head("GET /api/b"))).body).toBe("served");
    expect(tokens()).toEqual(["Bearer token-1", "Bearer token-2"]);
  });

  it("asks for no token once nobody waits for it, and waits no longer than before", async () => {
    const timeouts = { connectMs: 5_000, headersMs: 150, idleMs: 5_000 };
    const { stack, held, clock, source, first, second, tokens } = await setupQueue({ timeouts });
    await using _ = stack;
    clock.turn(LIFETIME_MS);
    const answer = await second.answer();
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, "OVERLOADED"]);
    held.letGo();
    await first.answer();
    expect(source.asked).toEqual([undefined, undefined]);
    expect(tokens()).toEqual(["Bearer token-1"]);
  });

  it("is not counted as queueing while it is its caller who has not begun to send", async () => {
    const timeouts = { connectMs: 5_000, headersMs: 100, idleMs: 5_000 };
    const { stack, held, proxy } = await setupQueue({ timeouts });
    await using _ = stack;
    const slow = await connectRaw(proxy.port);
    slow.send(head("POST /api/b", "Content-Length: 4"));
    await eventually(() => started(proxy) === 3);
    const behind = await roundTrip(proxy.port, head("GET /api/c"));
    expect(JSON.parse(behind.body).code).toBe("OVERLOADED");
    held.letGo();
    slow.send("body");
    expect((await slow.answer()).body).toBe("served");
    slow.socket.destroy();
  });

  it.each(RENEWALS)(
    "ends with 503 where no token lives long enough to be sent and the next %s",
    async (_what, renew) => {
      await using upstream = await startUpstream((_request, response) => void response.end());
      const clock = createTurnableClock();
      const source = createAgingSource(clock, 0);
      source.renew = renew;
      await using proxy = await startProxy({
        routes: [aRoute({ upstream: upstream.origin, credential: aCredential() })],
        source: () => source,
        clock,
      });
      const answer = await roundTrip(proxy.port, `${head("POST /api/a", "Content-Length: 4")}body`);
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([503, "TOKEN_UNAVAILABLE"]);
      expect(upstream.requests).toEqual([]);
      expect(source.asked.length).toBeLessThan(12);
    },
  );

  it("comes with its body and its trailers whole, though it was begun once before", async () => {
    const came: unknown[] = [];
    await using upstream = await startUpstream(async (request, response) => {
      came.push(tokensOf(request.rawHeaders), await readBody(request), request.rawTrailers);
      response.end("served");
    }, pem);
    await using gate = await startGate(upstream.origin);
    const { proxy, clock, source } = await startAging(gate.origin, {
      connection: { tls, httpProxy: undefined },
    });
    await using _ = proxy;
    const { promise: fetched, resolve: fetchNow } = Promise.withResolvers<void>();
    source.renew = (make) => fetched.then(make);
    const client = await connectRaw(proxy.port);
    client.send(`${head("POST /api/a", "Transfer-Encoding: chunked")}4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n`);
    await eventually(() => gate.waiting() === 1);
    clock.turn(LIFETIME_MS);
    gate.open();
    await eventually(() => source.asked.length === 2);
    fetchNow();
    expect((await client.answer()).body).toBe("served");
    expect(came).toEqual([["Bearer token-2"], "body", ["X-Sum", "1"]]);
    client.socket.destroy();
  });
});

import type { ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import {
  aCredential,
  aRoute,
  createScriptedSource,
  eventually,
  type RouteOptions,
  type ScriptedSource,
  startProxy,
} from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { readBody, startUpstream } from "../support/upstream.ts";

type Refusal = (response: ServerResponse) => void;

const plain401: Refusal = (response) => {
  response.writeHead(401, { "www-authenticate": "Bearer", "x-answer": "refused" }).end("refused");
};

/** An upstream that takes `token-2` only, a source that has it when asked for a newer one, and a proxy between. */
async function setup(route: Partial<RouteOptions> = {}, refuse: Refusal = plain401) {
  const stack = new AsyncDisposableStack();
  const bodies: string[] = [];
  const upstream = await startUpstream(async (request, response) => {
    bodies.push(await readBody(request));
    if (request.headers.authorization === "Bearer token-2") response.end("served");
    else refuse(response);
  });
  stack.use(upstream);
  const source = createScriptedSource();
  source.renew = () => "token-2";
  const proxy = await startProxy({
    routes: [aRoute({ upstream: upstream.origin, credential: aCredential(), ...route })],
    source: () => source,
  });
  stack.use(proxy);
  const tokens = () => upstream.requests.flatMap(({ headers }) => fieldValues(headers, "authorization"));
  return { stack, upstream, source, proxy, bodies, tokens };
}

const post = (body: string, ...fields: string[]) =>
  head("POST /api/a", `Content-Length: ${body.length}`, ...fields) + body;

describe("an upstream's 401", () => {
  it.each(["GET", "HEAD", "OPTIONS"])(
    "to %s is replayed once, and the replay's answer is the answer",
    async (method) => {
      const { stack, proxy, source, tokens } = await setup();
      await using _ = stack;
      const client = await connectRaw(proxy.port);
      client.send(head(`${method} /api/a`, "Connection: close"));
      await client.closed();
      expect(client.buffered()).toMatch(/^HTTP\/1\.1 200 /);
      expect(client.buffered()).not.toContain("refused");
      expect(tokens()).toEqual(["Bearer token-1", "Bearer token-2"]);
      expect(source.invalidated).toEqual(["Bearer token-1"]);
      expect(proxy.told.events).toContain("unauthorized api replayed");
    },
  );

  it("to the replay passes, and nothing is tried a third time", async () => {
    const { stack, proxy, source, tokens } = await setup();
    await using _ = stack;
    source.renew = () => "token-3";
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect(answer.status).toBe(401);
    expect(answer.body).toBe("refused");
    expect(answer.field("proxy-status")).toBeUndefined();
    expect(tokens()).toEqual(["Bearer token-1", "Bearer token-3"]);
    expect(proxy.told.events.filter((event) => event.startsWith("unauthorized"))).toEqual([
      "unauthorized api replayed",
      "unauthorized api passed",
    ]);
  });

  it("passes whole when no newer token can be had", async () => {
    const { stack, proxy, source, tokens } = await setup();
    await using _ = stack;
    source.renew = () => undefined;
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, answer.body, answer.field("www-authenticate")]).toEqual([
      401,
      "refused",
      "Bearer",
    ]);
    expect(answer.field("proxy-status")).toBeUndefined();
    expect(tokens()).toEqual(["Bearer token-1"]);
  });

  it("to a HEAD passes when no newer token can be had", async () => {
    const { stack, proxy, source } = await setup();
    await using _ = stack;
    source.renew = () => undefined;
    const client = await connectRaw(proxy.port);
    client.send(head("HEAD /api/a", "Connection: close"));
    await client.closed();
    expect(client.buffered()).toMatch(/^HTTP\/1\.1 401 /);
  });

  it("with a large body passes whole when no newer token can be had", async () => {
    const large = "x".repeat(300_000);
    const { stack, proxy, source } = await setup({}, (response) => void response.writeHead(401).end(large));
    await using _ = stack;
    source.renew = () => undefined;
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect(answer.status).toBe(401);
    expect(answer.body.length).toBe(large.length);
  });

  it("with a body without end does not hold the replay up, nor its socket", async () => {
    const { stack, proxy, upstream } = await setup({}, (response) => {
      response.writeHead(401);
      const pour = (): void => {
        while (!response.destroyed && response.write("x".repeat(65_536)));
        response.once("drain", pour);
      };
      pour();
    });
    await using _ = stack;
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, answer.body]).toEqual([200, "served"]);
    await eventually(() => upstream.sockets.size <= 1);
  });

  it.each([
    ["POST with a body", post("booking")],
    ["POST without one", head("POST /api/a")],
    ["DELETE", head("DELETE /api/a")],
    ["GET with a body", `${head("GET /api/a", "Content-Length: 2")}{}`],
  ])("to a %s under `safe` passes, and the token is dropped", async (_name, request) => {
    const { stack, proxy, source, tokens } = await setup();
    await using _ = stack;
    const answer = await roundTrip(proxy.port, request);
    expect(answer.status).toBe(401);
    expect(tokens()).toEqual(["Bearer token-1"]);
    expect(source.invalidated).toEqual(["Bearer token-1"]);
    expect(proxy.told.events).toContain("unauthorized api passed");
  });

  it.each([
    ["Content-Length", post("booking")],
    ["chunks", `${head("POST /api/a", "Transfer-Encoding: chunked")}3\r\nboo\r\n4\r\nking\r\n0\r\n\r\n`],
  ])("to a POST with %s under `buffered` is replayed with its whole body", async (_name, request) => {
    const { stack, proxy, bodies } = await setup({ replayOn401: "buffered" });
    await using _ = stack;
    const answer = await roundTrip(proxy.port, request);
    expect([answer.status, answer.body]).toEqual([200, "served"]);
    expect(bodies).toEqual(["booking", "booking"]);
  });

  it.each([
    ["Content-Length", post("too large to keep")],
    ["chunks", `${head("POST /api/a", "Transfer-Encoding: chunked")}11\r\ntoo large to keep\r\n0\r\n\r\n`],
  ])(
    "to a POST with %s under `buffered` passes when the body was too large to keep",
    async (_name, request) => {
      const { stack, proxy, bodies } = await setup({ replayOn401: "buffered", maxReplayBodyBytes: 16 });
      await using _ = stack;
      expect((await roundTrip(proxy.port, request)).status).toBe(401);
      expect(bodies).toEqual(["too large to keep"]);
    },
  );

  it("that comes before the body was whole is not replayed with half of it", async () => {
    await using upstream = await startUpstream((_request, response) => plain401(response));
    const source = createScriptedSource();
    source.renew = () => "token-2";
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, credential: aCredential(), replayOn401: "buffered" })],
      source: () => source,
    });
    const client = await connectRaw(proxy.port);
    client.send(`${head("POST /api/a", "Content-Length: 10")}half `);
    expect((await client.answer()).status).toBe(401);
    expect(upstream.requests.length).toBe(1);
    client.socket.destroy();
  });

  it("under `off` passes, and the token is dropped", async () => {
    const { stack, proxy, source, tokens } = await setup({ replayOn401: "off" });
    await using _ = stack;
    expect((await roundTrip(proxy.port, head("GET /api/a"))).status).toBe(401);
    expect(tokens()).toEqual(["Bearer token-1"]);
    expect(source.invalidated).toEqual(["Bearer token-1"]);
  });

  it("is the only status that is replayed: 403 passes and drops nothing", async () => {
    const { stack, proxy, source, tokens } = await setup(
      {},
      (response) => void response.writeHead(403).end(),
    );
    await using _ = stack;
    expect((await roundTrip(proxy.port, head("GET /api/a"))).status).toBe(403);
    expect(tokens()).toEqual(["Bearer token-1"]);
    expect(source.invalidated).toEqual([]);
  });

  it("passes on a route that injects nothing", async () => {
    const { stack, proxy, upstream } = await setup({ credential: undefined });
    await using _ = stack;
    expect((await roundTrip(proxy.port, head("GET /api/a"))).status).toBe(401);
    expect(upstream.requests.length).toBe(1);
  });

  it("is forgotten with a caller that leaves while the token is renewed", async () => {
    const { stack, proxy, upstream, source } = await setup();
    await using _ = stack;
    const renewal = Promise.withResolvers<string>();
    source.renew = () => renewal.promise;
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await eventually(() => source.invalidated.length === 1);
    client.socket.resetAndDestroy();
    await upstream.idle();
    renewal.resolve("token-2");
    await eventually(() => proxy.told.events.some((event) => event.startsWith("finished")));
    expect(upstream.requests.length).toBe(1);
    expect(proxy.told.events).toContain("finished api GET 499");
  });

  it("with an answer that breaks off while the token is renewed does not reach the caller as a whole one", async () => {
    const renewal = Promise.withResolvers<undefined>();
    const { stack, proxy, source, upstream } = await setup({}, (response) => {
      response.writeHead(401, { "content-length": "1000" });
      response.write("half", () => setImmediate(() => response.destroy()));
    });
    await using _ = stack;
    source.renew = () => renewal.promise as Promise<ScriptedSource["next"] & undefined>;
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await eventually(() => source.invalidated.length === 1);
    await upstream.idle();
    renewal.resolve(undefined);
    await client.closed();
    expect(client.buffered().length).toBeLessThan(1_000);
  });
});

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ProxyError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import {
  aCredential,
  aRoute,
  createScriptedSource,
  eventually,
  type RouteOptions,
  type RunningProxy,
  startProxy,
} from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { HANDSHAKE } from "../support/websocket-upstream.ts";

describe("a handshake that is refused", () => {
  let upstream: Upstream;
  let proxy: RunningProxy;
  let tokensAsked: number;
  beforeEach(async () => {
    tokensAsked = 0;
    upstream = await startUpstream((_request, response) => void response.end("plain"));
  });
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  async function start(
    route: Partial<RouteOptions> = {},
    options: Partial<Parameters<typeof startProxy>[0]> = {},
  ): Promise<void> {
    proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, upgrade: true, credential: aCredential(), ...route })],
      source: () =>
        createScriptedSource(() => {
          tokensAsked += 1;
          return "token-1";
        }),
      ...options,
    });
  }

  it.each([
    ["a Host that is not served", 403, "HOST_NOT_ALLOWED", ["Host: evil.example"]],
    ["a foreign Origin", 403, "ORIGIN_NOT_ALLOWED", ["Origin: https://evil.example"]],
    ["Origin null", 403, "ORIGIN_NOT_ALLOWED", ["Origin: null"]],
    ["another site by Fetch Metadata", 403, "ORIGIN_NOT_ALLOWED", ["Sec-Fetch-Site: cross-site"]],
    ["two Hosts", 400, "REQUEST_INVALID", ["Host: localhost", "Host: localhost"]],
    ["an unknown expectation", 417, "EXPECTATION_FAILED", ["Expect: tea"]],
    ["a body by length", 400, "REQUEST_INVALID", ["Content-Length: 3"]],
    ["a body in chunks", 400, "REQUEST_INVALID", ["Transfer-Encoding: chunked"]],
  ])("for %s is told so in HTTP, before any token and any dial", async (_what, status, code, fields) => {
    await start();
    const client = await connectRaw(proxy.port);
    client.send(`${head("GET /api/chat", ...HANDSHAKE, ...fields)}xyz`);
    const answer = await client.answer();
    expect({ status: answer.status, code: JSON.parse(answer.body).code }).toEqual({ status, code });
    expect(answer.field("content-type")).toBe("application/problem+json");
    expect(answer.field("proxy-status")).toContain(`details="${code}"`);
    expect(answer.field("connection")).toBe("close");
    await client.closed();
    expect(client.buffered()).toBe("");
    expect({ dialled: upstream.sockets.size, tokensAsked }).toEqual({ dialled: 0, tokensAsked: 0 });
    expect(proxy.told.events).toEqual([expect.stringContaining(`rejected ${code}`)]);
  });

  it("for its absolute form is told 400, whatever host it names", async () => {
    await start();
    const answer = await roundTrip(proxy.port, head("GET http://evil.example/api/chat", ...HANDSHAKE));
    expect({ status: answer.status, code: JSON.parse(answer.body).code }).toEqual({
      status: 400,
      code: "TARGET_INVALID",
    });
    expect(upstream.sockets.size).toBe(0);
  });

  it("for want of the access token is told 403, and nothing behind it is served", async () => {
    await start({}, { accessToken: new Secret("open sesame") });
    const client = await connectRaw(proxy.port);
    client.send(
      head("GET /api/chat", ...HANDSHAKE) + head("GET /api/b", "Authorization: Bearer open sesame"),
    );
    const answer = await client.answer();
    expect(JSON.parse(answer.body).code).toBe("ACCESS_TOKEN_REQUIRED");
    await client.closed();
    expect(client.buffered()).toBe("");
    expect(upstream.requests).toEqual([]);
  });

  it("by methods, deny and tenant gets the same answers as any request", async () => {
    await start({
      path: "/api/{tenant}/",
      credential: aCredential({ tenants: ["t1"] }),
      deny: ["GET /admin/*"],
    });
    const codes = await Promise.all(
      ["/api/t1/admin/x", "/api/t1/%61dmin/x", "/api/t2/a", "/other"].map(async (path) => {
        const answer = await roundTrip(proxy.port, head(`GET ${path}`, ...HANDSHAKE));
        return JSON.parse(answer.body).code;
      }),
    );
    expect(codes).toEqual(["OPERATION_DENIED", "OPERATION_DENIED", "TENANT_UNKNOWN", "ROUTE_NOT_FOUND"]);
    proxy.reload([aRoute({ upstream: upstream.origin, upgrade: true, methods: ["POST"] })]);
    const answer = await roundTrip(proxy.port, head("GET /api/a", ...HANDSHAKE));
    expect({ status: answer.status, allow: answer.field("allow") }).toEqual({ status: 405, allow: "POST" });
    expect(upstream.requests).toEqual([]);
  });

  it("for want of a token is told so, and the upstream hears nothing", async () => {
    await start(
      {},
      {
        source: () =>
          createScriptedSource(() => {
            throw new ProxyError("TOKEN_UNAVAILABLE", "none to be had", { retryAfterSeconds: 3 });
          }),
      },
    );
    const answer = await roundTrip(proxy.port, head("GET /api/chat", ...HANDSHAKE));
    expect({
      status: answer.status,
      code: JSON.parse(answer.body).code,
      retryAfter: answer.field("retry-after"),
    }).toEqual({ status: 503, code: "TOKEN_UNAVAILABLE", retryAfter: "3" });
    expect(upstream.sockets.size).toBe(0);
    await eventually(() => proxy.told.events.includes("finished api GET 503"));
  });

  it("beyond limits.connections is told 503 OVERLOADED", async () => {
    await start({}, { limits: { connections: 1 } });
    const first = await connectRaw(proxy.port);
    first.send(head("GET /api/a"));
    await first.answer();
    const answer = await roundTrip(proxy.port, head("GET /api/chat", ...HANDSHAKE));
    expect({ status: answer.status, code: JSON.parse(answer.body).code }).toEqual({
      status: 503,
      code: "OVERLOADED",
    });
    first.socket.destroy();
  });

  describe("is an ordinary request instead, without the fields of the upgrade,", () => {
    it.each<[string, string, Partial<RouteOptions>]>([
      ["on a route without `upgrade`", head("GET /api/chat", ...HANDSHAKE), { upgrade: false }],
      [
        "to h2c",
        head(
          "GET /api/chat",
          "Connection: Upgrade, HTTP2-Settings",
          "Upgrade: h2c",
          "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
        ),
        {},
      ],
      ["to TLS", head("GET /api/chat", "Connection: upgrade", "Upgrade: TLS/1.3, HTTP/1.1"), {}],
      ["to h2c drafts and h3", head("GET /api/chat", "Connection: upgrade", "Upgrade: h2c-14, H2C, h3"), {}],
      ["to what is no protocol", head("GET /api/chat", "Connection: Upgrade", "Upgrade: web socket"), {}],
      ["to nothing", head("GET /api/chat", "Connection: Upgrade", "Upgrade: "), {}],
      ["without `Connection: Upgrade`", head("GET /api/chat", "Upgrade: websocket"), {}],
      ["in HTTP/1.0", head("GET /api/chat", ...HANDSHAKE).replace("HTTP/1.1", "HTTP/1.0"), {}],
      ["by another method", head("DELETE /api/chat", ...HANDSHAKE), {}],
    ])("%s", async (_what, request, route) => {
      await start(route);
      const answer = await roundTrip(proxy.port, request);
      expect({ status: answer.status, body: answer.body }).toEqual({ status: 200, body: "plain" });
      expect(upstream.requests).toHaveLength(1);
      const { headers } = upstream.requests[0] ?? { headers: [] };
      expect(fieldValues(headers, "upgrade")).toEqual([]);
      expect(fieldValues(headers, "http2-settings")).toEqual([]);
      expect(fieldValues(headers, "connection").join().toLowerCase()).not.toContain("upgrade");
      expect(fieldValues(headers, "authorization")).toEqual(["Bearer token-1"]);
    });

    it("behind a request that waits for its answer", async () => {
      const held = Promise.withResolvers<void>();
      await upstream[Symbol.asyncDispose]();
      upstream = await startUpstream((request, response) => {
        if (request.url === "/slow") void held.promise.then(() => response.end("slow"));
        else response.end("plain");
      });
      await start();
      const client = await connectRaw(proxy.port);
      client.send(head("GET /api/slow") + head("GET /api/chat", ...HANDSHAKE));
      await eventually(() => upstream.requests.length === 2);
      held.resolve();
      expect([(await client.answer()).body, (await client.answer()).body]).toEqual(["slow", "plain"]);
      expect(upstream.requests.flatMap(({ headers }) => fieldValues(headers, "upgrade"))).toEqual([]);
      client.socket.destroy();
    });

    it.each([
      ["a request", head("GET /api/b"), ""],
      ["a body that looks like one", head("POST /api/b", "Content-Length: 37"), head("GET /api/evil")],
    ])("and the last on its connection, lest %s behind it be misread", async (_what, behind, further) => {
      await start({ upgrade: false });
      const client = await connectRaw(proxy.port);
      client.send(head("GET /api/chat", ...HANDSHAKE) + behind);
      await eventually(() => upstream.requests.length > 0);
      client.send(further);
      const answer = await client.answer();
      expect({ body: answer.body, connection: answer.field("connection") }).toEqual({
        body: "plain",
        connection: "close",
      });
      await client.closed();
      expect(client.buffered()).toBe("");
      expect(upstream.requests.map(({ url }) => url)).toEqual(["/chat"]);
    });
  });
});

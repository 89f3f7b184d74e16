import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ERROR_TABLE, type ErrorCode, ProxyError } from "../../src/core/errors.ts";
import { Secret } from "../../src/core/secret.ts";
import { createProblem, rawProblem, toProxyError } from "../../src/proxy/respond.ts";
import { aCredential, aRoute, eventually, type RunningProxy, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

/** The table of the product's contract. */
const STATUSES: Partial<Record<ErrorCode, number>> = {
  ROUTE_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  OPERATION_DENIED: 403,
  TENANT_REQUIRED: 400,
  TENANT_UNKNOWN: 404,
  TARGET_INVALID: 400,
  REQUEST_INVALID: 400,
  HEADERS_TOO_LARGE: 431,
  HOST_NOT_ALLOWED: 403,
  ORIGIN_NOT_ALLOWED: 403,
  ACCESS_TOKEN_REQUIRED: 403,
  EXPECTATION_FAILED: 417,
  TOKEN_UNAVAILABLE: 503,
  TOKEN_REJECTED: 502,
  UPSTREAM_UNREACHABLE: 502,
  UPSTREAM_PROTOCOL_ERROR: 502,
  UPSTREAM_TIMEOUT: 504,
  OVERLOADED: 503,
  SHUTTING_DOWN: 503,
  INTERNAL: 500,
};

describe("a problem of the proxy's own", () => {
  it.each(Object.entries(STATUSES) as [ErrorCode, number][])("%s is %i, in one shape", (code, status) => {
    const problem = createProblem(new ProxyError(code, "What went wrong.", { allow: "GET" }), "id-1");
    const field = (name: string) => fieldValues(problem.headers, name);
    expect(problem.status).toBe(status);
    expect(field("content-type")).toEqual(["application/problem+json"]);
    expect(field("proxy-status")).toEqual([
      `pillion; error=${ERROR_TABLE[code].proxyStatus}; details="${code}"`,
    ]);
    expect(field("content-length")).toEqual([String(Buffer.byteLength(problem.body))]);
    expect(field("cache-control")).toEqual(["no-store"]);
    expect(field("retry-after")).toEqual(status === 503 ? ["1"] : []);
    expect(field("allow")).toEqual(["GET"]);
    expect(JSON.parse(problem.body)).toEqual({
      type: expect.stringMatching(/^urn:pillion:problem:[a-z-]+$/),
      title: ERROR_TABLE[code].title,
      status,
      detail: "What went wrong.",
      code,
      request_id: "id-1",
    });
  });

  it("names the seconds after which to come again, rounded up", () => {
    const error = new ProxyError("TOKEN_UNAVAILABLE", "x", { retryAfterSeconds: 0.2 });
    expect(fieldValues(createProblem(error, "id").headers, "retry-after")).toEqual(["1"]);
  });

  it("as bytes is a whole answer that ends the connection", () => {
    const bytes = rawProblem(new ProxyError("REQUEST_INVALID", "x"), "id-1");
    expect(bytes).toMatch(/^HTTP\/1\.1 400 [^\r\n]+\r\nconnection: close\r\n/);
    expect(bytes.split("\r\n\r\n").length).toBe(2);
  });

  it("shows nothing of a surprise", () => {
    const error = toProxyError(new Error("secret-canary"));
    expect(error.code).toBe("INTERNAL");
    expect(rawProblem(error, "id-1")).not.toContain("secret-canary");
  });
});

describe("a request is refused before anything is dialled", () => {
  let upstream: Upstream;
  let proxy: RunningProxy;
  const token = new Secret("plainly-fake");
  beforeAll(async () => {
    upstream = await startUpstream((_request, response: ServerResponse) => {
      response.writeHead(200, {
        "access-control-allow-origin": "*",
        "access-control-allow-credentials": "true",
      });
      response.end("ok");
    });
    proxy = await startProxy({
      routes: [
        aRoute({
          upstream: upstream.origin,
          credential: aCredential(),
          methods: ["GET", "POST", "OPTIONS"],
          deny: ["POST /secret"],
        }),
        aRoute({ name: "open", path: "/open/", upstream: upstream.origin }),
      ],
      access: { origins: ["https://app.example"] },
      accessToken: token,
    });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  const access = "Pillion-Access: plainly-fake";
  it.each([
    ["a foreign Host", head("GET /api/a", "Host: evil.example", access), 403, "HOST_NOT_ALLOWED"],
    [
      "a foreign Host, before the target is looked at",
      head("GET /../a", "Host: evil.example"),
      403,
      "HOST_NOT_ALLOWED",
    ],
    [
      "a foreign origin",
      head("GET /api/a", "Origin: https://evil.example", access),
      403,
      "ORIGIN_NOT_ALLOWED",
    ],
    [
      "a foreign origin's upgrade",
      head("GET /api/a", "Connection: Upgrade", "Upgrade: websocket", "Origin: https://evil.example", access),
      403,
      "ORIGIN_NOT_ALLOWED",
    ],
    [
      "a foreign origin's preflight",
      head("OPTIONS /api/a", "Origin: https://evil.example", "Access-Control-Request-Method: GET"),
      403,
      "ORIGIN_NOT_ALLOWED",
    ],
    [
      "a cross-site fetch",
      head("GET /api/a", "Sec-Fetch-Site: cross-site", access),
      403,
      "ORIGIN_NOT_ALLOWED",
    ],
    [
      "a cross-site navigation to a route that injects",
      head(
        "GET /api/a",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
        access,
      ),
      403,
      "ORIGIN_NOT_ALLOWED",
    ],
    ["no access token", head("GET /api/a"), 403, "ACCESS_TOKEN_REQUIRED"],
    ["a wrong access token", head("GET /api/a", "Authorization: Bearer x"), 403, "ACCESS_TOKEN_REQUIRED"],
    [
      "a simple form without the access token",
      `${head("POST /api/a", "Content-Type: text/plain", "Content-Length: 1")}x`,
      403,
      "ACCESS_TOKEN_REQUIRED",
    ],
    ["no route", head("GET /other/a", access), 404, "ROUTE_NOT_FOUND"],
    ["another method", head("DELETE /api/a", access), 405, "METHOD_NOT_ALLOWED"],
    ["a denied operation", head("POST /api/secret", "Content-Length: 0", access), 403, "OPERATION_DENIED"],
    [
      "a denied operation, encoded",
      head("POST /api/se%63ret", "Content-Length: 0", access),
      403,
      "OPERATION_DENIED",
    ],
  ])("%s", async (_what, request, status, code) => {
    const answer = await roundTrip(proxy.port, request);
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code]);
    expect(answer.field("content-type")).toBe("application/problem+json");
    expect(answer.field("proxy-status")).toContain(`details="${code}"`);
    expect(answer.field("access-control-allow-origin")).toBeUndefined();
    if (status === 405) expect(answer.field("allow")).toBe("GET, POST, OPTIONS");
    expect(upstream.requests).toEqual([]);
    expect(upstream.sockets.size).toBe(0);
  });

  it("and a kept connection serves the next one, body or not", async () => {
    const client = await connectRaw(proxy.port);
    client.send(`${head("POST /other", "Content-Length: 4", access)}body`);
    expect((await client.answer()).status).toBe(404);
    client.send(`${head("POST /other", "Transfer-Encoding: chunked", access)}4\r\nbody\r\n0\r\n\r\n`);
    expect((await client.answer()).status).toBe(404);
    client.send(head("HEAD /other", access));
    client.send(head("GET /other", access));
    await eventually(() => client.buffered().split("HTTP/1.1 404").length === 3);
    client.socket.destroy();
  });

  it("while the proxy shuts down", async () => {
    await using closing = await startProxy({
      routes: [],
      refusal: () => new ProxyError("SHUTTING_DOWN", "The proxy is shutting down."),
    });
    const answer = await roundTrip(closing.port, head("GET /api/a"));
    expect([answer.status, answer.field("connection")]).toEqual([503, "close"]);
  });

  it("and is counted with its route, where it had one", async () => {
    proxy.told.events.length = 0;
    await roundTrip(proxy.port, head("GET /other", access));
    await roundTrip(proxy.port, head("DELETE /api/a", access));
    expect(proxy.told.events).toEqual([
      "rejected ROUTE_NOT_FOUND - GET 404",
      "rejected METHOD_NOT_ALLOWED api DELETE 405",
    ]);
  });

  it("unless it is a cross-site navigation to a route that injects nothing", async () => {
    const fields = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    expect((await roundTrip(proxy.port, head("GET /open/a", ...fields, access))).status).toBe(200);
  });

  describe("a listed origin", () => {
    const origin = "Origin: https://app.example";

    it("gets its preflight answered here, without the access token, and no grant for private networks", async () => {
      const seen = upstream.requests.length;
      const answer = await roundTrip(
        proxy.port,
        head(
          "OPTIONS /api/a",
          origin,
          "Access-Control-Request-Method: POST",
          "Access-Control-Request-Headers: content-type, pillion-access",
          "Access-Control-Request-Private-Network: true",
        ),
      );
      expect(answer.status).toBe(204);
      expect(answer.field("access-control-allow-origin")).toBe("https://app.example");
      expect(answer.field("access-control-allow-methods")).toBe("GET, POST, OPTIONS");
      expect(answer.field("access-control-allow-headers")).toBe("content-type, pillion-access");
      expect(answer.field("access-control-allow-private-network")).toBeUndefined();
      expect(upstream.requests.length).toBe(seen);
    });

    it("gets that origin exactly on answers, and nothing of the upstream's grants", async () => {
      const answer = await roundTrip(
        proxy.port,
        head("GET /api/a", origin, "Sec-Fetch-Site: cross-site", access),
      );
      expect(fieldValues(answer.headers, "access-control-allow-origin")).toEqual(["https://app.example"]);
      expect(answer.field("access-control-allow-credentials")).toBeUndefined();
      expect(fieldValues(answer.headers, "vary")).toContain("origin");
      const { headers } = upstream.requests.at(-1) ?? { headers: [] };
      expect(fieldValues(headers, "pillion-access")).toEqual([]);
      expect(fieldValues(headers, "authorization")).toEqual(["Bearer token-app"]);
    });

    it("can read the proxy's own problems as well", async () => {
      const answer = await roundTrip(proxy.port, head("GET /api/a", origin));
      expect(answer.status).toBe(403);
      expect(answer.field("access-control-allow-origin")).toBe("https://app.example");
    });
  });

  it("and nobody else gets a grant, though the upstream gives one", async () => {
    const answer = await roundTrip(proxy.port, head("GET /api/a", access));
    expect(answer.status).toBe(200);
    expect(answer.headers.join().toLowerCase()).not.toContain("access-control-");
  });
});

describe("X-Request-Id", () => {
  it.each([
    ["is kept", ["X-Request-Id: abc-123"], /^abc-123$/],
    ["is made", [], /^[0-9a-f-]{36}$/],
    ["is made anew where it is too long", [`X-Request-Id: ${"x".repeat(129)}`], /^[0-9a-f-]{36}$/],
    ["is made anew where it is two", ["X-Request-Id: a", "X-Request-Id: b"], /^[0-9a-f-]{36}$/],
  ])("%s, and is the same upstream, in problems and in the log", async (_what, fields, expected) => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    await roundTrip(proxy.port, head("GET /api/a", ...fields, "traceparent: 00-abc-def-01"));
    const { headers } = upstream.requests[0] ?? { headers: [] };
    const [sent = ""] = fieldValues(headers, "x-request-id");
    expect(sent).toMatch(expected);
    expect(fieldValues(headers, "traceparent")).toEqual(["00-abc-def-01"]);
    await eventually(() => proxy.told.log.some(({ event }) => event === "request"));
    expect(proxy.told.log.at(-1)?.fields).toMatchObject({ request_id: sent, trace_id: "abc", status: 200 });
    const refused = await roundTrip(proxy.port, head("GET /other", ...fields));
    expect(JSON.parse(refused.body).request_id).toMatch(expected);
    expect(refused.field("x-request-id")).toBe(JSON.parse(refused.body).request_id);
  });
});

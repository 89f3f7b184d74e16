import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectProblem } from "./support/expectations.ts";
import { exchangeRaw, send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

describe("errors that the proxy makes", () => {
  let upstream: Upstream;
  let silent: Server;
  let babbling: Server;
  let pillion: Serving;
  beforeAll(async () => {
    upstream = await startUpstream();
    silent = createServer(() => {}).listen(0, "127.0.0.1");
    babbling = createServer((socket) => void socket.end("220 smtp.example ESMTP\r\n")).listen(0, "127.0.0.1");
    const closed = createServer().listen(0, "127.0.0.1");
    await Promise.all([once(silent, "listening"), once(babbling, "listening"), once(closed, "listening")]);
    const port = (server: Server): number => (server.address() as AddressInfo).port;
    const down = port(closed);
    closed.close();
    pillion = await serve(`
limits: { headers: 50, header_bytes: 8KiB }
routes:
  - { name: ok, path: /ok/, credential: none, upstream: "${upstream.origin}/", methods: [GET, POST] }
  - { name: down, path: /down/, credential: none, upstream: "http://127.0.0.1:${down}/" }
  - { name: silent, path: /silent/, credential: none, upstream: "http://127.0.0.1:${port(silent)}/", timeouts: { headers: 200ms } }
  - { name: babbling, path: /babbling/, credential: none, upstream: "http://127.0.0.1:${port(babbling)}/" }
`);
  });
  afterAll(async () => {
    await pillion.stop();
    silent.close();
    babbling.close();
    await upstream.close();
  });

  it("ROUTE_NOT_FOUND for a path that no route has", async () => {
    expectProblem(await send(`${pillion.origin}/elsewhere`), 404, "ROUTE_NOT_FOUND");
    expectProblem(await send(`${pillion.origin}/okay/`), 404, "ROUTE_NOT_FOUND");
  });

  it("METHOD_NOT_ALLOWED with Allow for a method that the route does not take", async () => {
    const reply = await send(`${pillion.origin}/ok/x`, { method: "DELETE" });
    expectProblem(reply, 405, "METHOD_NOT_ALLOWED");
    expect(reply.headers.allow?.split(/, ?/).sort()).toEqual(["GET", "POST"]);
  });

  it("METHOD_NOT_ALLOWED for TRACE and CONNECT on every route", async () => {
    expectProblem(await send(`${pillion.origin}/down/x`, { method: "TRACE" }), 405, "METHOD_NOT_ALLOWED");
    const answer = await exchangeRaw(
      pillion.origin,
      "CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d [\s\S]*"code":"(METHOD_NOT_ALLOWED|TARGET_INVALID)"/);
  });

  it.each([
    "/ok/../down/x",
    "/ok/%2e%2e/down/x",
    "/ok/.%2E/x",
    "/ok/./x",
    "/ok/a%2fb",
    "/ok/a%5Cb",
    "/ok/a\\b",
    "//ok/x",
    "/ok/x%00",
    "/ok/x%0d%0a",
    "http://localhost/ok/x",
    "*",
  ])("TARGET_INVALID for %s, and nothing is sent on", async (target) => {
    const before = upstream.requests.length;
    const { host } = new URL(pillion.origin);
    const answer = await exchangeRaw(
      pillion.origin,
      `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toMatch(/proxy-status: pillion; error=\w+; details="TARGET_INVALID"/i);
    expect(upstream.requests.length).toBe(before);
  });

  it.each([
    ["two lengths", "Content-Length: 3\r\nContent-Length: 4"],
    ["a length and chunks", "Content-Length: 3\r\nTransfer-Encoding: chunked"],
    ["a doubtful coding", "Transfer-Encoding: gzip, chunked"],
    ["two hosts", "Host: localhost"],
    ["a broken field", "Broken"],
  ])("REQUEST_INVALID for %s", async (_name, field) => {
    const before = upstream.requests.length;
    const answer = await exchangeRaw(
      pillion.origin,
      `POST /ok/x HTTP/1.1\r\nHost: localhost\r\n${field}\r\n\r\nabc`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"REQUEST_INVALID"/);
    expect(answer.match(/^HTTP\/1\.1 /gm)).toHaveLength(1);
    expect(upstream.requests.length).toBe(before);
  });

  it("HEADERS_TOO_LARGE for more fields, or more bytes of them, than the limits allow", async () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`X-${index}`, "1"]));
    expectProblem(await send(`${pillion.origin}/ok/x`, { headers: many }), 431, "HEADERS_TOO_LARGE");
    const long = { "X-Long": "x".repeat(9_000) };
    expectProblem(await send(`${pillion.origin}/ok/x`, { headers: long }), 431, "HEADERS_TOO_LARGE");
  });

  it("EXPECTATION_FAILED for an expectation that nobody knows", async () => {
    const reply = await send(`${pillion.origin}/ok/x`, { method: "POST", headers: { Expect: "a-miracle" } });
    expectProblem(reply, 417, "EXPECTATION_FAILED");
  });

  it("UPSTREAM_UNREACHABLE with the kind of failure for an upstream that is down", async () => {
    const reply = await send(`${pillion.origin}/down/x`);
    expectProblem(reply, 502, "UPSTREAM_UNREACHABLE");
    expect(reply.headers["proxy-status"]).toBe(
      'pillion; error=connection_refused; details="UPSTREAM_UNREACHABLE"',
    );
  });

  it("UPSTREAM_TIMEOUT for an upstream that says nothing in time", async () => {
    expectProblem(await send(`${pillion.origin}/silent/x`), 504, "UPSTREAM_TIMEOUT");
  });

  it("UPSTREAM_PROTOCOL_ERROR for an upstream that speaks something else", async () => {
    expectProblem(await send(`${pillion.origin}/babbling/x`), 502, "UPSTREAM_PROTOCOL_ERROR");
  });

  it("carry the caller's request id, and have no body for HEAD", async () => {
    const headers = { "X-Request-Id": "from-the-app-2" };
    const reply = await send(`${pillion.origin}/nowhere`, { headers });
    expect(reply.json.request_id).toBe("from-the-app-2");
    const head = await send(`${pillion.origin}/nowhere`, { method: "HEAD", headers });
    expect(head.status).toBe(404);
    expect(head.body.length).toBe(0);
  });
});

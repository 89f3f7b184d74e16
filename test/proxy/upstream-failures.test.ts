import { describe, expect, it } from "vitest";
import { aRoute, eventually, type RouteOptions, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { closedPort, startRawUpstream, startUpstream } from "../support/upstream.ts";

const proxyTo = (upstream: URL, options: Partial<RouteOptions> = {}) =>
  startProxy({ routes: [aRoute({ upstream, ...options })] });

const timeouts = { connectMs: 5_000, headersMs: 30_000, idleMs: 60_000 };

describe("U02, U04: an upstream that cannot be used becomes a problem of the proxy's own", () => {
  it("refused connection: 502", async () => {
    await using proxy = await proxyTo(new URL(`http://127.0.0.1:${await closedPort()}/`));
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect(answer.status).toBe(502);
    expect(answer.field("content-type")).toBe("application/problem+json");
    expect(answer.field("proxy-status")).toBe(
      'pillion; error=connection_refused; details="UPSTREAM_UNREACHABLE"',
    );
    expect(JSON.parse(answer.body)).toMatchObject({ code: "UPSTREAM_UNREACHABLE", status: 502 });
  });

  it("a name that does not resolve: 502, dns_error", async () => {
    await using proxy = await proxyTo(new URL("http://nowhere.invalid/"));
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect(answer.status).toBe(502);
    expect(answer.field("proxy-status")).toContain("error=dns_error");
  });

  it("a connection that is not made in time: 504", async () => {
    // TCP is there at once, but a TLS handshake never gets an answer.
    await using upstream = await startRawUpstream(() => {});
    const silent = new URL(`https://127.0.0.1:${upstream.origin.port}/`);
    await using proxy = await proxyTo(silent, { timeouts: { ...timeouts, connectMs: 300 } });
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([504, "UPSTREAM_TIMEOUT"]);
    expect(answer.field("proxy-status")).toContain("error=connection_timeout");
    await upstream.idle();
  });

  it("headers that never come: 504, and the upstream's socket is closed", async () => {
    await using upstream = await startRawUpstream(() => {});
    await using proxy = await proxyTo(upstream.origin, { timeouts: { ...timeouts, headersMs: 300 } });
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([504, "UPSTREAM_TIMEOUT"]);
    expect(answer.field("proxy-status")).toContain("error=http_response_timeout");
    await upstream.idle();
  });

  it("an answer that stalls is cut off", async () => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    });
    await using proxy = await proxyTo(upstream.origin, { timeouts: { ...timeouts, idleMs: 300 } });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await client.closed();
    expect(client.buffered()).toContain("4\r\nhalf\r\n");
    expect(client.buffered()).not.toContain("0\r\n\r\n");
  });

  it.each([
    ["not HTTP at all", "okHTTP/1.1 200 OK\r\n\r\n"],
    [
      "both framings",
      "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n4\r\nEVIL\r\n0\r\n\r\n",
    ],
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 4\r\n\r\nEVIL"],
    ["bare line feeds", "HTTP/1.1 200 OK\ncontent-length: 2\n\nok"],
    ["an unasked upgrade", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"],
    ["a status below 100", "HTTP/1.1 099 Odd\r\ncontent-length: 2\r\n\r\nok"],
    ["a head of 70 KiB", `HTTP/1.1 200 OK\r\nx: ${"x".repeat(70_000)}\r\n\r\n`],
  ])("%s: 502 UPSTREAM_PROTOCOL_ERROR", async (_name, bytes) => {
    await using upstream = await startRawUpstream((socket) => void socket.end(bytes, "latin1"));
    await using proxy = await proxyTo(upstream.origin);
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "UPSTREAM_PROTOCOL_ERROR"]);
    expect(answer.field("proxy-status")).toContain("error=http_protocol_error");
    expect(answer.body).not.toContain("EVIL");
  });

  it("a reset before any answer: 502, and no second try on a fresh connection", async () => {
    let requests = 0;
    await using upstream = await startRawUpstream((socket) => {
      requests += 1;
      socket.resetAndDestroy();
    });
    await using proxy = await proxyTo(upstream.origin);
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "UPSTREAM_UNREACHABLE"]);
    expect(requests).toBe(1);
  });

  it("a status line broken off: 502, and no second try", async () => {
    let requests = 0;
    await using upstream = await startRawUpstream((socket) => {
      requests += 1;
      socket.end("HTTP/1.1 20");
    });
    await using proxy = await proxyTo(upstream.origin);
    expect((await roundTrip(proxy.port, head("GET /api/a"))).status).toBe(502);
    expect(requests).toBe(1);
  });
});

describe("U01: an answer that the upstream breaks off is broken off for the caller too", () => {
  it.each([
    ["a reset in the middle of chunks", true, "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    ["chunks that end without the last one", false, "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
    ["fewer bytes than Content-Length says", false, "content-length: 100\r\n\r\nhalf"],
  ])("%s", async (_name, resets, rest) => {
    await using upstream = await startRawUpstream((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${rest}`, () => {
        if (resets) setImmediate(() => socket.resetAndDestroy());
        else socket.end();
      });
    });
    await using proxy = await proxyTo(upstream.origin);
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await client.closed();
    expect(client.buffered()).not.toContain("0\r\n\r\n");
    expect(client.buffered()).not.toMatch(/half.{96}/s);
    await eventually(() => proxy.told.log.some(({ event }) => /answer_truncated|request_failed/.test(event)));
  });
});

describe("U02: a kept connection that the upstream has closed", () => {
  /** Answers the first request of each connection, and breaks the connection when the second comes. */
  const oncePerConnection = (end: "reset" | "end") => {
    const served = new Map<number, number>();
    const requests: string[] = [];
    const upstream = startRawUpstream((socket, text, connection) => {
      requests.push(text.split(" ", 1)[0] ?? "");
      const count = (served.get(connection) ?? 0) + 1;
      served.set(connection, count);
      if (count === 1) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      else if (end === "reset") socket.resetAndDestroy();
      else socket.end();
    });
    return { upstream, requests };
  };

  it.each(["reset", "end"] as const)("is replaced for a request that can be repeated (%s)", async (end) => {
    const { upstream: starting, requests } = oncePerConnection(end);
    await using upstream = await starting;
    await using proxy = await proxyTo(upstream.origin);
    expect((await roundTrip(proxy.port, head("GET /api/a"))).status).toBe(200);
    expect((await roundTrip(proxy.port, head("GET /api/b"))).status).toBe(200);
    expect(requests).toEqual(["GET", "GET", "GET"]);
  });

  it.each([
    ["a POST", head("POST /api/b")],
    ["a PUT with a body", `${head("PUT /api/b", "Content-Length: 2")}{}`],
  ])("is not for %s", async (_name, request) => {
    const { upstream: starting, requests } = oncePerConnection("reset");
    await using upstream = await starting;
    await using proxy = await proxyTo(upstream.origin);
    expect((await roundTrip(proxy.port, head("GET /api/a"))).status).toBe(200);
    expect((await roundTrip(proxy.port, request)).status).toBe(502);
    expect(requests.length).toBe(2);
  });
});

describe("B07: a busy upstream", () => {
  it("gets no more sockets than the route's `connections`, and who waits too long gets 503", async () => {
    await using upstream = await startUpstream(() => {});
    await using proxy = await proxyTo(upstream.origin, {
      connections: 2,
      timeouts: { ...timeouts, headersMs: 400 },
    });
    const answers = await Promise.all([1, 2, 3, 4].map(() => roundTrip(proxy.port, head("GET /api/a"))));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([503, 503, 504, 504]);
    expect(answers.find(({ status }) => status === 503)?.field("retry-after")).toBe("1");
    expect(upstream.requests.length).toBe(2);
  });
});

import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { describe, expect, it } from "vitest";
import { createHttp2Routes } from "../support/http2-routes.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { aCredential, createScriptedSource, eventually, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

const { certificates, pem, tls, http2Route } = createHttp2Routes();

describe("http2: true", () => {
  it("speaks HTTP/2 where the upstream offers it, with the fields of HTTP/1.1 left behind", async () => {
    await using upstream = await startHttp2Upstream(pem, (stream) => {
      stream.respond({ ":status": 201, "x-a": "b", "set-cookie": ["a=1", "b=2"] });
      stream.end("hello");
    });
    await using proxy = await startProxy({
      routes: [http2Route(upstream.origin, { credential: aCredential() })],
    });
    const fields = ["Connection: X-Hop, keep-alive", "X-Hop: 1", "Keep-Alive: 5", "TE: trailers, gzip"];
    const others = ["Cookie: a=1", "cookie: b=2", "Content-Type: x/y", "content-type: z", "X-Eight: \xe9"];
    const answer = await roundTrip(proxy.port, head("GET /api/a?b=%7C", ...fields, ...others));
    expect([answer.status, answer.body]).toEqual([201, "hello"]);
    expect(answer.field("x-a")).toBe("b");
    expect(fieldValues(answer.headers, "set-cookie")).toEqual(["a=1", "b=2"]);
    expect(answer.headers.filter((name) => name.startsWith(":"))).toEqual([]);
    const [request] = upstream.requests;
    expect(request).toMatchObject({
      ":path": "/a?b=%7C",
      ":authority": upstream.origin.host,
      authorization: "Bearer token-app",
      cookie: "a=1; b=2",
      "content-type": "x/y, z",
      te: "trailers",
      via: "1.1 pillion",
      "x-eight": "\xe9",
    });
    for (const name of ["host", "connection", "x-hop", "keep-alive"])
      expect(request).not.toHaveProperty(name);
  });

  it("falls back to HTTP/1.1 where the upstream has nothing else, and keeps to it", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("old"), pem);
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    for (let turn = 0; turn < 3; turn += 1)
      expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("old");
    expect(new Set(upstream.requests.map(({ socket }) => socket)).size).toBe(1);
  });

  it("asks again what the upstream speaks, when HTTP/1.1 can no longer be connected", async () => {
    const old = await startUpstream((_request, response) => response.end("old"), pem);
    await using proxy = await startProxy({ routes: [http2Route(old.origin)] });
    expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("old");
    await old[Symbol.asyncDispose]();
    expect((await roundTrip(proxy.port, head("GET /api/a"))).status).toBe(502);
    await using upstream = await startHttp2Upstream(
      pem,
      (stream) => stream.end("new"),
      Number(old.origin.port),
    );
    expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("new");
    expect(upstream.requests.length).toBe(1);
  });

  it("is HTTP/1.1 where there is no TLS", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("plain"));
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("plain");
  });

  it("refuses a certificate that it cannot verify", async () => {
    await using upstream = await startHttp2Upstream(pem, (stream) => stream.end("no"));
    await using proxy = await startProxy({
      routes: [http2Route(upstream.origin, { connection: { tls: undefined, httpProxy: undefined } })],
    });
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "UPSTREAM_UNREACHABLE"]);
    expect(answer.field("proxy-status")).toContain("error=tls_certificate_error");
    expect(upstream.requests).toEqual([]);
  });

  it("shows a client certificate", async () => {
    const verified = { requestCert: true, ca: readFileSync(certificates.caFile), rejectUnauthorized: true };
    await using upstream = await startHttp2Upstream({ ...pem, ...verified }, (stream) => stream.end("in"));
    const { certFile: cert, keyFile: key } = certificates.client;
    await using proxy = await startProxy({
      routes: [
        http2Route(upstream.origin, { connection: { tls: { ...tls, cert, key }, httpProxy: undefined } }),
      ],
    });
    expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("in");
  });

  it("carries many requests at once on one connection", async () => {
    const held: (() => void)[] = [];
    await using upstream = await startHttp2Upstream(pem, (stream, { ":path": path }) => {
      held.push(() => stream.end(path));
      if (held.length === 50) for (const answer of held) answer();
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const bodies = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        const answer = await roundTrip(proxy.port, head(`GET /api/${index}`));
        return answer.body;
      }),
    );
    expect(bodies).toEqual(bodies.map((_, index) => `/${index}`));
    expect(upstream.connections()).toBe(1);
  });

  it("opens further connections, up to `connections`, where a peer takes few streams; others wait", async () => {
    const held: (() => void)[] = [];
    await using upstream = await startHttp2Upstream(
      { ...pem, settings: { maxConcurrentStreams: 2 } },
      (stream) => void held.push(() => stream.end("ok")),
    );
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin, { connections: 2 })] });
    const answers = Array.from({ length: 6 }, () => roundTrip(proxy.port, head("GET /api/a")));
    await eventually(() => held.length === 4);
    expect(upstream.connections()).toBe(2);
    for (const answer of held.splice(0)) answer();
    await eventually(() => held.length === 2);
    for (const answer of held.splice(0)) answer();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(6).fill(200));
    expect(upstream.connections()).toBe(2);
  });

  it("shares no connection between tenants", async () => {
    await using upstream = await startHttp2Upstream(pem, (stream) => stream.end("ok"));
    const credential = aCredential({ tenants: ["t1", "t2"] });
    await using proxy = await startProxy({
      routes: [http2Route(upstream.origin, { path: "/api/{tenant}/", credential })],
    });
    for (const tenant of ["t1", "t2", "t1"]) await roundTrip(proxy.port, head(`GET /api/${tenant}/a`));
    expect(upstream.requests.map(({ authorization }) => authorization)).toEqual([
      "Bearer token-t1",
      "Bearer token-t2",
      "Bearer token-t1",
    ]);
    expect(upstream.connections()).toBe(2);
  });

  it("repeats a refused request with a new token", async () => {
    await using upstream = await startHttp2Upstream(pem, (stream, { authorization }) => {
      stream.respond({ ":status": authorization === "Bearer new" ? 200 : 401 });
      stream.end(authorization);
    });
    const source = createScriptedSource("old");
    source.renew = () => "new";
    await using proxy = await startProxy({
      routes: [http2Route(upstream.origin, { credential: aCredential() })],
      source: () => source,
    });
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, answer.body]).toEqual([200, "Bearer new"]);
    expect(upstream.connections()).toBe(1);
  });

  it("closes its connections when the routes are exchanged", async () => {
    await using upstream = await startHttp2Upstream(pem, (stream) => stream.end("ok"));
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    await roundTrip(proxy.port, head("GET /api/a"));
    expect(upstream.sessions.size).toBe(1);
    proxy.reload([]);
    await eventually(() => upstream.sessions.size === 0);
  });

  it("gives up on answers that do not come, or stall, in time", async () => {
    await using upstream = await startHttp2Upstream(pem, (stream, { ":path": path }) => {
      if (path === "/never") return;
      stream.respond();
      if (path === "/stalls") stream.write("half");
      else stream.end("ok");
    });
    const timeouts = { connectMs: 5_000, headersMs: 150, idleMs: 150 };
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin, { timeouts })] });
    const never = await roundTrip(proxy.port, head("GET /api/never"));
    expect([never.status, JSON.parse(never.body).code]).toEqual([504, "UPSTREAM_TIMEOUT"]);
    await expect(roundTrip(proxy.port, head("GET /api/stalls"))).rejects.toThrow("middle of an answer");
    expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("ok");
  });
});

describe("bodies over HTTP/2", () => {
  it("go both ways at their readers' pace, every byte of them", async () => {
    const chunk = Buffer.alloc(65_536, "pillion ");
    await using upstream = await startHttp2Upstream(pem, (stream) => {
      stream.respond();
      stream.pipe(stream);
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const call = httpRequest({ port: proxy.port, host: "127.0.0.1", path: "/api/a", method: "PUT" });
    const sent = createHash("sha256");
    let chunks = 0;
    const pour = (): void => {
      while (chunks < 320) {
        chunks += 1;
        sent.update(chunk);
        if (!call.write(chunk)) return void call.once("drain", pour);
      }
      call.end();
    };
    pour();
    const [answer] = await once(call, "response");
    // Nobody reads: what is on its way fills up, and the caller is stopped.
    for (let before = -1; before !== chunks; ) {
      before = chunks;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    expect(chunks).toBeLessThan(320);
    const received = createHash("sha256");
    for await (const piece of answer) received.update(piece);
    expect(received.digest("hex")).toBe(sent.digest("hex"));
  });

  it("without a length are whole also where they are taken by fits and starts", async () => {
    const bytes = 4 * 1_048_576;
    await using upstream = await startHttp2Upstream(pem, (stream) => stream.end(Buffer.alloc(bytes)));
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    for (let turn = 0; turn < 20; turn += 1) {
      const call = httpRequest({ port: proxy.port, host: "127.0.0.1", path: "/api/a" }).end();
      const [answer] = await once(call, "response");
      let received = 0;
      for await (const chunk of answer) {
        received += chunk.length;
        if (turn % 2 === 1) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(received).toBe(bytes);
    }
  });

  it("with a length keep it; a HEAD has its length and no body; 204 and 304 neither", async () => {
    await using upstream = await startHttp2Upstream(pem, (stream, headers) => {
      const length = headers["content-length"] ?? "none";
      const status = Number(headers["x-status"] ?? 200);
      stream.respond(
        { ":status": status, "x-length": length, "content-length": 5 },
        { endStream: status !== 200 },
      );
      if (status === 200) stream.end("fiver");
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const post = await roundTrip(proxy.port, `${head("POST /api/a", "Content-Length: 3")}abc`);
    expect([post.body, post.field("x-length"), post.field("content-length")]).toEqual(["fiver", "3", "5"]);
    const client = await connectRaw(proxy.port);
    client.send(head("HEAD /api/a") + head("GET /api/a", "X-Status: 304") + head("GET /api/last"));
    await eventually(() => client.buffered().endsWith("fiver"));
    expect(client.buffered().match(/HTTP\/1\.1 \d+/g)).toEqual([
      "HTTP/1.1 200",
      "HTTP/1.1 304",
      "HTTP/1.1 200",
    ]);
    expect(client.buffered().match(/fiver/g)?.length).toBe(1);
    client.socket.destroy();
  });

  it("end in trailers where the caller can be given them", async () => {
    await using upstream = await startHttp2Upstream(pem, (stream) => {
      stream.respond({ trailer: "grpc-status" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "set-cookie": "a=b" }));
      stream.end("ok");
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const answer = await roundTrip(proxy.port, head("GET /api/a", "TE: trailers"));
    expect([answer.body, answer.field("trailer"), answer.trailers]).toEqual([
      "ok",
      "grpc-status",
      ["grpc-status", "0"],
    ]);
    expect(upstream.requests[0]).toMatchObject({ te: "trailers" });
    const old = await connectRaw(proxy.port);
    old.send("GET /api/a HTTP/1.0\r\nHost: localhost\r\n\r\n");
    await old.closed();
    expect(old.buffered()).toMatch(/\r\n\r\nok$/);
    expect(old.buffered()).not.toMatch(/trailer|grpc/i);
  });

  it("follow interim answers; an unasked 100 stays behind", async () => {
    await using upstream = await startHttp2Upstream(pem, (stream) => {
      stream.additionalHeaders({ ":status": 100 });
      stream.additionalHeaders({ ":status": 103, link: ["</a.css>; rel=preload", "</b.js>; rel=preload"] });
      stream.respond();
      stream.end("ok");
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    const hints = await client.answer();
    expect([hints.status, hints.field("link")]).toEqual([103, "</a.css>; rel=preload, </b.js>; rel=preload"]);
    expect((await client.answer()).body).toBe("ok");
    client.socket.destroy();
  });

  it("wait for a 100 of the proxy's own; a final answer before the body stops it", async () => {
    const closed: string[] = [];
    await using upstream = await startHttp2Upstream(pem, (stream, { ":path": path }) => {
      stream.once("close", () => closed.push(path ?? ""));
      if (path === "/echo") {
        stream.respond();
        stream.pipe(stream);
        return;
      }
      stream.respond({ ":status": 413 });
      stream.end("too large");
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const client = await connectRaw(proxy.port);
    client.send(head("POST /api/echo", "Expect: 100-continue", "Content-Length: 4"));
    expect((await client.answer()).status).toBe(100);
    client.send("body");
    expect((await client.answer()).body).toBe("body");
    client.send(head("POST /api/large", "Content-Length: 52428800"));
    client.send("x".repeat(1_000_000));
    const answer = await client.answer();
    expect([answer.status, answer.body]).toEqual([413, "too large"]);
    client.socket.destroy();
    await eventually(() => closed.length === 2);
    expect((await roundTrip(proxy.port, head("GET /api/echo"))).status).toBe(200);
    expect(upstream.connections()).toBe(1);
  });

  it("of event streams pass event by event", async () => {
    let write = (_text: string): void => {};
    await using upstream = await startHttp2Upstream(pem, (stream) => {
      stream.respond({ "content-type": "text/event-stream" });
      write = (text) => void stream.write(text);
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/events"));
    await eventually(() => client.buffered().includes("text/event-stream"));
    for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
      write(event);
      await eventually(() => client.buffered().includes(event));
    }
    client.socket.destroy();
  });

  it("may come with a head of 1 500 fields", async () => {
    const many = Object.fromEntries(Array.from({ length: 1_500 }, (_, index) => [`x-${index}`, "a"]));
    await using upstream = await startHttp2Upstream(pem, (stream) => {
      stream.respond(many);
      stream.end("ok");
    });
    await using proxy = await startProxy({ routes: [http2Route(upstream.origin)] });
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect([answer.status, answer.headers.filter((name) => /^x-\d/.test(name)).length]).toEqual([200, 1_500]);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { aCredential, aRoute, type RunningProxy, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { readBody, startUpstream, type Upstream } from "../support/upstream.ts";

const CHUNKED = "Transfer-Encoding: chunked";
const post = (fields: readonly string[], body = "") => head("POST /api/a", ...fields) + body;
const get = (...fields: string[]) => head("GET /api/a", ...fields);

/** [what, bytes, status] */
const refused: readonly (readonly [string, string, number])[] = [
  ["both framings, CL.TE", post(["Content-Length: 6", CHUNKED], "0\r\n\r\nG"), 400],
  [
    "both framings, TE.CL",
    post(
      [CHUNKED, "Content-Length: 4"],
      "36\r\nGET /evil HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\nx=1\r\n0\r\n\r\n",
    ),
    400,
  ],
  ...[
    "xchunked",
    "identity",
    "chunked, gzip",
    "chunked, chunked",
    "\x0bchunked",
    "\xa0chunked",
    '"chunked"',
  ].map(
    (coding) =>
      [
        `Transfer-Encoding: ${coding}`,
        post(["Content-Length: 3", `Transfer-Encoding: ${coding}`], "abc"),
        400,
      ] as const,
  ),
  ["a blank before the colon", post(["Transfer-Encoding : chunked"], "0\r\n\r\n"), 400],
  ["a folded field", post(["Transfer-Encoding:\r\n chunked"], "0\r\n\r\n"), 400],
  ["gzip, chunked", post(["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"), 400],
  [",chunked", post(["Transfer-Encoding: ,chunked"], "0\r\n\r\n"), 400],
  ["Transfer-Encoding twice", post([CHUNKED, CHUNKED], "0\r\n\r\n"), 400],
  [
    "chunks in HTTP/1.0",
    `POST /api/a HTTP/1.0\r\nHost: localhost\r\n${CHUNKED}\r\nConnection: keep-alive\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ...["+3", "-1", "0x3", "3_0", "", "3 3", "18446744073709551619", "3\r\nContent-Length: 4", "3, 3"].map(
    (length) =>
      [`Content-Length: ${JSON.stringify(length)}`, post([`Content-Length: ${length}`], "abc"), 400] as const,
  ),
  ["content-length twice in two cases", post(["content-length: 3", "Content-Length: 3"], "abc"), 400],
  ...["0x3", "+3", "-1", " 3", "3 ", "0_3", "", "10000000000000003"].map(
    (size) =>
      [`chunk size ${JSON.stringify(size)}`, post([CHUNKED], `${size}\r\nabc\r\n0\r\n\r\n`), 400] as const,
  ),
  ...[
    "3\nabc\r\n0\r\n\r\n",
    "3;\nabc\r\n0\r\n\r\n",
    "2\r\r;a\r\n02\r\n0\r\n\r\n",
    "3\rXabc\r\n0\r\n\r\n",
  ].map((body) => [`chunk line ${JSON.stringify(body)}`, post([CHUNKED], body), 400] as const),
  ["bare line feeds", "GET /api/a HTTP/1.1\nHost: localhost\n\n", 400],
  ["a bare carriage return in a value", get("X: a\rTransfer-Encoding: chunked"), 400],
  ["a zero byte in a value", get("X: a\x00b"), 400],
  ["a control byte in a value", get("X: a\x01b"), 400],
  ["a field without a name", get(": v"), 400],
  ["a field without a colon", get("Foo"), 400],
  ["a first field that begins with a blank", "GET /api/a HTTP/1.1\r\n X: a\r\nHost: localhost\r\n\r\n", 400],
  ["no Host", "GET /api/a HTTP/1.1\r\n\r\n", 400],
  ["an empty Host", get("Host: "), 400],
  ["Host twice, the same", get("Host: localhost", "Host: localhost"), 400],
  ["Host twice, different", get("Host: localhost", "Host: evil.example"), 400],
  ["no version", "GET /api/a\r\n\r\n", 400],
  ["HTTP/1.2", "GET /api/a HTTP/1.2\r\nHost: localhost\r\n\r\n", 400],
  ["HTTP/2.0", "GET /api/a HTTP/2.0\r\nHost: localhost\r\n\r\n", 400],
  ["a head too large", get(`X: ${"x".repeat(17_000)}`), 431],
  ["a target too large", head(`GET /api/${"x".repeat(17_000)}`), 431],
  ["101 fields", get(...Array.from({ length: 100 }, () => "a: b")), 431],
  [
    "1 100 fields and a hidden framing",
    head("GET /api/a", ...Array.from({ length: 1_100 }, () => "a:b"), CHUNKED),
    431,
  ],
  [
    "1 100 fields and a hidden length",
    head("DELETE /api/a", ...Array.from({ length: 1_100 }, () => "a:b"), "Content-Length: 39"),
    431,
  ],
  ["CONNECT", "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n", 405],
  ["TRACE", head("TRACE /api/a", "Max-Forwards: 0"), 405],
  ["an unknown method", head("BREW /api/a"), 400],
  ["absolute form", head("GET http://evil.example/api/a"), 400],
  [
    "absolute form with an upgrade",
    head("GET http://evil.example/api/a", "Connection: Upgrade", "Upgrade: websocket"),
    400,
  ],
  ["asterisk form", head("OPTIONS *"), 400],
  ["GET *", head("GET *"), 400],
  ["no slash in front", head("GET admin"), 400],
];

describe("what is not plainly one request", () => {
  let upstream: Upstream;
  let proxy: RunningProxy;
  beforeAll(async () => {
    upstream = await startUpstream(async (request, response) => void response.end(await readBody(request)));
    proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin, credential: aCredential() })] });
  });
  afterEach(async () => {
    // The proxy lives on, and what it was sent before is no part of the next message.
    const canary = await roundTrip(proxy.port, `${head("POST /api/canary", "Content-Length: 3")}abc`);
    expect([canary.status, canary.body]).toEqual([200, "abc"]);
    expect(upstream.requests.at(-1)?.url).toBe("/canary");
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  it("is refused without a reset, which would overtake the answer, though the caller goes on sending", async () => {
    const client = await connectRaw(proxy.port);
    const failures: Error[] = [];
    client.socket.on("error", (error) => failures.push(error)).setNoDelay(true);
    client.send("POST /api/a HTTP/1.1\r\n\r\n");
    await client.closed();
    for (let piece = 0; piece < 5; piece += 1) {
      await new Promise((resolve) => void client.socket.write("GET /api/evil HTTP/1.1\r\n\r\n", resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(failures).toEqual([]);
    expect((await client.answer()).status).toBe(400);
    expect(client.buffered()).toBe("");
    client.socket.destroy();
  });

  it.each(refused)(
    "is refused with one problem and the end of the connection: %s",
    async (_what, bytes, status) => {
      const seen = upstream.requests.filter(({ url }) => url !== "/canary" && url !== "/a").length;
      const client = await connectRaw(proxy.port);
      // A request behind it must not be served, whatever was made of the first.
      client.send(bytes + head("GET /api/evil"));
      const answer = await client.answer();
      expect(answer.status).toBe(status);
      expect(answer.field("content-type")).toBe("application/problem+json");
      expect(answer.field("proxy-status")).toMatch(/^pillion; error=[a-z_]+; details="[A-Z_]+"$/);
      if (status === 405) expect(answer.field("allow")).toMatch(/GET/);
      if (!bytes.startsWith("TRACE")) {
        await client.closed();
        expect(client.buffered()).toBe("");
      }
      client.socket.destroy();
      if (!bytes.startsWith("TRACE"))
        expect(upstream.requests.filter(({ url }) => url !== "/canary" && url !== "/a").length).toBe(seen);
    },
  );

  it.each(refused.filter(([what]) => !/too large|1 100|101 fields/.test(what)))(
    "is refused byte by byte as well: %s",
    async (_what, bytes, status) => {
      const client = await connectRaw(proxy.port);
      client.socket.setNoDelay(true);
      let gone = false;
      void client.closed().then(() => {
        gone = true;
      });
      for (const byte of bytes) {
        if (gone || client.buffered() !== "") break;
        await new Promise<void>((resolve) => client.socket.write(byte, "latin1", () => resolve()));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect((await client.answer()).status).toBe(status);
      client.socket.destroy();
    },
  );

  it("h2c is not upgraded to, and nothing of it goes on", async () => {
    const answer = await roundTrip(
      proxy.port,
      get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"),
    );
    expect(answer.status).toBe(200);
    const { headers } = upstream.requests.at(-1) ?? { headers: [] };
    for (const name of ["upgrade", "http2-settings"]) expect(fieldValues(headers, name)).toEqual([]);
    expect(fieldValues(headers, "connection")).toEqual(["keep-alive"]);
  });

  it("a chunk extension without end is refused", async () => {
    const client = await connectRaw(proxy.port);
    client.send(`${post([CHUNKED])}3;${"x".repeat(65_536)}\r\nabc\r\n0\r\n\r\n`);
    expect((await client.answer()).status).toBe(400);
    client.socket.destroy();
  });
});

describe("pipelined requests", () => {
  it("are answered in order, however long the first takes", async () => {
    const first = Promise.withResolvers<void>();
    await using upstream = await startUpstream(async ({ url }, response) => {
      if (url === "/1") await first.promise;
      response.end(url);
      if (url === "/3") first.resolve();
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/1") + head("GET /api/2") + head("GET /api/3"));
    for (const path of ["/1", "/2", "/3"]) expect((await client.answer()).body).toBe(path);
    client.socket.destroy();
  });

  it("before a bad one get their whole answers, and then comes the refusal", async () => {
    const first = Promise.withResolvers<void>();
    await using upstream = await startUpstream(async (_request, response) => {
      response.write("a good ");
      await first.promise;
      response.end("answer");
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(`${head("GET /api/1")}GET /evil\x01 HTTP/1.1\r\n\r\n`);
    await new Promise((resolve) => client.socket.once("data", resolve));
    first.resolve();
    const good = await client.answer();
    expect([good.status, good.body]).toEqual([200, "a good answer"]);
    expect((await client.answer()).status).toBe(400);
    await client.closed();
  });

  it("a body that turns bad takes its request down at the upstream, unterminated", async () => {
    let ended = false;
    await using upstream = await startUpstream((request) => {
      request.on("error", () => {});
      request.resume().once("end", () => {
        ended = true;
      });
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(`${post([CHUNKED])}3\r\nabc\r\n`);
    while (upstream.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    client.send("zz\r\n");
    expect((await client.answer()).status).toBe(400);
    await client.closed();
    await upstream.idle();
    expect(ended).toBe(false);
  });
});

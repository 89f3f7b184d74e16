import { describe, expect, it } from "vitest";
import {
  aCredential,
  aRoute,
  createScriptedSource,
  eventually,
  startProxy,
} from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { readBody, startRawUpstream, startUpstream } from "../support/upstream.ts";

const expecting = (...fields: readonly string[]) => head("POST /api/a", "Expect: 100-continue", ...fields);
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

describe("a request whose caller waits for 100 Continue", () => {
  it("reaches the upstream as any other: its own framing, one credential, no Expect", async () => {
    const bodies: string[] = [];
    await using upstream = await startUpstream(async (request, response) => {
      bodies.push(await readBody(request));
      response.end("ok");
    });
    const route = aRoute({ upstream: upstream.origin, credential: aCredential() });
    await using proxy = await startProxy({ routes: [route] });
    const client = await connectRaw(proxy.port);
    for (const [framing, body] of [
      ["Content-Length: 4", "body"],
      ["Transfer-Encoding: chunked", "4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n"],
    ] as const) {
      client.send(expecting(framing, "Authorization: Bearer evil", "Connection: X-Hop", "X-Hop: 1"));
      expect((await client.answer()).status).toBe(100);
      client.send(body);
      expect((await client.answer()).body).toBe("ok");
    }
    client.socket.destroy();
    expect(bodies).toEqual(["body", "body"]);
    const [sized, chunked] = upstream.requests.map(({ headers }) => headers);
    for (const headers of [sized ?? [], chunked ?? []]) {
      expect(fieldValues(headers, "authorization")).toEqual(["Bearer token-app"]);
      expect(fieldValues(headers, "host")).toEqual([upstream.origin.host]);
      for (const name of ["expect", "x-hop"]) expect(fieldValues(headers, name)).toEqual([]);
    }
    expect([
      fieldValues(sized ?? [], "content-length"),
      fieldValues(sized ?? [], "transfer-encoding"),
    ]).toEqual([["4"], []]);
    expect([
      fieldValues(chunked ?? [], "content-length"),
      fieldValues(chunked ?? [], "transfer-encoding"),
    ]).toEqual([[], ["chunked"]]);
  });

  it.each(["GET", "DELETE", "OPTIONS"])(
    "is one message also where its method is %s, which seldom has a body",
    async (method) => {
      await using upstream = await startUpstream(async (request, response) =>
        response.end(await readBody(request)),
      );
      await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
      const client = await connectRaw(proxy.port);
      const smuggled = "GET /evil HTTP/1.1\r\nHost: x\r\n\r\n";
      const size = smuggled.length.toString(16);
      client.send(expecting("Transfer-Encoding: chunked").replace("POST", method));
      client.send(`${size}\r\n${smuggled}\r\n0\r\n\r\n`);
      expect((await client.answer()).status).toBe(100);
      expect((await client.answer()).body).toBe(smuggled);
      client.socket.destroy();
      expect(upstream.requests.map(({ url }) => url)).toEqual(["/a"]);
    },
  );

  it("passes interim answers, and an unasked 100 as none", async () => {
    await using upstream = await startRawUpstream((socket, text) => {
      if (text.startsWith("POST"))
        socket.write(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${OK}`);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(expecting("Content-Length: 4"));
    for (const status of [100, 102, 200]) expect((await client.answer()).status).toBe(status);
    client.socket.destroy();
  });

  it.each([
    ["cut short", "HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf", "truncated"],
    ["no HTTP", "nonsense\r\n\r\n", "UPSTREAM_PROTOCOL_ERROR"],
    [
      "a head that is too large",
      `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(12_000)}\r\n`,
      "UPSTREAM_PROTOCOL_ERROR",
    ],
    ["an end without an answer", "", "UPSTREAM_UNREACHABLE"],
  ])("fails with an answer that is %s", async (_what, bytes, code) => {
    await using upstream = await startRawUpstream((socket) => void socket.end(bytes));
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(expecting("Content-Length: 4"));
    expect((await client.answer()).status).toBe(100);
    if (code === "truncated") {
      await client.closed();
      expect(client.buffered()).toMatch(/half$/);
      return;
    }
    const answer = await client.answer();
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, code]);
    client.socket.destroy();
  });

  it("gets no 100 where it has its answer before its turn comes, behind one that is not whole yet", async () => {
    let finish: (() => void) | undefined;
    await using upstream = await startRawUpstream((socket, text) => {
      if (text.includes("/slow")) finish = () => void socket.write(OK);
      else if (text.startsWith("POST")) socket.destroy();
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(`${head("GET /api/slow")}${expecting("Content-Length: 4")}`);
    await eventually(() => finish !== undefined && proxy.told.events.some((event) => /^failed/.test(event)));
    finish?.();
    expect((await client.answer()).body).toBe("ok");
    expect((await client.answer()).status).toBe(502);
    client.socket.destroy();
    expect((await roundTrip(proxy.port, head("GET /other"))).status).toBe(404);
  });

  it("has the route's time limits, once the caller has done its part", async () => {
    await using upstream = await startRawUpstream((socket, text) => {
      if (text.includes("/stalls")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf");
    });
    const timeouts = { connectMs: 5_000, headersMs: 150, idleMs: 150 };
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin, timeouts })] });
    const silent = await connectRaw(proxy.port);
    silent.send(`${expecting("Content-Length: 4")}body`);
    expect((await silent.answer()).status).toBe(100);
    const answer = await silent.answer();
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([504, "UPSTREAM_TIMEOUT"]);
    const stalled = await connectRaw(proxy.port);
    stalled.send(`${expecting("Content-Length: 4").replace("/api/a", "/api/stalls")}body`);
    await stalled.closed();
    expect(stalled.buffered()).toMatch(/half$/);
  });

  it("is given up with its caller, and leaves no connection", async () => {
    await using upstream = await startUpstream((request) => void request.on("error", () => {}));
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(`${expecting("Content-Length: 4")}bo`);
    await eventually(() => upstream.requests.length === 1);
    client.socket.resetAndDestroy();
    await upstream.idle();
    await eventually(() => proxy.told.events.includes("finished api POST 499"));
  });

  it("is repeated with a new token, where its body was kept", async () => {
    await using upstream = await startUpstream(async (request, response) => {
      const body = await readBody(request);
      response.statusCode = request.headers.authorization === "Bearer new" ? 200 : 401;
      response.end(body);
    });
    const source = createScriptedSource("old");
    source.renew = () => "new";
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, credential: aCredential(), replayOn401: "buffered" })],
      source: () => source,
    });
    const client = await connectRaw(proxy.port);
    client.send(expecting("Content-Length: 4"));
    expect((await client.answer()).status).toBe(100);
    client.send("body");
    const answer = await client.answer();
    expect([answer.status, answer.body]).toEqual([200, "body"]);
    client.socket.destroy();
  });

  it("waits its turn where the route allows no more connections, and then asks for the body", async () => {
    let most = 0;
    await using upstream = await startUpstream(async (request, response) => {
      most = Math.max(most, upstream.sockets.size);
      await readBody(request);
      response.end("ok");
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin, connections: 1 })] });
    await Promise.all(
      [1, 2, 3].map(async () => {
        const client = await connectRaw(proxy.port);
        client.send(expecting("Content-Length: 4"));
        expect((await client.answer()).status).toBe(100);
        client.send("body");
        expect((await client.answer()).body).toBe("ok");
        client.socket.destroy();
      }),
    );
    expect([most, upstream.requests.length]).toEqual([1, 3]);
    expect((await roundTrip(proxy.port, head("GET /api/b"))).status).toBe(200);
  });
});

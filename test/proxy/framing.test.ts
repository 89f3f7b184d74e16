import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aRoute, type RunningProxy, startProxy } from "../support/proxy-harness.ts";
import { type Answer, connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { readBody, startRawUpstream, startUpstream, type Upstream } from "../support/upstream.ts";

describe("a request's framing is made anew", () => {
  const bodies: string[] = [];
  let upstream: Upstream;
  let proxy: RunningProxy;
  beforeAll(async () => {
    upstream = await startUpstream(async (request, response) => {
      bodies.push(await readBody(request));
      response.end("ok");
    });
    proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  const chunked = "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
  it.each([
    ["POST with a length", `${head("POST /api/a", "Content-Length: 5")}abcde`, "abcde", ["5"], []],
    ["POST in chunks", head("POST /api/a", "Transfer-Encoding: chunked") + chunked, "abcde", [], ["chunked"]],
    ["POST without a body", head("POST /api/a"), "", ["0"], []],
    ["POST with an empty body", head("POST /api/a", "Content-Length: 0"), "", ["0"], []],
    ["GET without a body", head("GET /api/a"), "", [], []],
    ["GET with a length of 0", head("GET /api/a", "Content-Length: 0"), "", [], []],
    ["GET with a JSON body", `${head("GET /api/a", "Content-Length: 2")}{}`, "{}", ["2"], []],
    ["GET in chunks", head("GET /api/a", "Transfer-Encoding: chunked") + chunked, "abcde", [], ["chunked"]],
    [
      "DELETE in chunks",
      head("DELETE /api/a", "Transfer-Encoding: chunked") + chunked,
      "abcde",
      [],
      ["chunked"],
    ],
    [
      "OPTIONS in chunks",
      head("OPTIONS /api/a", "Transfer-Encoding: chunked") + chunked,
      "abcde",
      [],
      ["chunked"],
    ],
    [
      "PUT in mixed-case chunks",
      head("PUT /api/a", "Transfer-Encoding: Chunked") + chunked,
      "abcde",
      [],
      ["chunked"],
    ],
    [
      "POST with trailers, which are dropped",
      `${head("POST /api/a", "Transfer-Encoding: chunked")}3\r\nabc\r\n0\r\nAuthorization: Bearer evil\r\n\r\n`,
      "abc",
      [],
      ["chunked"],
    ],
  ])("%s", async (_name, request, body, lengths, encodings) => {
    const seen = upstream.requests.length;
    expect((await roundTrip(proxy.port, request)).body).toBe("ok");
    expect(bodies.at(-1)).toBe(body);
    const { headers } = upstream.requests[seen] ?? { headers: [] };
    expect(fieldValues(headers, "content-length")).toEqual(lengths);
    expect(fieldValues(headers, "transfer-encoding")).toEqual(encodings);
    expect(fieldValues(headers, "authorization")).toEqual([]);
    expect(upstream.requests.length).toBe(seen + 1);
  });

  it("so that a body that looks like a request stays a body", async () => {
    const smuggled = "GET /evil HTTP/1.1\r\nHost: x\r\n\r\n";
    const seen = upstream.requests.length;
    for (const method of ["GET", "DELETE", "OPTIONS", "HEAD"]) {
      await roundTrip(
        proxy.port,
        head(`${method} /api/a`, `Content-Length: ${smuggled.length}`, "Connection: close") + smuggled,
      ).catch(() => {});
    }
    expect(upstream.requests.slice(seen).map(({ url }) => url)).not.toContain("/evil");
  });
});

describe("U08: an answer without a body", () => {
  it.each([
    ["HEAD with a length", "HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "5"],
    [
      "HEAD in chunks",
      "HEAD",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n",
      undefined,
    ],
    ["HEAD with stray bytes", "HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nEVIL!", "5"],
    ["204 with a length", "GET", "HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\nEVIL", undefined],
    ["304 with a length", "GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\nEVIL", "4"],
  ])("%s leaves the connection in step", async (_name, method, bytes, length) => {
    await using upstream = await startRawUpstream((socket, text) => {
      if (text.includes("/next ")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext");
      else socket.write(bytes);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(head(`${method} /api/a`) + head("GET /api/next"));
    const first = await new Promise<string>((resolve) => {
      const look = (): void => {
        const end = client.buffered().indexOf("\r\n\r\n");
        if (end !== -1) resolve(client.buffered().slice(0, end));
        else client.socket.once("data", look);
      };
      look();
    });
    expect(first).toMatch(/^HTTP\/1\.1 (200|204|304) /);
    expect(/content-length: (\d+)/i.exec(first)?.[1]).toBe(length);
    while (!client.buffered().endsWith("next"))
      await new Promise((resolve) => client.socket.once("data", resolve));
    expect(client.buffered()).not.toContain("EVIL");
    client.socket.destroy();
  });
});

describe("an answer's body passes as it is", () => {
  const through = async (bytes: string): Promise<Answer> => {
    await using upstream = await startRawUpstream((socket) => void socket.end(bytes, "latin1"));
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    return await roundTrip(proxy.port, head("GET /api/a"));
  };

  it("compressed", async () => {
    const zipped = gzipSync("pillion".repeat(1_000)).toString("latin1");
    const answer = await through(
      `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${zipped.length}\r\n\r\n${zipped}`,
    );
    expect(answer.body).toBe(zipped);
    expect(answer.field("content-encoding")).toBe("gzip");
  });

  it("with 2 000 codings on it, which nobody undoes", async () => {
    const lines = "Content-Encoding: gzip\r\n".repeat(2_000);
    const answer = await through(`HTTP/1.1 200 OK\r\n${lines}content-length: 4\r\n\r\n\x1f\x8b\x08\x00`);
    expect(answer.body).toBe("\x1f\x8b\x08\x00");
    expect(fieldValues(answer.headers, "content-encoding").length).toBe(2_000);
  });

  it("up to the end of the connection, where nothing else ends it", async () => {
    expect((await through("HTTP/1.1 200 OK\r\n\r\nall of it")).body).toBe("all of it");
  });

  it("U07 with its trailers, but for those that steer or frame", async () => {
    const answer = await through(
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: grpc-status\r\n\r\n" +
        "2\r\nok\r\n0\r\ngrpc-status: 0\r\nset-cookie: a=b\r\ncontent-encoding: x\r\n\r\n",
    );
    expect(answer.body).toBe("ok");
    expect(answer.trailers).toEqual(["grpc-status", "0"]);
    expect(answer.field("trailer")).toBe("grpc-status");
  });

  it("to a caller of HTTP/1.0 without chunks, trailers, or news of them", async () => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { trailer: "x-sum" });
      response.write("old ");
      response.addTrailers({ "x-sum": "1" });
      response.end("style");
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send("GET /api/a HTTP/1.0\r\nHost: localhost\r\n\r\n");
    await client.closed();
    expect(client.buffered()).toMatch(/\r\n\r\nold style$/);
    expect(client.buffered()).not.toMatch(/chunked|trailer/i);
  });

  it.each([
    ["999", "HTTP/1.1 999 Odd\r\ncontent-length: 2\r\n\r\nok", 999],
    ["a phrase of 8-bit bytes", "HTTP/1.1 200 \xe9t\xe9\r\ncontent-length: 2\r\n\r\nok", 200],
    ["1 500 header fields", `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(1_500)}content-length: 2\r\n\r\nok`, 200],
    ["17 KiB of header", `HTTP/1.1 200 OK\r\nx: ${"x".repeat(17_000)}\r\ncontent-length: 2\r\n\r\nok`, 200],
  ])("U09: and with an odd head: %s", async (_name, bytes, status) => {
    const answer = await through(bytes);
    expect([answer.status, answer.body]).toEqual([status, "ok"]);
    expect(fieldValues(answer.headers, "a").length).toBe(bytes.split("a: b").length - 1);
  });
});

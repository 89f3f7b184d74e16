import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createCertificates } from "../support/certificates.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { aCredential, aRoute, eventually, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { readBody, startUpstream } from "../support/upstream.ts";

const chunked = (trailers: readonly string[], ...fields: readonly string[]): string =>
  `${head("POST /api/a", "Transfer-Encoding: chunked", ...fields)}3\r\nabc\r\n0\r\n${trailers.map((line) => `${line}\r\n`).join("")}\r\n`;

async function startEcho() {
  const trailers: string[][] = [];
  const upstream = await startUpstream(async (request, response) => {
    const body = await readBody(request);
    trailers.push(request.rawTrailers);
    response.end(body);
  });
  return { upstream, trailers, [Symbol.asyncDispose]: () => upstream[Symbol.asyncDispose]() };
}

describe("a request's trailers", () => {
  it("U07 go on behind the body", async () => {
    await using echo = await startEcho();
    await using proxy = await startProxy({ routes: [aRoute({ upstream: echo.upstream.origin })] });
    const request = chunked(["X-Sum: 1", "x-eight: \xe9", "Content-Digest: x"], "Trailer: X-Sum");
    expect((await roundTrip(proxy.port, request)).body).toBe("abc");
    expect(echo.trailers).toEqual([["X-Sum", "1", "x-eight", "\xe9", "Content-Digest", "x"]]);
    expect(fieldValues(echo.upstream.requests[0]?.headers ?? [], "trailer")).toEqual([]);
  });

  it.each([
    ["a credential", "Authorization: Bearer evil"],
    ["a field that the route injects", "X-Injected: evil"],
    ["a field that the route sets", "X-Set: evil"],
    ["a field that Connection names", "X-Hop: 1"],
    ["a length", "Content-Length: 5"],
    ["a coding", "Transfer-Encoding: chunked"],
    ["a type", "Content-Type: text/html"],
    ["a host", "Host: evil.example"],
    ["a cookie", "Cookie: a=b"],
    ["a tenant", "X-Tenant-Id: evil"],
    ["another spelling of a tenant", "X_Tenant_Id: evil"],
    ["the proxy's own", "Pillion-Access: evil"],
    ["where it came from", "X-Forwarded-For: 10.0.0.1"],
    ["a hop-by-hop field", "Keep-Alive: 5"],
    ["a condition", "If-Match: x"],
  ])("are dropped where they have no business there: %s", async (_what, line) => {
    await using echo = await startEcho();
    const credential = aCredential({ injectedFields: ["authorization", "x-injected"] });
    const requestHeaders = { set: ["X-Set", "ours"], remove: new Set<string>() };
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: echo.upstream.origin, credential, requestHeaders })],
    });
    const client = await connectRaw(proxy.port);
    client.send(chunked([line, "X-Kept: 1"], "Connection: X-Hop"));
    const { status } = await client.answer();
    client.socket.destroy();
    // Node's parser refuses a trailer that would frame the message; the others do not go on.
    if (status === 200) expect(echo.trailers).toEqual([["X-Kept", "1"]]);
    else expect([status, echo.trailers]).toEqual([400, []]);
    for (const { headers } of echo.upstream.requests)
      expect(fieldValues(headers, "authorization")).toEqual(["Bearer token-app"]);
  });

  it("are never those of another request on the same connection", async () => {
    await using echo = await startEcho();
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: echo.upstream.origin, connections: 1 })],
    });
    const client = await connectRaw(proxy.port);
    const plain = `${head("POST /api/a", "Content-Length: 3")}abc`;
    client.send(chunked(["X-Sum: 1"]) + chunked([]) + plain + chunked(["X-Sum: 4"]));
    for (let turn = 0; turn < 4; turn += 1) expect((await client.answer()).status).toBe(200);
    client.socket.destroy();
    expect(echo.trailers.map((trailers) => trailers.join())).toEqual(["X-Sum,1", "", "", "X-Sum,4"]);
    expect(echo.upstream.sockets.size).toBe(1);
  });

  it("go on over HTTP/2, too", async () => {
    const directory = mkdtempSync(join(tmpdir(), "pillion-trailers-"));
    afterAll(() => rmSync(directory, { recursive: true }));
    const { caFile, server } = createCertificates(directory);
    const pem = { cert: readFileSync(server.certFile), key: readFileSync(server.keyFile) };
    const trailers: unknown[] = [];
    await using upstream = await startHttp2Upstream(pem, (stream) => {
      stream.on("trailers", (fields) => trailers.push(Object.entries(fields)));
      stream.respond();
      stream.pipe(stream);
    });
    const tls = { ca: caFile, cert: undefined, key: undefined, serverName: undefined };
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, http2: true, connection: { tls, httpProxy: undefined } })],
    });
    expect((await roundTrip(proxy.port, chunked(["X-Sum: 1", "Cookie: a=b"]))).body).toBe("abc");
    expect((await roundTrip(proxy.port, chunked([]))).body).toBe("abc");
    await eventually(() => trailers.length === 1);
    expect(trailers).toEqual([[["x-sum", "1"]]]);
  });
});

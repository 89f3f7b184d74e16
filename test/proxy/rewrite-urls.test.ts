import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { aCredential, aRoute, eventually, type RouteOptions, startProxy } from "../support/proxy-harness.ts";
import { type Answer, connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { startRawUpstream, startUpstream } from "../support/upstream.ts";

/** What the upstream at `origin` says to everything; `$` in it stands for its own origin. */
type Say = (origin: string) => string;

async function through(say: Say, request: string, options: Partial<RouteOptions> = {}): Promise<Answer> {
  let origin = "";
  await using upstream = await startRawUpstream((socket) => void socket.end(say(origin), "latin1"));
  origin = upstream.origin.origin;
  await using proxy = await startProxy({
    routes: [aRoute({ upstream: upstream.origin, rewriteUrls: true, ...options })],
  });
  return await roundTrip(proxy.port, request);
}

const json =
  (body: string, ...fields: readonly string[]): Say =>
  (origin) => {
    const text = body.replaceAll("$", origin);
    const length = fields.some((field) => /^(content-length|transfer-encoding)/i.test(field))
      ? []
      : [`Content-Length: ${text.length}`];
    const type = fields.some((field) => /^content-type/i.test(field))
      ? []
      : ["Content-Type: application/json"];
    return ["HTTP/1.1 200 OK", ...type, ...length, ...fields, "", text].join("\r\n");
  };

describe("rewrite_urls: true", () => {
  it("leads absolute URLs of the upstream back by the way the request came", async () => {
    const answer = await through(
      json('{ "next_url": "$/v1/providers?page=1" }'),
      head("GET /api/v1/providers", "Host: app.localhost"),
    );
    expect(answer.body).toBe('{ "next_url": "http://app.localhost/api/v1/providers?page=1" }');
    expect(answer.field("content-length")).toBe(String(answer.body.length));
  });

  it("by https where that is how browsers reach the proxy, and in the clear for those who come by another Host", async () => {
    let origin = "";
    await using upstream = await startRawUpstream(
      (socket) => void socket.end(json('["$/a"]')(origin), "latin1"),
    );
    origin = upstream.origin.origin;
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, rewriteUrls: true })],
      session: { publicUrl: new URL("https://app.example/") },
    });
    const bodyFor = async (host: string) =>
      (await roundTrip(proxy.port, head("GET /api/a", `Host: ${host}`))).body;
    expect(await bodyFor("App.Example")).toBe('["https://app.example/api/a"]');
    expect(await bodyFor("localhost")).toBe('["http://localhost/api/a"]');
  });

  it("by the tenant's path, too", async () => {
    const credential = aCredential({ tenants: ["t1"] });
    const answer = await through(json('["$/v1/a"]'), head("GET /api/t1/a"), {
      path: "/api/{tenant}/",
      credential,
    });
    expect(answer.body).toBe('["http://localhost/api/t1/v1/a"]');
  });

  it.each([
    "application/json; charset=utf-8",
    'APPLICATION/JSON ; Charset="UTF-8"',
    "application/hal+json",
    "application/problem+json",
  ])("in %s", async (type) => {
    const answer = await through(json('["$/a"]', `Content-Type: ${type}`), head("GET /api/a"));
    expect(answer.body).toBe('["http://localhost/api/a"]');
    expect(answer.field("content-type")).toBe(type);
  });

  it("in chunks, with their trailers, whatever the place where a chunk ends", async () => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { "content-type": "application/json", trailer: "x-sum" });
      response.addTrailers({ "x-sum": "1" });
      const text = JSON.stringify([`${upstream.origin.origin}/é`]);
      for (const byte of Buffer.from(text)) response.write(Buffer.from([byte]));
      response.end();
    });
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, rewriteUrls: true })],
    });
    const answer = await roundTrip(proxy.port, head("GET /api/a"));
    expect(Buffer.from(answer.body, "latin1").toString()).toBe('["http://localhost/api/é"]');
    expect([answer.field("content-length"), answer.trailers]).toEqual([undefined, ["x-sum", "1"]]);
  });

  it("asks the upstream for a body that can be read", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, rewriteUrls: true })],
    });
    await roundTrip(proxy.port, head("GET /api/a", "Accept-Encoding: gzip", "Accept: */*"));
    expect(fieldValues(upstream.requests[0]?.headers ?? [], "accept-encoding")).toEqual([]);
    expect(fieldValues(upstream.requests[0]?.headers ?? [], "accept")).toEqual(["*/*"]);
  });

  const bound = [
    'ETag: "a"',
    "Digest: sha-256=x",
    "Content-Digest: sha-256=:x:",
    "Repr-Digest: sha-256=:x:",
    "Content-MD5: x",
    "Accept-Ranges: bytes",
  ];
  const values = (answer: Answer) =>
    ["etag", "digest", "content-digest", "repr-digest", "content-md5", "accept-ranges"].map((name) =>
      answer.field(name),
    );

  it("weakens the ETag and takes away digests, where bytes were changed", async () => {
    const answer = await through(json('["$/a"]', ...bound), head("GET /api/a"));
    expect(values(answer)).toEqual(['W/"a"', undefined, undefined, undefined, undefined, undefined]);
    const weak = await through(json('["$/a"]', 'ETag: W/"b"'), head("GET /api/a"));
    expect(weak.field("etag")).toBe('W/"b"');
  });

  it("leaves an answer without such URLs as it is, fields and all", async () => {
    const answer = await through(json('["https://other.example/a"]', ...bound), head("GET /api/a"));
    expect(answer.body).toBe('["https://other.example/a"]');
    expect(values(answer)).toEqual(['"a"', "sha-256=x", "sha-256=:x:", "sha-256=:x:", "x", "bytes"]);
  });

  it("gives no length for HEAD, where it is not known", async () => {
    const say: Say = () =>
      'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\nETag: "a"\r\nDigest: x\r\n\r\n';
    let origin = "";
    await using upstream = await startRawUpstream((socket) => void socket.end(say(origin)));
    origin = upstream.origin.origin;
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, rewriteUrls: true })],
    });
    const client = await connectRaw(proxy.port);
    client.send(head("HEAD /api/a", "Connection: close"));
    await client.closed();
    expect(client.buffered()).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*ETag: W\/"a"\r\n/);
    expect(client.buffered()).not.toMatch(/content-length|digest/i);
  });

  const zipped = gzipSync('["$/a"]').toString("latin1");
  it.each<[string, Say]>([
    ["another type", json('["$/a"]', "Content-Type: text/html")],
    ["no type", json('["$/a"]', "Content-Type:")],
    ["a list of JSON texts", json('["$/a"]\n["$/b"]', "Content-Type: application/json-seq")],
    ["another charset", json('["$/a"]', "Content-Type: application/json; charset=utf-16")],
    ["a body that is encoded", json(zipped, "Content-Encoding: gzip")],
    [
      "a part of a body",
      (origin) => json('["$/a"]', "Content-Range: bytes 0-9/20")(origin).replace("200 OK", "206 Part"),
    ],
    ["no-transform", json('["$/a"]', "Cache-Control: private, no-transform")],
    ["what is no JSON", json('["$/a",')],
    ["what is no UTF-8", json('["$/a","\xe9"]')],
    ["more than a mebibyte", json(`["$/a","${"x".repeat(1_048_576)}"]`)],
  ])("leaves alone %s", async (_what, say) => {
    let said = "";
    const answer = await through((origin) => {
      said = say(origin);
      return said;
    }, head("GET /api/a"));
    expect(answer.body).toBe(said.slice(said.indexOf("\r\n\r\n") + 4));
    expect(answer.field("content-length")).toBe(String(answer.body.length));
  });

  it("lets more than a mebibyte go as soon as it is seen to be that much, and streams on", async () => {
    let write = (_text: string): void => {};
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { "content-type": "application/json", etag: '"a"' });
      write = (text) => void response.write(text);
      write(`["${upstream.origin.origin}/a","`);
    });
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, rewriteUrls: true })],
    });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await eventually(() => upstream.requests.length === 1);
    for (let kibibytes = 0; kibibytes <= 1_024; kibibytes += 64) write("x".repeat(65_536));
    await eventually(() => client.buffered().length > 1_048_576);
    expect(client.buffered()).toContain('etag: "a"');
    expect(client.buffered()).toContain(`["${upstream.origin.origin}/a"`);
    write("more");
    await eventually(() => client.buffered().includes("more"));
    client.socket.destroy();
  });

  it("makes an answer that is cut short a 502, since nothing of it was passed on", async () => {
    const answer = await through(json('["$/a"', "Content-Length: 50"), head("GET /api/a"));
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "UPSTREAM_UNREACHABLE"]);
  });
});

describe("rewrite_urls: false", () => {
  it("leaves JSON and Accept-Encoding alone", async () => {
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(`["${upstream.origin.origin}/a"]`);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const answer = await roundTrip(proxy.port, head("GET /api/a", "Accept-Encoding: gzip"));
    expect(answer.body).toBe(`["${upstream.origin.origin}/a"]`);
    expect(fieldValues(upstream.requests[0]?.headers ?? [], "accept-encoding")).toEqual(["gzip"]);
  });
});

import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { granted, type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";
import { send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";
import { answerOk, startUpstream, type Upstream } from "./support/upstream.ts";

describe("what is forwarded", () => {
  let tokenEndpoint: ScriptedTokenEndpoint;
  let upstream: Upstream;
  let pillion: Serving;
  let base: string;
  beforeAll(async () => {
    tokenEndpoint = await startTokenEndpoint();
    tokenEndpoint.answer(granted());
    upstream = await startUpstream();
    pillion = await serve(
      `credentials:
  qmatic:
    provider: qmatic
    region: eu-west-1
    token_url: ${tokenEndpoint.url}
    tenants:
      isb: { tenant_id: "1001", client_id: c, client_secret: { env: SECRET } }
  key: { provider: static, header: X-API-Key, value: { env: KEY } }
routes:
  - name: qmatic
    path: /qmatic/
    credential: qmatic
    tenant: { header: X-Tenant }
    upstream: ${upstream.origin}/base/v1/
    request_headers: { set: { X-Set: "by the route" }, remove: [X-Removed] }
    response_headers: { set: { X-Answer-Set: "by the route" }, remove: [Server] }
  - { name: key, path: /key/, credential: key, upstream: "${upstream.origin}/" }
  - { name: plain, path: /plain/, credential: none, upstream: "${upstream.origin}/" }
`,
      { env: { SECRET: "fake-secret", KEY: "fake-api-key" } },
    );
    base = `${pillion.origin}/qmatic`;
  });
  afterAll(async () => {
    await pillion.stop();
    await upstream.close();
    await tokenEndpoint.close();
  });
  beforeEach(() => upstream.respond(answerOk));

  const TENANT = { "X-Tenant": "isb" };

  it.each([
    "/v1/provider_locations/lo_1%7C2?ids=a%7Cb,c|d&empty=&&x=%20+%2B",
    "/a//b/;p=1/~.-_!$&'()*+,=:@",
    "/caf%C3%A9/%e2%82%ac?q=%zz%&a[]=1",
    "/?",
    "/%252e%252e/",
  ])("has the path behind the upstream's own, and the query, byte for byte: %s", async (target) => {
    const reply = await send(`${base}${target}`, { headers: TENANT });
    expect(reply.status).toBe(200);
    expect(upstream.last().target).toBe(`/base/v1${target}`);
  });

  it("has bodies byte for byte, with a length or without", async () => {
    const body = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 31) % 256));
    for (const chunked of [false, true]) {
      await send(`${base}/x`, { method: "POST", headers: TENANT, body, chunked });
      expect(upstream.last().body.equals(body)).toBe(true);
      expect(upstream.last().headers["content-length"]).toBe(chunked ? undefined : "100000");
    }
  });

  it("has the JSON body of a GET (Qmatic's search)", async () => {
    const body = '{"branchId":1}';
    const headers = { ...TENANT, "Content-Type": "application/json" };
    const path = "/external/v1/serviceCombination/appointments/search";
    expect((await send(base + path, { headers, body })).status).toBe(200);
    expect(upstream.last()).toMatchObject({ method: "GET", target: `/base/v1${path}` });
    expect(upstream.last().body.toString()).toBe(body);
  });

  it("has every other field as it was sent, in order, repeated ones too", async () => {
    const headers = {
      ...TENANT,
      Accept: "application/json",
      "Accept-Language": "sv-SE, en;q=0.5",
      Cookie: "app=1; other=2",
      "X-Repeated": ["one", "two"],
      "x-lower-Case": "Kept",
      "X-Latin": "caf\u00e9",
      Range: "bytes=0-9",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    };
    await send(`${base}/x`, { headers });
    const { rawHeaders } = upstream.last();
    const pairs: string[] = [];
    for (let index = 0; index < rawHeaders.length; index += 2)
      pairs.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
    expect(pairs).toEqual(
      expect.arrayContaining([
        "Accept: application/json",
        "Accept-Language: sv-SE, en;q=0.5",
        "Cookie: app=1; other=2",
        "X-Repeated: one",
        "X-Repeated: two",
        "x-lower-Case: Kept",
        "X-Latin: caf\u00e9",
        "Range: bytes=0-9",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      ]),
    );
  });

  it("has the proxy's own words on identity, whatever the caller says", async () => {
    await send(`${base}/x`, {
      headers: {
        ...TENANT,
        Host: "localhost",
        Authorization: "Bearer of-the-caller",
        "X-ACCOUNT": "other",
        "x-tenant-id": "9999",
        X_Tenant_Id: "9999",
        "Pillion-Access": "fake",
        "Pillion-Session": "fake",
        "Pillion-Anything": "fake",
        "X-Removed": "1",
        "X-Set": "by the caller",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Host": "evil.example",
        Forwarded: "for=192.0.2.1",
        "Proxy-Authorization": "Basic eA==",
        TE: "gzip",
        "Keep-Alive": "timeout=5",
        Connection: "keep-alive, authorization, x-named, x-tenant-id",
        "X-Named": "hop by hop",
      },
    });
    const { headers, rawHeaders } = upstream.last();
    expect(headers).toMatchObject({
      host: new URL(upstream.origin).host,
      authorization: "Bearer token-1",
      "x-tenant-id": "1001",
      "x-set": "by the route",
      via: "1.1 pillion",
    });
    const names = rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    expect(
      names.filter((name) => ["authorization", "x-tenant-id", "x-set", "host"].includes(name)),
    ).toHaveLength(4);
    for (const dropped of [
      ...["x-account", "x-tenant", "x_tenant_id", "pillion-access", "pillion-session", "pillion-anything"],
      ...["x-removed", "x-named", "x-forwarded-for", "x-forwarded-host", "forwarded"],
      ...["proxy-authorization", "te", "keep-alive"],
    ])
      expect(names).not.toContain(dropped);
    expect(headers.connection ?? "").not.toMatch(/authorization|x-named/);
  });

  it("has the caller's X-Request-Id, or one that is made", async () => {
    await send(`${base}/x`, { headers: { ...TENANT, "X-Request-Id": "from-the-app-1" } });
    expect(upstream.last().headers["x-request-id"]).toBe("from-the-app-1");
    await send(`${base}/x`, { headers: TENANT });
    expect(upstream.last().headers["x-request-id"]).toMatch(/^\S{8,}$/);
  });

  it("has a fixed header from a secret on a route of provider static, and no other", async () => {
    await send(`${pillion.origin}/key/x`, {
      headers: { "X-API-Key": "of-the-caller", Authorization: "Bearer x" },
    });
    expect(upstream.last().headers).toMatchObject({ "x-api-key": "fake-api-key" });
    expect(upstream.last().headers.authorization).toBeUndefined();
  });

  it("has nothing injected where the credential is none, and the caller's Authorization still stays behind", async () => {
    await send(`${pillion.origin}/plain/x`, { headers: { Authorization: "Bearer of-the-caller" } });
    expect(upstream.last().headers.authorization).toBeUndefined();
    expect(upstream.last().headers["x-api-key"]).toBeUndefined();
  });

  it("comes back as the upstream sent it: status, fields, encoded body, and no mark of the proxy's errors", async () => {
    const packed = gzipSync('{"data":[]}');
    upstream.respond((_request, response) => {
      response.writeHead(207, "Partly", [
        ...["Content-Type", "application/json", "Content-Encoding", "gzip", "Server", "upstream"],
        ...["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Custom", "kept", "ETag", '"x"'],
        ...["Content-Length", String(packed.length)],
      ]);
      response.end(packed);
    });
    const reply = await send(`${base}/x`, { headers: TENANT });
    expect(reply.status).toBe(207);
    expect(reply.body.equals(packed)).toBe(true);
    expect(reply.headers).toMatchObject({
      "content-encoding": "gzip",
      "set-cookie": ["a=1", "b=2"],
      "x-custom": "kept",
      etag: '"x"',
      "x-answer-set": "by the route",
    });
    expect(reply.headers["server"]).toBeUndefined();
    expect(reply.headers["proxy-status"]).toBeUndefined();
  });

  it.each([404, 429, 500, 503])("comes back unchanged with an upstream's own error %i", async (status) => {
    upstream.respond((_request, response) =>
      response.writeHead(status, { "Retry-After": "9" }).end("its words"),
    );
    const reply = await send(`${base}/x`, { headers: TENANT });
    expect(reply).toMatchObject({ status, text: "its words" });
    expect(reply.headers["proxy-status"]).toBeUndefined();
    expect(reply.headers["content-type"]).toBeUndefined();
    expect(reply.headers["retry-after"]).toBe("9");
  });

  it("comes back with a redirect that is not followed, and leads back through the proxy", async () => {
    const locations: [string, string][] = [
      [`${upstream.origin}/base/v1/next?a=%7C`, "/qmatic/next?a=%7C"],
      ["/base/v1/next", "/qmatic/next"],
      ["https://elsewhere.example/login", "https://elsewhere.example/login"],
    ];
    for (const [location, expected] of locations) {
      upstream.respond((_request, response) => response.writeHead(302, { Location: location }).end());
      const before = upstream.requests.length;
      const reply = await send(`${base}/x`, { headers: TENANT });
      expect(reply.status).toBe(302);
      expect(upstream.requests.length - before).toBe(1);
      const back = new URL(String(reply.headers.location), pillion.origin);
      expect(back.href).toBe(new URL(expected, pillion.origin).href);
    }
  });

  it("streams: the first bytes of an answer are there before its last are made", async () => {
    const rest = Promise.withResolvers<void>();
    upstream.respond((_request, response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write("data: 1\n\n");
      void rest.promise.then(() => response.end("data: 2\n\n"));
    });
    const response = await fetch(`${base}/events`, { headers: TENANT });
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("data: 1\n\n");
    rest.resolve();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("data: 2\n\n");
  });
});

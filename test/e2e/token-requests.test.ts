import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  granted,
  type ReceivedRequest,
  refused,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { createKeptConnection, send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import { type Serving, serve } from "./support/serve.ts";
import { createGate, startUpstream, type Upstream } from "./support/upstream.ts";

let tokenEndpoint: ScriptedTokenEndpoint;
let upstream: Upstream;
beforeAll(async () => {
  tokenEndpoint = await startTokenEndpoint();
  upstream = await startUpstream();
});
afterAll(async () => {
  await upstream.close();
  await tokenEndpoint.close();
});

describe("one credential without tenants", () => {
  let pillion: Serving;
  let url: string;
  beforeEach(async () => {
    tokenEndpoint.answer(granted());
    pillion = await serve(
      `credentials:
  billing:
    provider: oauth2
    token_url: ${tokenEndpoint.url}
    client_id: my client
    client_secret: { env: SECRET }
    scopes: [billing.read, billing.write]
    audience: https://api.example.com/
    params: { resource: "urn:x" }
routes:
  - { name: billing, path: /billing/, credential: billing, upstream: "${upstream.origin}/v2/" }
`,
      { env: { SECRET: "fake:s3cret/+é" } },
    );
    url = `${pillion.origin}/billing/invoices`;
  });
  afterEach(() => pillion.stop());

  it("is asked for one token by 200 concurrent requests that find none", async () => {
    const before = tokenEndpoint.requests.length;
    const gate = createGate();
    tokenEndpoint.answer((request, count) => ({ ...granted()(request, count), after: gate.opened }));
    const burst = Array.from({ length: 200 }, () => send(url));
    await tokenEndpoint.received(before + 1);
    gate.open();
    const statuses = (await Promise.all(burst)).map(({ status }) => status);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(tokenEndpoint.requests.length - before).toBe(1);
    const metrics = await scrape(pillion.adminOrigin);
    expect(metrics.total("pillion_token_requests_total")).toBe(1);
    expect(metrics.total("pillion_requests_total", { route: "billing", code: "200" })).toBe(200);
  });

  it("is asked as RFC 6749 has it: form-encoded Basic credentials, and parameters in a form body", async () => {
    await send(url);
    const request = tokenEndpoint.requests.at(-1) as ReceivedRequest;
    const basic = Buffer.from(request.headers.authorization?.replace(/^Basic /, "") ?? "", "base64");
    expect(basic.toString()).toBe("my+client:fake%3As3cret%2F%2B%C3%A9");
    expect(request.method).toBe("POST");
    expect(request.headers["content-type"]).toMatch(/^application\/x-www-form-urlencoded/);
    expect(Object.fromEntries(new URLSearchParams(request.body))).toEqual({
      grant_type: "client_credentials",
      scope: "billing.read billing.write",
      audience: "https://api.example.com/",
      resource: "urn:x",
    });
  });

  it("goes on with a refresh whose first caller left", async () => {
    const before = tokenEndpoint.requests.length;
    const gate = createGate();
    tokenEndpoint.answer((request, count) => ({ ...granted()(request, count), after: gate.opened }));
    const leaver = new AbortController();
    const left = send(url, { signal: leaver.signal });
    await tokenEndpoint.received(before + 1);
    const staying = send(url);
    leaver.abort();
    await expect(left).rejects.toThrow();
    gate.open();
    expect((await staying).status).toBe(200);
    expect(tokenEndpoint.requests.length - before).toBe(1);
  });

  it.each([
    [401, "invalid_client"],
    [400, "unauthorized_client"],
    [400, "invalid_scope"],
    [403, "access_denied"],
  ])("that is refused (%i %s) gives 502 TOKEN_REJECTED, and nothing is forwarded", async (status, error) => {
    tokenEndpoint.answer(refused(status, error));
    const forwarded = upstream.requests.length;
    const reply = await send(url);
    expect(reply.status).toBe(502);
    expect(reply.headers["content-type"]).toBe("application/problem+json");
    expect(reply.headers["proxy-status"]).toMatch(/^pillion; error=\w+; details="TOKEN_REJECTED"$/);
    expect(reply.json).toMatchObject({ status: 502, code: "TOKEN_REJECTED" });
    expect(reply.json.detail).toContain(error);
    expect(upstream.requests.length).toBe(forwarded);
  });

  it.each([
    ["500 with a parsed error", { status: 500, body: '{"error":"invalid_client"}' }],
    ["a redirect", { status: 307, headers: { location: "http://127.0.0.1:9/" } }],
    ["a 4xx in HTML", { status: 403, headers: { "content-type": "text/html" }, body: "<html>no</html>" }],
    ["a rate limit", { status: 429, headers: { "retry-after": "7" } }],
    ["no JSON", { status: 200, body: "{" }],
    ["an empty token", { status: 200, body: '{"access_token":"","token_type":"Bearer"}' }],
    ["another type", { status: 200, body: '{"access_token":"abc","token_type":"mac"}' }],
  ])("whose token endpoint answers with %s gives 503 TOKEN_UNAVAILABLE", async (name, answer) => {
    tokenEndpoint.answer(answer);
    const reply = await send(url);
    expect(reply.status).toBe(503);
    expect(reply.json).toMatchObject({ code: "TOKEN_UNAVAILABLE" });
    const retryAfter = Number(reply.headers["retry-after"]);
    expect(retryAfter).toBeGreaterThan(0);
    if (name === "a rate limit") expect([7, 8]).toContain(retryAfter);
  });
});

describe("tenants", () => {
  const TENANTS = ["isb", "Riverside", "harbor"];
  let pillion: Serving;
  beforeAll(async () => {
    pillion = await serve(
      `credentials:
  qmatic:
    provider: qmatic
    region: eu-west-1
    token_url: ${tokenEndpoint.url}
    token_requests_per_second: 1000
    scopes: [book]
    tenants:
${TENANTS.map((name, index) => `      ${name}: { tenant_id: "100${index}", client_id: client-${name}, client_secret: { env: SECRET_${index} } }`).join("\n")}
routes:
  - { name: by-path, path: "/path/{tenant}/", credential: qmatic, upstream: "${upstream.origin}/" }
  - { name: by-header, path: /header/, credential: qmatic, upstream: "${upstream.origin}/", tenant: { header: X-Tenant } }
`,
      { env: { SECRET_0: "fake-0", SECRET_1: "fake-1", SECRET_2: "fake-2" } },
    );
  });
  afterAll(() => pillion.stop());

  it("never meet another's client, account, token, tenant id or socket, whatever they share", async () => {
    const before = tokenEndpoint.requests.length;
    tokenEndpoint.answer((request) => {
      const token = `token-of-${request.headers["x-account"]}`;
      return { status: 200, body: JSON.stringify({ access_token: token, token_type: "Bearer" }) };
    });
    const agents = [createKeptConnection(), createKeptConnection(), createKeptConnection()];
    const requests = Array.from({ length: 300 }, (_, index) => {
      const tenant = TENANTS[(index * 7) % 3] ?? "";
      const agent = agents[index % agents.length];
      const headers = { "X-Tenant": tenant, "X-Asked-For": tenant };
      const path = index % 2 === 0 ? `/path/${tenant}/x` : "/header/x";
      return send(pillion.origin + path, { headers, ...(agent === undefined ? {} : { agent }) });
    });
    const from = upstream.requests.length;
    const replies = await Promise.all(requests);
    for (const agent of agents) agent.destroy();
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);

    const seen = upstream.requests.slice(from).map(({ headers, remotePort }) => ({
      tenant: headers["x-asked-for"],
      authorization: headers.authorization,
      id: headers["x-tenant-id"],
      remotePort,
    }));
    const tenantsOfPorts = new Set(seen.map(({ tenant, remotePort }) => `${remotePort} ${tenant}`));
    expect(tenantsOfPorts.size).toBe(new Set(seen.map(({ remotePort }) => remotePort)).size);
    expect(seen).toHaveLength(300);
    for (const { tenant, authorization, id } of seen) {
      expect(authorization).toBe(`Bearer token-of-${String(tenant).toLowerCase()}`);
      expect(id).toBe(`100${TENANTS.indexOf(String(tenant))}`);
    }

    const asked = tokenEndpoint.requests.slice(before).map(({ headers }) => ({
      account: headers["x-account"],
      client: Buffer.from(headers.authorization?.slice(6) ?? "", "base64").toString(),
    }));
    expect(asked.sort((a, b) => String(a.account).localeCompare(String(b.account)))).toEqual([
      { account: "harbor", client: "client-harbor:fake-2" },
      { account: "isb", client: "client-isb:fake-0" },
      { account: "riverside", client: "client-Riverside:fake-1" },
    ]);
  });
});

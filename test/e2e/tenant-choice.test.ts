import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { granted, type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";
import { expectProblem } from "./support/expectations.ts";
import { send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

describe("the tenant", () => {
  let tokenEndpoint: ScriptedTokenEndpoint;
  let upstream: Upstream;
  let pillion: Serving;
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
    token_requests_per_second: 1000
    client_secret: { env: SECRET }
    tenants:
      isb: { tenant_id: "1001", client_id: isb }
      Riverside: { tenant_id: "1002", client_id: riverside, account: As Written }
routes:
  - { name: path, path: "/path/{tenant}/", credential: qmatic, upstream: "${upstream.origin}/" }
  - { name: header, path: /header/, credential: qmatic, upstream: "${upstream.origin}/", tenant: { header: X-Tenant } }
  - { name: host, path: /host/, credential: qmatic, upstream: "${upstream.origin}/", tenant: { host: "{tenant}.clinics.internal" } }
  - { name: fixed, path: /fixed/, credential: qmatic, upstream: "${upstream.origin}/", tenant: isb }
`,
      { env: { SECRET: "fake-secret" } },
    );
  });
  afterAll(async () => {
    await pillion.stop();
    await upstream.close();
    await tokenEndpoint.close();
  });

  async function tenantId(path: string, headers: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const reply = await send(pillion.origin + path, { headers });
    expect(reply.status).toBe(200);
    return upstream.last().headers["x-tenant-id"];
  }

  it("is a segment of the path, which is not passed on", async () => {
    expect(await tenantId("/path/isb/services")).toBe("1001");
    expect(upstream.last().target).toBe("/services");
    expect(await tenantId("/path/%69sb/services")).toBe("1001");
    expect(await tenantId("/path/Riverside/services")).toBe("1002");
  });

  it("is in a header field, which is not passed on", async () => {
    expect(await tenantId("/header/services", { "X-Tenant": "isb" })).toBe("1001");
    expect(upstream.last().headers["x-tenant"]).toBeUndefined();
  });

  it("is in the Host, without regard to case", async () => {
    const { port } = new URL(pillion.origin);
    expect(await tenantId("/host/services", { Host: "isb.clinics.internal" })).toBe("1001");
    expect(await tenantId("/host/services", { Host: `RIVERSIDE.clinics.internal:${port}` })).toBe("1002");
  });

  it("is the route's own, whatever the caller says", async () => {
    expect(await tenantId("/fixed/services", { "X-Tenant": "Riverside", "X-TENANT-ID": "1002" })).toBe(
      "1001",
    );
  });

  it("has the account as it is written, or its own name in lower case", async () => {
    await tenantId("/path/isb/services");
    await tenantId("/path/Riverside/services");
    const accounts = new Set(tokenEndpoint.requests.map(({ headers }) => headers["x-account"]));
    expect(accounts).toEqual(new Set(["isb", "As Written"]));
  });

  it.each([
    ["/path/isB/x", {}],
    ["/path/riverside/x", {}],
    ["/path/__proto__/x", {}],
    ["/path/constructor/x", {}],
    ["/path/1001/x", {}],
    ["/header/x", { "X-Tenant": "ISB" }],
    ["/header/x", { "X-Tenant": "isb,Riverside" }],
    ["/header/x", { "X-Tenant": "unknown" }],
    ["/host/x", { Host: "unknown.clinics.internal" }],
  ])("that is not configured is refused, before any token is asked for: %s %j", async (path, headers) => {
    const [asked, sent] = [tokenEndpoint.requests.length, upstream.requests.length];
    expectProblem(await send(pillion.origin + path, { headers }), 404, "TENANT_UNKNOWN");
    expect([tokenEndpoint.requests.length, upstream.requests.length]).toEqual([asked, sent]);
  });

  it.each([
    ["/header/x", {}],
    ["/header/x", { "X-Tenant": "" }],
    ["/header/x", { "X-Tenant": ["isb", "Riverside"] }],
    ["/host/x", { Host: "localhost" }],
  ])("is required, once: %s %j", async (path, headers) => {
    const sent = upstream.requests.length;
    expectProblem(await send(pillion.origin + path, { headers }), 400, "TENANT_REQUIRED");
    expect(upstream.requests.length).toBe(sent);
  });
});

import { describe, expect, it } from "vitest";
import type { TenantRule } from "../../src/config/config.ts";
import type { RequestHead } from "../../src/proxy/request-head.ts";
import { chooseTenant } from "../../src/proxy/tenant.ts";
import { aCredential, aRoute, eventually, type RouteOptions, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

const choose = (tenant: TenantRule, raw: readonly string[], host = "localhost", pathTenant?: string) =>
  chooseTenant(aRoute({ upstream: new URL("http://u/"), tenant }), { raw, host } as RequestHead, pathTenant);

describe("which tenant a request is for", () => {
  const byHeader: TenantRule = { kind: "header", name: "x-tenant" };
  const byHost: TenantRule = { kind: "host", prefix: "", suffix: ".localhost" };

  it.each([
    ["none", { kind: "none" }, [], undefined],
    ["fixed, whatever is sent", { kind: "fixed", tenant: "isb" }, ["X-Tenant", "other"], "isb"],
    ["header", byHeader, ["X-Tenant", "ISB"], "ISB"],
    ["header with a comma, as one name", byHeader, ["x-tenant", "t1,t2"], "t1,t2"],
  ] as const)("%s", (_what, rule, raw, expected) => {
    expect(choose(rule, raw)).toBe(expected);
  });

  it.each([
    ["isb.localhost", "isb"],
    ["ISB.localhost:8080", "isb"],
  ])("host %s", (host, expected) => {
    expect(choose(byHost, [], host)).toBe(expected);
  });

  it.each([
    ["no header", byHeader, [], "localhost"],
    ["an empty header", byHeader, ["X-Tenant", ""], "localhost"],
    ["the header twice", byHeader, ["X-Tenant", "t1", "x-tenant", "t2"], "localhost"],
    ["the header twice, the same", byHeader, ["X-Tenant", "t1", "X-Tenant", "t1"], "localhost"],
    ["a host that names none", byHost, [], "localhost"],
  ] as const)("%s: TENANT_REQUIRED", (_what, rule, raw, host) => {
    expect(() => choose(rule, raw, host)).toThrow(expect.objectContaining({ code: "TENANT_REQUIRED" }));
  });
});

async function setup(options: Partial<RouteOptions>) {
  const stack = new AsyncDisposableStack();
  const upstream = stack.use(await startUpstream((_request, response) => response.end("ok")));
  const credential = aCredential({ tenants: ["t1", "T2"] });
  const proxy = stack.use(
    await startProxy({ routes: [aRoute({ upstream: upstream.origin, credential, ...options })] }),
  );
  const tokens = () => upstream.requests.map(({ headers }) => fieldValues(headers, "authorization").join());
  return { stack, upstream, proxy, tokens };
}

describe("a tenant gets its own token", () => {
  it.each([
    ["path", { path: "/q/{tenant}/" }, head("GET /q/t1/x"), "Bearer token-t1"],
    ["path, encoded", { path: "/q/{tenant}/" }, head("GET /q/%74%31/x"), "Bearer token-t1"],
    [
      "header",
      { tenant: { kind: "header", name: "x-tenant" } },
      head("GET /api/x", "X-Tenant: T2"),
      "Bearer token-T2",
    ],
    [
      "host, without case",
      { tenant: { kind: "host", prefix: "", suffix: ".localhost" } },
      head("GET /api/x", "Host: t2.localhost"),
      "Bearer token-T2",
    ],
    ["fixed", { tenant: { kind: "fixed", tenant: "t1" } }, head("GET /api/x"), "Bearer token-t1"],
  ] as const)("by %s", async (_what, options, request, token) => {
    const { stack, proxy, upstream, tokens } = await setup(options);
    await using _ = stack;
    expect((await roundTrip(proxy.port, request)).status).toBe(200);
    expect(tokens()).toEqual([token]);
    expect(fieldValues(upstream.requests[0]?.headers ?? [], "x-tenant")).toEqual([]);
  });

  it.each([
    ["an unknown tenant", head("GET /q/t3/x"), 404, "TENANT_UNKNOWN"],
    ["another case", head("GET /q/T1/x"), 404, "TENANT_UNKNOWN"],
    ["two in one", head("GET /q/t1,T2/x"), 404, "TENANT_UNKNOWN"],
    ["__proto__", head("GET /q/__proto__/x"), 404, "TENANT_UNKNOWN"],
    ["a way up", head("GET /q/../T2/x"), 400, "TARGET_INVALID"],
    ["none", head("GET /q//x"), 400, "TENANT_REQUIRED"],
    ["none at the end", head("GET /q/"), 400, "TENANT_REQUIRED"],
    ["not even its segment", head("GET /q"), 404, "ROUTE_NOT_FOUND"],
  ])("and never a default one: %s", async (_what, request, status, code) => {
    const { stack, proxy, upstream } = await setup({ path: "/q/{tenant}/" });
    await using _ = stack;
    const answer = await roundTrip(proxy.port, request);
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([status, code]);
    expect(upstream.requests).toEqual([]);
    expect(upstream.sockets.size).toBe(0);
  });

  it("over sockets that no other tenant's request ever uses", async () => {
    const { stack, proxy, upstream } = await setup({ path: "/q/{tenant}/" });
    await using _ = stack;
    for (const tenant of ["t1", "T2", "t1", "T2", "t1"])
      await roundTrip(proxy.port, head(`GET /q/${tenant}/x`));
    const tenantsOf = new Map<unknown, Set<string>>();
    for (const { socket, headers } of upstream.requests) {
      const tenants = tenantsOf.get(socket) ?? new Set();
      tenantsOf.set(socket, tenants.add(fieldValues(headers, "authorization").join()));
    }
    expect([...tenantsOf.values()].map((tenants) => tenants.size)).toEqual([1, 1]);
  });

  it("and a stray answer on one's socket is nobody's", async () => {
    const stack = new AsyncDisposableStack();
    await using _ = stack;
    const upstream = stack.use(
      await startUpstream(({ socket }, response) => {
        response.end("mine");
        setImmediate(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL"));
      }),
    );
    const credential = aCredential({ tenants: ["t1", "t2"] });
    const proxy = stack.use(
      await startProxy({ routes: [aRoute({ upstream: upstream.origin, credential, path: "/q/{tenant}/" })] }),
    );
    expect((await roundTrip(proxy.port, head("GET /q/t1/x"))).body).toBe("mine");
    expect((await roundTrip(proxy.port, head("GET /q/t2/x"))).body).toBe("mine");
  });
});

describe("routes that are exchanged", () => {
  it("let what is in flight finish, close their sockets after it, and serve by the new ones at once", async () => {
    const go = Promise.withResolvers<void>();
    await using old = await startUpstream(async (_request, response) => {
      await go.promise;
      response.end("old");
    });
    await using fresh = await startUpstream((_request, response) => response.end("new"));
    await using proxy = await startProxy({ routes: [aRoute({ upstream: old.origin })] });
    const clients = await Promise.all(Array.from({ length: 10 }, () => connectRaw(proxy.port)));
    for (const client of clients) client.send(head("GET /api/a"));
    await eventually(() => old.requests.length === 10);
    proxy.reload([aRoute({ upstream: fresh.origin })]);
    expect((await roundTrip(proxy.port, head("GET /api/a"))).body).toBe("new");
    go.resolve();
    for (const client of clients) {
      expect((await client.answer()).body).toBe("old");
      client.socket.destroy();
    }
    await old.idle();
  });

  it("do not take a request along that still waits for its token", async () => {
    const token = Promise.withResolvers<string>();
    await using upstream = await startUpstream((_request, response) => response.end("served"));
    const { createScriptedSource } = await import("../support/proxy-harness.ts");
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, credential: aCredential() })],
      source: () => createScriptedSource(() => token.promise),
    });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await eventually(() => proxy.told.events.includes("started api"));
    proxy.reload([]);
    token.resolve("late");
    expect((await client.answer()).body).toBe("served");
    client.socket.destroy();
    await upstream.idle();
  });
});

describe("redirects", () => {
  it("are passed on, not followed, and point back through the proxy", async () => {
    await using other = await startUpstream((_request, response) => response.end("secret"));
    await using upstream = await startUpstream(({ url }, response) => {
      const location = url === "/away" ? `${other.origin}x` : `${upstream.origin}b?c`;
      response.writeHead(url === "/away" ? 302 : 307, { location }).end();
    });
    await using proxy = await startProxy({
      routes: [
        aRoute({
          upstream: upstream.origin,
          credential: aCredential({ tenants: ["isb"] }),
          path: "/q/{tenant}/",
        }),
      ],
    });
    const inside = await roundTrip(proxy.port, head("GET /q/isb/a"));
    expect([inside.status, inside.field("location")]).toEqual([307, "/q/isb/b?c"]);
    const away = await roundTrip(proxy.port, head("GET /q/isb/away"));
    expect([away.status, away.field("location")]).toEqual([302, `${other.origin}x`]);
    expect(other.requests).toEqual([]);
  });
});

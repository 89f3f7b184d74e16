import { describe, expect, it } from "vitest";
import { createEngine, gate, grant, had, oauthError, ok, settle, spec } from "./engine.ts";

describe("T15: 500 cold requests at once", () => {
  it("share one token request", async () => {
    const { sources, count, observed } = createEngine();
    const source = sources.source("billing", undefined, spec());
    const tokens = await Promise.all(Array.from({ length: 500 }, () => had(source)));
    expect(new Set(tokens)).toEqual(new Set(["token-1"]));
    expect(count()).toBe(1);
    expect(observed.filter((event) => event === "served:fresh")).toHaveLength(500);
  });

  it("share its failure too", async () => {
    const { sources, count, endpoint } = createEngine();
    endpoint.reply = () => oauthError(401, "invalid_client");
    const source = sources.source("billing", undefined, spec());
    const tokens = await Promise.all(Array.from({ length: 500 }, () => had(source)));
    expect(new Set(tokens)).toEqual(new Set(["TOKEN_REJECTED"]));
    expect(count()).toBe(1);
  });

  it("still share it when the one that began it has gone", async () => {
    const { sources, count, endpoint } = createEngine();
    const held = gate<ReturnType<typeof ok>>();
    endpoint.reply = () => held.promise;
    const source = sources.source("billing", undefined, spec());
    // The leader's client goes away: nobody looks at its promise any more.
    void source.token();
    const follower = had(source);
    await settle();
    held.open(ok({ access_token: "late", token_type: "Bearer" }));
    expect(await follower).toBe("late");
    expect(count()).toBe(1);
  });
});

describe("a source", () => {
  it("is the same object for equal credential, tenant and configuration", () => {
    const { sources } = createEngine();
    const source = sources.source("billing", "t", spec());
    expect(sources.source("billing", "t", spec())).toBe(source);
    expect(sources.source("billing", "u", spec())).not.toBe(source);
    expect(sources.source("other", "t", spec())).not.toBe(source);
    expect(sources.source("billing", "t", spec({ scopes: ["a"] }))).not.toBe(source);
  });

  it("gives the same injection object for the same token, and its other fields with it", async () => {
    const { sources } = createEngine();
    const source = sources.source("q", "isb", spec({ injectHeaders: ["x-tenant-id", "1001"] }));
    const first = await source.token();
    expect(first.headers).toEqual(["authorization", "Bearer token-1", "x-tenant-id", "1001"]);
    expect(source.token()).toBe(first);
    expect(`${first}${JSON.stringify(first)}`).not.toContain("token-1");
  });

  it("of another tenant, client or scope never gets this one's token", async () => {
    const { sources, count } = createEngine();
    const tokens = [
      await had(sources.source("c", "t1", spec())),
      await had(sources.source("c", "t2", spec())),
      await had(sources.source("c", "t1", spec({ clientId: { kind: "literal", value: "client-2" } }))),
      await had(sources.source("c", "t1", spec({ scopes: ["a"] }))),
    ];
    expect(tokens).toEqual(["token-1", "token-2", "token-3", "token-4"]);
    expect(count()).toBe(4);
  });

  it("after a reload goes on with the token of the same identity", async () => {
    const { sources, count } = createEngine();
    await had(sources.source("c", "t", spec({ injectHeaders: ["x-tenant-id", "1"] })));
    const reloaded = sources.source(
      "c",
      "t",
      spec({ injectHeaders: ["x-tenant-id", "2"], tokenRequestsPerSecond: 5 }),
    );
    const injection = await reloaded.token();
    expect(injection.headers).toEqual(["authorization", "Bearer token-1", "x-tenant-id", "2"]);
    expect(count()).toBe(1);
  });
});

describe("the cache", () => {
  it("is bounded: the least recently used token goes, and its timer with it", async () => {
    const { sources, clock, count } = createEngine({ maxTokens: 2 });
    const [a, b, c] = ["a", "b", "c"].map((tenant) => sources.source("q", tenant, spec()));
    if (a === undefined || b === undefined || c === undefined) throw new Error("unreachable");
    await had(a);
    await had(b);
    await had(a);
    await had(c);
    expect(clock.pending()).toHaveLength(2);
    expect(await had(a)).toBe("token-1");
    expect(count()).toBe(3);
    expect(await had(b)).toBe("token-4");
  });

  it("does not count what prefetch keeps fresh", async () => {
    const { sources, count } = createEngine({ maxTokens: 2 });
    await sources.prefetch(["a", "b", "c", "d"].map((tenant) => ({ credential: "q", tenant, spec: spec() })));
    expect(count()).toBe(4);
    for (const tenant of ["a", "b", "c", "d"]) await had(sources.source("q", tenant, spec()));
    expect(count()).toBe(4);
  });
});

describe("T16: a tenant whose token endpoint hangs", () => {
  it("does not hold up another", async () => {
    const { sources, clock, endpoint } = createEngine();
    const good = grant();
    endpoint.reply = (request, n) =>
      request.url.host === "a.example" ? new Promise(() => {}) : good(request, n);
    const hanging = had(sources.source("q", "a", spec({ tokenUrl: new URL("https://a.example/token") })));
    expect(await had(sources.source("q", "b", spec()))).toBe("token-2");
    await clock.advance(10_000);
    expect(await hanging).toBe("TOKEN_UNAVAILABLE");
  });
});

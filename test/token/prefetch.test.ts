import { describe, expect, it } from "vitest";
import { createEngine, grant, had, hadNow, refusedConnection, settle, spec } from "./engine.ts";

const list = (...tenants: string[]) => tenants.map((tenant) => ({ credential: "q", tenant, spec: spec() }));

describe("prefetch", () => {
  it("fetches without a request, and is over when each has been tried once", async () => {
    const { sources, endpoint, count } = createEngine();
    const good = grant();
    endpoint.reply = (request, n) => (n === 2 ? refusedConnection() : good(request, n));
    await sources.prefetch(list("a", "b", "c"));
    expect(count()).toBe(3);
    expect(sources.states().map(({ tenant, prefetch, state }) => [tenant, prefetch, state])).toEqual([
      ["a", true, "fresh"],
      ["b", true, "none"],
      ["c", true, "fresh"],
    ]);
  });

  it("keeps the tokens fresh for ever", async () => {
    const { sources, clock, count } = createEngine();
    await sources.prefetch(list("a"));
    await clock.advance(10 * 2_880_000);
    expect(count()).toBe(11);
    expect(hadNow(sources.source("q", "a", spec()))).toBe("token-11");
  });

  it("goes on trying for ever", async () => {
    const { sources, clock, endpoint } = createEngine();
    endpoint.reply = refusedConnection;
    await sources.prefetch(list("a"));
    await clock.advance(3_600_000);
    endpoint.reply = grant();
    await clock.advance(30_000);
    expect(sources.states()[0]?.state).toBe("fresh");
  });

  it("replaces the earlier list: what is not in it any more is left to expire", async () => {
    const { sources, clock, count } = createEngine();
    await sources.prefetch(list("a", "b"));
    await sources.prefetch(list("b"));
    await clock.advance(2_880_000);
    expect(count()).toBe(3);
    expect(sources.states().map(({ tenant, prefetch }) => [tenant, prefetch])).toEqual([
      ["b", true],
      ["a", false],
    ]);
  });

  it("survives a reload that changes what is injected, without a fetch and without a gap", async () => {
    const { sources, clock, count } = createEngine();
    await sources.prefetch(list("a"));
    const changed = spec({ injectHeaders: ["x-tenant-id", "9"] });
    sources.source("q", "a", changed, { prefetch: true });
    await sources.prefetch([{ credential: "q", tenant: "a", spec: changed }]);
    expect(count()).toBe(1);
    await clock.advance(2 * 2_880_000);
    expect(count()).toBe(3);
    expect(sources.states()).toHaveLength(1);
  });

  it("of a source that is asked for with it begins at once", async () => {
    const { sources, count } = createEngine();
    const source = sources.source("q", "a", spec(), { prefetch: true });
    await settle();
    expect(count()).toBe(1);
    expect(hadNow(source)).toBe("token-1");
  });

  it("fetches with a new secret as soon as it is told of it", async () => {
    const { sources, secrets, count } = createEngine();
    await sources.prefetch(list("a"));
    secrets.set("CLIENT_SECRET", "s3cret-1");
    sources.configurationChanged();
    await settle();
    expect(count()).toBe(2);
    expect(await had(sources.source("q", "a", spec()))).toBe("token-2");
  });
});

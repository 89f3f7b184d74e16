import { describe, expect, it } from "vitest";
import { Injection } from "../../src/token/token-source.ts";
import { bare, createEngine, grant, had, hadNow, ok, refusedConnection, settle, spec } from "./engine.ts";

describe("a token that the upstream refused with 401", () => {
  it("is replaced by one forced refresh, however many requests report it", async () => {
    const { sources, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    const rejected = await source.token();
    const newer = await Promise.all(Array.from({ length: 50 }, () => source.invalidate(rejected)));
    expect(new Set(newer.map((injection) => injection && bare(injection)))).toEqual(new Set(["token-2"]));
    expect(count()).toBe(2);
    expect(hadNow(source)).toBe("token-2");
  });

  it("and is not the cached one any more leads to that newer one at once", async () => {
    const { sources, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    const rejected = await source.token();
    const newer = await source.invalidate(rejected);
    expect(await source.invalidate(rejected)).toBe(newer);
    expect(await source.invalidate(new Injection(["authorization", "Bearer unheard-of"]))).toBe(newer);
    expect(count()).toBe(2);
  });

  it("within 10 s of a forced refresh stays in use, and its 401 passes", async () => {
    const { sources, clock, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    const newer = await source.invalidate(await source.token());
    if (newer === undefined) throw new Error("no newer token");
    await clock.advance(9_999);
    expect(await source.invalidate(newer)).toBeUndefined();
    expect(hadNow(source)).toBe("token-2");
    expect(count()).toBe(2);
    await clock.advance(1);
    expect(await source.invalidate(newer)).toBeDefined();
    expect(hadNow(source)).toBe("token-3");
  });

  it("is not sent again when the forced refresh fails", async () => {
    const { sources, endpoint, clock, expiries } = createEngine();
    const source = sources.source("c", undefined, spec());
    const rejected = await source.token();
    endpoint.reply = refusedConnection;
    expect(await source.invalidate(rejected)).toBeUndefined();
    expect(expiries.at(-1)).toBe(clock.wall() / 1_000);
    expect(await had(source)).toBe("TOKEN_UNAVAILABLE");
    endpoint.reply = grant();
    await clock.advance(2_000);
    expect(hadNow(source)).toBe("token-3");
  });

  it("stays in use during a known outage: there is nothing to replace it by", async () => {
    const { sources, endpoint, clock, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    const rejected = await source.token();
    await clock.advance(2_879_999);
    endpoint.reply = refusedConnection;
    await clock.advance(1);
    expect(count()).toBe(2);
    expect(await source.invalidate(rejected)).toBeUndefined();
    expect(hadNow(source)).toBe("token-1");
    expect(count()).toBe(2);
  });

  it("and that the server gives out again is no newer one", async () => {
    const { sources, endpoint, count } = createEngine();
    endpoint.reply = () => ok({ access_token: "same", token_type: "Bearer", expires_in: 3_600 });
    const source = sources.source("c", undefined, spec());
    expect(await source.invalidate(await source.token())).toBeUndefined();
    expect(count()).toBe(2);
  });

  it("joins the refresh that is under way", async () => {
    const { sources, endpoint, clock, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    const rejected = await source.token();
    const { promise, resolve } = Promise.withResolvers<ReturnType<typeof ok>>();
    endpoint.reply = () => promise;
    await clock.advance(2_880_000);
    const newer = source.invalidate(rejected);
    const waiting = had(source);
    await settle();
    resolve(ok({ access_token: "renewed", token_type: "Bearer" }));
    expect(await waiting).toBe("renewed");
    expect(bare((await newer) ?? rejected)).toBe("renewed");
    expect(count()).toBe(2);
  });
});

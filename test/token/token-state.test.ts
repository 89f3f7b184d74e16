import { describe, expect, it } from "vitest";
import { createEngine, grant, had, oauthError, refusedConnection, spec, staticSpec } from "./engine.ts";

describe("the state of a token", () => {
  it("tells age, lifetime, scope and the next renewal", async () => {
    const { sources, clock, endpoint, expiries } = createEngine();
    endpoint.reply = grant(60, { scope: "book" });
    sources.source("q", "unused", spec());
    await had(sources.source("q", "isb", spec()));
    const obtainedAtMs = clock.wall();
    await clock.advance(1_000);
    expect(sources.states()).toEqual([
      {
        credential: "q",
        tenant: "isb",
        grant: "client_credentials",
        prefetch: false,
        state: "fresh",
        obtainedAtMs,
        expiresAtMs: obtainedAtMs + 60_000,
        lifetimeMs: 60_000,
        scope: "book",
        lastAttemptAtMs: obtainedAtMs,
        nextAttemptAtMs: obtainedAtMs + 48_000,
      },
      { credential: "q", tenant: "unused", grant: "client_credentials", prefetch: false, state: "none" },
    ]);
    expect(expiries).toEqual([(obtainedAtMs + 60_000) / 1_000]);
  });

  it.each([
    [0, "fresh"],
    [48_000, "advisory"],
    [57_000, "mandatory"],
    [60_000, "expired"],
  ])("after %i ms of 60 000 is %s", async (ms, state) => {
    const { sources, clock, endpoint } = createEngine();
    endpoint.reply = grant(60);
    await had(sources.source("q", undefined, spec()));
    clock.sleep(ms);
    expect(sources.states()[0]?.state).toBe(state);
  });

  it("tells that an exchange is under way", async () => {
    const { sources, clock, endpoint } = createEngine();
    const { promise, resolve } = Promise.withResolvers<void>();
    const reply = grant();
    endpoint.reply = async (...call: Parameters<typeof reply>) => {
      await promise;
      return reply(...call);
    };
    const waiting = had(sources.source("q", "isb", spec()));
    await clock.advance(0);
    expect(sources.states()[0]).toMatchObject({ state: "none", refreshing: true });
    resolve();
    await waiting;
    expect(sources.states()[0]?.refreshing).toBeUndefined();
  });

  it("tells the last error until the next success, without a secret", async () => {
    const { sources, clock, endpoint } = createEngine();
    endpoint.reply = refusedConnection;
    await had(sources.source("q", "isb", spec()));
    expect(sources.states()[0]).toMatchObject({
      state: "none",
      nextAttemptAtMs: clock.wall() + 1_000,
      lastError: {
        code: "TOKEN_UNAVAILABLE",
        reason: "credential q, tenant isb: the token endpoint id.example refused the connection",
        hint: "check token_url, DNS, the network path and http_proxy",
        sinceMs: clock.wall(),
        attempts: 1,
      },
    });
    const sinceMs = clock.wall();
    endpoint.reply = () => oauthError(401, "invalid_client");
    await clock.advance(1_000);
    expect(sources.states()[0]).toMatchObject({
      state: "rejected",
      lastError: {
        code: "TOKEN_REJECTED",
        hint: expect.stringContaining("client_secret"),
        sinceMs,
        attempts: 2,
      },
    });
    expect(JSON.stringify(sources.states())).not.toContain("s3cret");
    endpoint.reply = grant();
    await clock.advance(33_000);
    expect(sources.states()[0]?.lastError).toBeUndefined();
  });

  it("is one row per credential and tenant, the newest where the configuration changed", async () => {
    const { sources } = createEngine();
    await had(sources.source("q", "isb", spec({ scopes: ["old"] })));
    sources.source("q", "isb", spec({ scopes: ["new"] }));
    sources.source("key", undefined, staticSpec());
    expect(sources.states().map(({ credential, state, grant: by }) => [credential, state, by])).toEqual([
      ["key", "fresh", "static"],
      ["q", "none", "client_credentials"],
    ]);
  });
});

describe("what is logged", () => {
  it("names events, and never a token or a secret", async () => {
    const { sources, endpoint, clock, logged } = createEngine();
    const source = sources.source("q", "isb", spec());
    const rejected = await source.token();
    endpoint.reply = () => oauthError(401, "invalid_client");
    await source.invalidate(rejected);
    endpoint.reply = refusedConnection;
    await clock.advance(31_000);
    expect(logged.map(({ event }) => event)).toEqual([
      "token_obtained",
      "token_invalidated",
      "token_rejected",
      "token_request_failed",
    ]);
    expect(JSON.stringify(logged)).not.toMatch(/token-1|s3cret/);
  });
});

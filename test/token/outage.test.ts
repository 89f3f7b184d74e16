import { describe, expect, it } from "vitest";
import {
  answer,
  createEngine,
  gate,
  grant,
  had,
  hadNow,
  oauthError,
  type ok,
  type ReplyTo,
  refusal,
  refusedConnection,
  settle,
  spec,
} from "./engine.ts";

const faults: readonly (readonly [string, ReplyTo])[] = [
  ["T01 refused", refusedConnection],
  ["T02 silent", () => new Promise(() => {})],
  ["T03 503", () => answer(503)],
  ["T04 429", () => answer(429)],
  ["T05 401 invalid_client", () => oauthError(401, "invalid_client")],
  ["T06 malformed", () => answer(200, "[]")],
  ["a redirect", () => answer(307)],
  ["a page with status 403", () => answer(403, "<html>")],
];

describe.each(faults)("while the token endpoint fails (%s)", (_what, fault) => {
  it("every request is served for as long as the token is valid, and none with an expired one", async () => {
    const { sources, clock, endpoint } = createEngine();
    endpoint.reply = grant(60);
    const source = sources.source("c", undefined, spec());
    await had(source);
    const startMs = clock.now();
    endpoint.reply = fault;
    let failed = 0;
    const waiting: Promise<unknown>[] = [];
    for (let elapsedMs = 0; elapsedMs < 80_000; elapsedMs += 100) {
      const askedMs = clock.now() - startMs;
      waiting.push(
        had(source).then((token) => {
          const nowMs = clock.now() - startMs;
          if (askedMs < 60_000) expect([token, nowMs < 60_000]).toEqual(["token-1", true]);
          else {
            expect(token).toMatch(/^TOKEN_/);
            failed += 1;
          }
        }),
      );
      await clock.advance(100);
    }
    await clock.advance(20_000);
    await Promise.all(waiting);
    expect(failed).toBe(200);
  });
});

describe("T03: an outage of 10 minutes", () => {
  it("without a token is tried with backoff, then every 24 to 29 s, and over within 30 s of the end", async () => {
    const { sources, clock, endpoint } = createEngine({ random: () => 0.999 });
    endpoint.reply = () => answer(503);
    const source = sources.source("c", undefined, spec());
    const startMs = clock.now();
    for (let second = 0; second < 600; second += 1) {
      expect(await had(source)).toBe("TOKEN_UNAVAILABLE");
      await clock.advance(1_000);
    }
    const times = endpoint.requests.map(({ atMs }) => atMs - startMs);
    const gaps = times.slice(1).map((time, n) => time - (times[n] ?? 0));
    expect(gaps.slice(0, 4).map((ms) => Math.round(ms / 1_000))).toEqual([2, 4, 8, 16]);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(30_000);
    expect(times.filter((ms) => ms > 60_000 && ms <= 360_000).length).toBeLessThanOrEqual(300 / 30 + 2);
    endpoint.reply = grant();
    await clock.advance(30_000);
    expect(hadNow(source)).toMatch(/^token-/);
  });

  it("with a token that outlives it is noticed by nobody", async () => {
    const { sources, clock, endpoint } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    await clock.advance(2_870_000);
    endpoint.reply = () => answer(503);
    for (let second = 0; second < 600; second += 1) {
      await clock.advance(1_000);
      expect(hadNow(source)).toBe("token-1");
    }
    endpoint.reply = grant();
    await clock.advance(30_000);
    expect(hadNow(source)).not.toBe("token-1");
  });

  it("that ends before the token does is always noticed before", async () => {
    const { sources, clock, endpoint } = createEngine({ random: () => 0.999 });
    endpoint.reply = grant(60);
    const source = sources.source("c", undefined, spec());
    await had(source);
    await clock.advance(40_000);
    endpoint.reply = refusedConnection;
    for (let elapsedMs = 0; elapsedMs < 16_000; elapsedMs += 100) {
      expect(hadNow(source)).toBe("token-1");
      await clock.advance(100);
    }
    endpoint.reply = grant(60);
    for (let elapsedMs = 0; elapsedMs < 10_000; elapsedMs += 100) {
      await clock.advance(100);
      expect(hadNow(source)).toMatch(/^token-/);
    }
  });
});

describe("a known outage", () => {
  it("is told at once, with the time of the next attempt", async () => {
    const { sources, clock, endpoint, count } = createEngine({ random: () => 0.999 });
    endpoint.reply = () => answer(429, "", { "retry-after": "7" });
    const source = sources.source("billing", "isb", spec());
    const first = await refusal(source);
    expect(first.code).toBe("TOKEN_UNAVAILABLE");
    expect(first.retryAfterSeconds).toBe(8);
    await clock.advance(5_000);
    expect((await refusal(source)).retryAfterSeconds).toBe(3);
    expect(count()).toBe(1);
    expect(first.message).toMatch(
      /^credential billing, tenant isb: the token endpoint id\.example answered 429/,
    );
  });

  it("T04: waits as long as Retry-After says, then recovers by itself", async () => {
    const { sources, clock, endpoint, count } = createEngine();
    endpoint.reply = () => answer(429, "", { "retry-after": "7" });
    const source = sources.source("c", undefined, spec());
    await had(source);
    endpoint.reply = grant();
    await clock.advance(6_999);
    expect(count()).toBe(1);
    await clock.advance(1_001);
    expect(count()).toBe(2);
    expect(hadNow(source)).toBe("token-2");
  });

  it("T04: waits 5 minutes at most", async () => {
    const { sources, clock, endpoint, count } = createEngine();
    endpoint.reply = () => answer(429, "", { "retry-after": "99999999" });
    const source = sources.source("c", undefined, spec());
    expect((await refusal(source)).retryAfterSeconds).toBe(300);
    await clock.advance(300_000);
    expect(count()).toBe(2);
  });

  it("does not make requests wait for a retry that hangs", async () => {
    const { sources, clock, endpoint, count } = createEngine();
    endpoint.reply = refusedConnection;
    const source = sources.source("c", undefined, spec());
    await had(source);
    endpoint.reply = () => new Promise(() => {});
    await clock.advance(2_000);
    expect(count()).toBe(2);
    expect(await had(source)).toBe("TOKEN_UNAVAILABLE");
  });

  it("of a key that nobody asks for ends after a few minutes, with no timer left", async () => {
    const { sources, clock, endpoint, count } = createEngine();
    endpoint.reply = refusedConnection;
    const source = sources.source("c", undefined, spec());
    await had(source);
    await clock.advance(3_600_000);
    expect(count()).toBeLessThan(18);
    expect(clock.pending()).toEqual([]);
    endpoint.reply = grant();
    expect(await had(source)).toMatch(/^token-/);
  });
});

describe("T05: a client that the server refuses", () => {
  it("is tried once per 30 s on average, and told as TOKEN_REJECTED with what to do", async () => {
    const { sources, clock, endpoint, count, observed } = createEngine();
    endpoint.reply = () => oauthError(401, "invalid_client");
    const source = sources.source("c", undefined, spec());
    for (let second = 0; second < 600; second += 1) {
      expect(await had(source)).toBe("TOKEN_REJECTED");
      await clock.advance(1_000);
    }
    expect(count()).toBeLessThanOrEqual(600 / 30 + 2);
    expect(count()).toBeGreaterThanOrEqual(600 / 33);
    expect(observed).toContain("outcome:rejected");
    expect(observed).toContain("unavailable:rejected");
    const error = await refusal(source);
    expect(error.retryAfterSeconds).toBeUndefined();
    expect(error.message).toMatch(/answered 401 invalid_client; check client_id, client_secret/);
  });

  it("is tried at once when the configuration changes", async () => {
    const { sources, clock, endpoint } = createEngine();
    endpoint.reply = () => oauthError(401, "invalid_client");
    const source = sources.source("c", undefined, spec());
    await had(source);
    await clock.advance(2_000);
    endpoint.reply = grant();
    sources.configurationChanged();
    await settle();
    expect(hadNow(source)).toBe("token-2");
  });
});

describe("a fault of the engine's own", () => {
  it("is told as unavailable and got over, not left hanging", async () => {
    const { sources, clock, endpoint, observed } = createEngine();
    endpoint.reply = () => Promise.reject(new Error("a fault"));
    const source = sources.source("c", undefined, spec());
    expect(await had(source)).toBe("TOKEN_UNAVAILABLE");
    expect(observed).toEqual(["unavailable:internal"]);
    endpoint.reply = grant();
    await clock.advance(2_000);
    expect(hadNow(source)).toBe("token-2");
  });
});

describe("a request that has waited 10 s", () => {
  it("is told to try again, while the refresh goes on", async () => {
    const { sources, clock, endpoint, observed } = createEngine();
    const rate = { tokenRequestsPerSecond: 0.05 };
    await had(sources.source("q", "a", spec(rate)));
    const held = gate<ReturnType<typeof ok>>();
    endpoint.reply = () => held.promise;
    const source = sources.source("q", "b", spec(rate));
    const waiting = refusal(source);
    await clock.advance(10_000);
    const error = await waiting;
    expect([error.code, error.retryAfterSeconds]).toEqual(["TOKEN_UNAVAILABLE", 1]);
    expect(observed).toContain("unavailable:waited");
    endpoint.reply = grant();
    await clock.advance(10_000);
    expect(hadNow(source)).toBe("token-2");
  });
});

import { describe, expect, it } from "vitest";
import { createEngine, gate, grant, had, hadNow, ok, refusedConnection, settle, spec } from "./engine.ts";

describe("T17: in the advisory window", () => {
  it("requests go on with the current token while one refresh runs behind", async () => {
    const { sources, clock, endpoint, count, observed } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    const held = gate<ReturnType<typeof ok>>();
    endpoint.reply = () => held.promise;
    await clock.advance(2_880_000);
    for (let request = 0; request < 100; request += 1) expect(hadNow(source)).toBe("token-1");
    expect(count()).toBe(2);
    held.open(ok({ access_token: "renewed", token_type: "Bearer", expires_in: 3_600 }));
    await settle();
    expect(hadNow(source)).toBe("renewed");
    expect(count()).toBe(2);
    expect(observed.filter((event) => event === "served:advisory")).toHaveLength(100);
  });

  it("a request of an idle key begins the refresh", async () => {
    const { sources, clock, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    await clock.advance(2_880_000); // renewed by the timer, as the first request counts
    await clock.advance(2_890_000); // left alone
    expect(count()).toBe(2);
    expect(hadNow(source)).toBe("token-2");
    await settle();
    expect(count()).toBe(3);
    expect(hadNow(source)).toBe("token-3");
  });
});

describe("in the mandatory window", () => {
  it("requests wait for the refresh", async () => {
    const { sources, clock, endpoint, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    clock.sleep(3_580_000);
    const held = gate<ReturnType<typeof ok>>();
    endpoint.reply = () => held.promise;
    const waiting = [had(source), had(source)];
    await settle();
    held.open(ok({ access_token: "renewed", token_type: "Bearer" }));
    expect(await Promise.all(waiting)).toEqual(["renewed", "renewed"]);
    expect(count()).toBe(2);
  });

  it("and are served with the token that is still valid where it fails", async () => {
    const { sources, clock, endpoint, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    clock.sleep(3_580_000);
    endpoint.reply = refusedConnection;
    expect(await had(source)).toBe("token-1");
    // The outage is known now: no request waits for the next attempt.
    expect(hadNow(source)).toBe("token-1");
    expect(count()).toBe(2);
  });

  it("or takes longer than half of what is left of its life", async () => {
    const { sources, clock, endpoint } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    endpoint.reply = () => new Promise(() => {});
    clock.sleep(3_590_000);
    const waiting = had(source);
    await clock.advance(5_000);
    expect(await waiting).toBe("token-1");
  });
});

describe("the background timer", () => {
  it("renews a token that a request was sent with, so that a busy route never waits", async () => {
    const { sources, clock, endpoint, count } = createEngine();
    endpoint.reply = grant(8);
    const source = sources.source("c", undefined, spec());
    await had(source);
    for (let elapsedMs = 0; elapsedMs < 60_000; elapsedMs += 100) {
      await clock.advance(100);
      expect(hadNow(source)).not.toBe("(waits)");
    }
    // 8 s tokens, renewed 1.6 s before their end.
    expect(count()).toBe(10);
  });

  it("leaves an idle key to expire, with no timer left", async () => {
    const { sources, clock, count } = createEngine();
    const source = sources.source("c", undefined, spec());
    await had(source);
    await clock.advance(2_880_000);
    expect(count()).toBe(2); // the request that caused the fetch counts
    expect(clock.pending()).toHaveLength(1);
    await clock.advance(10 * 3_600_000);
    expect(count()).toBe(2);
    expect(clock.pending()).toEqual([]);
    expect(await had(source)).toBe("token-3");
  });

  it("keeps one timer per token, whatever the number of requests", async () => {
    const { sources, clock } = createEngine();
    for (const tenant of ["a", "b", "c"]) {
      const source = sources.source("q", tenant, spec());
      await had(source);
      for (let request = 0; request < 50; request += 1) hadNow(source);
    }
    expect(clock.pending()).toHaveLength(3);
  });

  it("outlasts the longest delay of a timer", async () => {
    const { sources, clock, endpoint, count } = createEngine({ random: () => 0 });
    endpoint.reply = grant(1e12); // clamped to 30 days; advisory after 24.6 of them
    const source = sources.source("c", undefined, spec());
    await had(source);
    await clock.advance(24.5 * 86_400_000);
    expect(hadNow(source)).toBe("token-1");
    expect(count()).toBe(1);
    await clock.advance(86_400_000 / 4);
    expect(count()).toBe(2);
  });
});

describe("T13: 200 tenants with tokens of one age", () => {
  it("are renewed over the jitter window, not in one step", async () => {
    let draw = 0;
    const { sources, clock, endpoint } = createEngine({
      random: () => {
        draw = (draw + 0.618) % 1;
        return draw;
      },
    });
    const tenants = Array.from({ length: 200 }, (_, n) => sources.source("q", `t${n}`, spec()));
    await Promise.all(tenants.map(had));
    const startMs = clock.now();
    await clock.advance(3_600_000);
    const renewals = endpoint.requests.slice(200).map(({ atMs }) => atMs - startMs);
    expect(renewals).toHaveLength(200);
    expect(Math.min(...renewals)).toBeGreaterThanOrEqual(2_808_000);
    expect(Math.max(...renewals)).toBeLessThanOrEqual(2_952_000);
    const perTenSeconds = Map.groupBy(renewals, (ms) => Math.floor(ms / 10_000));
    expect(Math.max(...[...perTenSeconds.values()].map((group) => group.length))).toBeLessThan(30);
  });
});

describe("T10: an issuer", () => {
  it("that repeats a token until 30 s are left is asked only a few times more", async () => {
    const { sources, clock, endpoint, count } = createEngine();
    const startMs = clock.now();
    endpoint.reply = () => {
      const age = (clock.now() - startMs) / 1_000;
      const left = 3_600 - (age % 3_600);
      const serial = Math.floor(age / 3_600) + (left <= 30 ? 1 : 0);
      return ok({
        access_token: `issued-${serial}`,
        token_type: "Bearer",
        expires_in: left <= 30 ? 3_600 : left,
      });
    };
    const source = sources.source("c", undefined, spec());
    await had(source);
    for (let second = 0; second < 3_600; second += 1) {
      await clock.advance(1_000);
      expect(hadNow(source)).toMatch(/^issued-/);
    }
    expect(count()).toBeLessThanOrEqual(6);
  });

  it.each([0.001, 0.5, 1, 2])("whose tokens live %d s is asked once a second at most", async (expiresIn) => {
    const { sources, clock, endpoint } = createEngine();
    endpoint.reply = grant(expiresIn);
    const source = sources.source("c", undefined, spec());
    const waiting: Promise<string>[] = [];
    for (let elapsedMs = 0; elapsedMs < 20_000; elapsedMs += 50) {
      waiting.push(had(source));
      await clock.advance(50);
    }
    await clock.advance(20_000);
    expect(await Promise.all(waiting)).not.toContain("TOKEN_REJECTED");
    const times = endpoint.requests.map(({ atMs }) => atMs);
    expect(times.length).toBeGreaterThan(5);
    for (let n = 1; n < times.length; n += 1) {
      expect((times[n] ?? 0) - (times[n - 1] ?? 0)).toBeGreaterThanOrEqual(1_000);
    }
  });
});

describe("a token that had expired when it arrived", () => {
  it("is never sent", async () => {
    const { sources, clock, endpoint, observed } = createEngine();
    const held = gate<ReturnType<typeof ok>>();
    endpoint.reply = () => held.promise;
    const waiting = had(sources.source("c", undefined, spec()));
    await clock.advance(3_000);
    held.open(ok({ access_token: "stale", token_type: "Bearer", expires_in: 2 }));
    expect(await waiting).toBe("TOKEN_UNAVAILABLE");
    expect(observed).toEqual(["outcome:expired", "unavailable:expired"]);
  });
});

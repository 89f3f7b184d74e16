import { describe, expect, it } from "vitest";
import { createServerClock, redisTimeMs } from "../../src/store/server-clock.ts";
import { createFakeClock } from "../support/fake-clock.ts";

describe("a server's clock", () => {
  it("is this machine's before it was heard", () => {
    const clock = createFakeClock();
    expect(createServerClock(clock).time()).toEqual({ earliestMs: clock.wall(), latestMs: clock.wall() });
  });

  it("is known as well as its answer was quick, and goes on whatever the wall clock does", async () => {
    const clock = createFakeClock();
    const server = createServerClock(clock);
    const askedAtMs = clock.now();
    await clock.advance(80);
    server.heard("a:1", 5_000_000, askedAtMs, clock.now());
    expect(server.time()).toEqual({ earliestMs: 5_000_000, latestMs: 5_000_080 });
    clock.setWall(0);
    await clock.advance(1_000);
    expect(server.time()).toEqual({ earliestMs: 5_001_000, latestMs: 5_001_080 });
    server.heard("a:1", 1_000, clock.now(), clock.now());
    expect(server.time()).toEqual({ earliestMs: 1_000, latestMs: 1_000 });
  });

  it("of several servers is within the bounds of all, so that nothing seems younger than it is", async () => {
    const clock = createFakeClock();
    const server = createServerClock(clock);
    const nowMs = clock.now();
    server.heard("a:1", 5_000_000, nowMs, nowMs);
    server.heard("b:1", 5_003_000, nowMs, nowMs);
    expect(server.time()).toEqual({ earliestMs: 5_000_000, latestMs: 5_003_000 });
    server.heard("a:1", 5_001_000, nowMs, nowMs);
    expect(server.time()).toEqual({ earliestMs: 5_001_000, latestMs: 5_003_000 });
  });

  it("of a server that was not heard for a day is forgotten once another is heard", async () => {
    const clock = createFakeClock();
    const server = createServerClock(clock);
    server.heard("gone:1", 1_000, clock.now(), clock.now());
    await clock.advance(24 * 3_600_000 + 1);
    server.heard("a:1", 900_000_000, clock.now(), clock.now());
    expect(server.time()).toEqual({ earliestMs: 900_000_000, latestMs: 900_000_000 });
  });

  it.each([
    [["1700000000", "250000"], 1_700_000_000_250],
    [[Buffer.from("1700000000"), Buffer.from("0")], 1_700_000_000_000],
    [["1700000000"], undefined],
    [["x", "y"], undefined],
    ["1700000000", undefined],
    [null, undefined],
    [1_700_000_000, undefined],
  ])("is read from Redis's %j as %s", (reply, unixMs) => {
    expect(redisTimeMs(reply)).toBe(unixMs);
  });
});

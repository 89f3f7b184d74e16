import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasAged, refreshPolicy, refreshWindows } from "../../src/token/refresh-policy.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createEngine, grant, hadNow, spec, staticSpec } from "./engine.ts";

const WALL_MS = 1_000_000;

describe("a token that a request was given and has not sent yet", () => {
  const windows = refreshWindows(0, WALL_MS, 60_000, () => 0.5);
  it.each([
    // given at, now, of 60 000: advisory from 48 000, mandatory from 57 000
    [0, 0, false],
    [0, 47_999, false],
    [0, 56_999, false],
    [0, 57_000, true],
    [56_999, 57_000, true],
    [57_000, 57_000, false],
    [57_000, 59_999, false],
    [57_000, 60_000, true],
    [0, 60_000, true],
  ])("at %i ms is to be exchanged at %i ms: %s", (givenAtMs, nowMs, aged) => {
    expect(hasAged(givenAtMs, nowMs, WALL_MS + nowMs, windows)).toBe(aged);
  });

  it("is looked at again when the wall clock alone says that it has expired", () => {
    expect(hasAged(0, 1_000, WALL_MS + 60_000, windows)).toBe(true);
    expect(hasAged(0, 1_000, WALL_MS - 60_000, windows)).toBe(false);
  });

  it("is exchanged whenever it has expired, and never while it is fresh", () => {
    const times = fc.tuple(fc.nat(70_000), fc.nat(70_000), fc.nat(70_000));
    fc.assert(
      fc.property(times, ([givenAtMs, waitedMs, wallMs]) => {
        const nowMs = givenAtMs + waitedMs;
        const freshness = refreshPolicy(nowMs, WALL_MS + wallMs, windows);
        const aged = hasAged(givenAtMs, nowMs, WALL_MS + wallMs, windows);
        if (freshness === "expired") expect(aged).toBe(true);
        if (freshness === "fresh" || freshness === "advisory") expect(aged).toBe(false);
      }),
    );
  });
});

describe("what a source gives out", () => {
  it("knows when it ages, by the clock that the token was had by", async () => {
    const { sources, clock } = createEngine();
    const injection = await sources.source("c", undefined, spec()).token();
    const givenAtMs = clock.now();
    expect(injection.hasAged(givenAtMs, clock)).toBe(false);
    clock.sleep(3_569_999);
    expect(injection.hasAged(givenAtMs, clock)).toBe(false);
    clock.sleep(1);
    expect(injection.hasAged(givenAtMs, clock)).toBe(true);
    expect(injection.hasAged(clock.now(), clock)).toBe(false);
  });

  it("never ages where it is a fixed header", async () => {
    const { sources } = createEngine();
    const injection = await sources.source("c", undefined, staticSpec()).token();
    const clock = createFakeClock();
    clock.sleep(1e12);
    expect(injection.hasAged(0, clock)).toBe(false);
  });

  it("counts once where one that was not sent is exchanged for another", async () => {
    const { sources, clock, endpoint, observed } = createEngine();
    endpoint.reply = grant(60);
    const source = sources.source("c", undefined, spec());
    const unsent = await source.token();
    clock.sleep(60_000);
    expect((await source.token(unsent)).headers[1]).toBe("Bearer token-2");
    expect(hadNow(source)).toBe("token-2");
    expect(observed.filter((event) => event.startsWith("served"))).toEqual(["served:fresh", "served:cached"]);
  });
});

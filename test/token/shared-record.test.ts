import { describe, expect, it } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import {
  decodeSharedToken,
  encodeSharedToken,
  localMoment,
  storeMoment,
} from "../../src/token/shared-record.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const good = { access_token: "abc", lifetime_ms: 60_000, sent_at_ms: 1_000 };

describe("a shared token's record", () => {
  it.each([
    ["all of it", { scope: "a b", forced: true }, { scope: "a b" }],
    ["what has to be", { forced: false }, { scope: undefined }],
  ])("comes back as it was put in: %s", (_what, { forced }, { scope }) => {
    const token = { value: new Secret("abc"), lifetimeMs: 60_000, scope };
    const decoded = decodeSharedToken(
      JSON.parse(JSON.stringify(encodeSharedToken({ token, sentAtMs: 1_000.5, forced }))),
    );
    expect(decoded?.token.value.reveal()).toBe("abc");
    expect(decoded).toMatchObject({ token: { lifetimeMs: 60_000, scope }, sentAtMs: 1_000.5, forced });
  });

  it.each([
    undefined,
    null,
    "abc",
    [],
    {},
    { ...good, access_token: 7 },
    { ...good, access_token: "" },
    { ...good, access_token: "a\r\nb" },
    { ...good, lifetime_ms: 0 },
    { ...good, lifetime_ms: "60000" },
    { ...good, lifetime_ms: 31 * 86_400_000 },
    { ...good, sent_at_ms: null },
    { ...good, sent_at_ms: "1" },
  ])("%j is none", (content) => {
    expect(decodeSharedToken(content)).toBeUndefined();
  });

  it("may have members that this release does not know", () => {
    expect(decodeSharedToken({ ...good, more: 1 })?.sentAtMs).toBe(1_000);
  });
});

describe("the moment of a token request", () => {
  it("is never later here than it was there, however uncertain the store's time is", () => {
    const clock = createFakeClock();
    const time = { earliestMs: 5_000, latestMs: 5_300 };
    const sentAtMs = storeMoment(clock.now() - 1_000, time, clock);
    expect(sentAtMs).toBe(4_000);
    const moment = localMoment(sentAtMs, time, clock);
    expect(moment).toEqual({ sentAtMs: clock.now() - 1_300, sentAtWallMs: clock.wall() - 1_300 });
  });

  it.each([
    [5_900, 0],
    [6_001, undefined],
  ])("that is %d by a clock that says 5000 is %s ms ago", (sentAtMs, agoMs) => {
    const clock = createFakeClock();
    const moment = localMoment(sentAtMs, { earliestMs: 5_000, latestMs: 5_000 }, clock);
    expect(moment && clock.now() - moment.sentAtMs).toBe(agoMs);
  });
});

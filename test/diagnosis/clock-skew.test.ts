import { describe, expect, it } from "vitest";
import { type ClockSample, judgeClock, serverTimeMs, skewMs } from "../../src/diagnosis/clock-skew.ts";

const NOON = Date.UTC(2030, 0, 1, 12);
const sample = (offMs: number, host = "a.example", wayMs = 100): ClockSample => ({
  host,
  serverMs: NOON,
  sentAtWallMs: NOON + offMs,
  receivedAtWallMs: NOON + offMs + wayMs,
});

describe("the clock beside those of servers", () => {
  it.each([
    ["together", 0, 100, 0],
    ["within the second that Date rounds off", 900, 100, 0],
    ["the answer took long", -5_000, 6_000, 0],
    ["ahead", 90_000, 100, 89_000],
    ["behind", -90_000, 100, -89_900],
  ])("%s", (_name, offMs, wayMs, expected) => {
    expect(skewMs(sample(offMs, "a.example", wayMs))).toBe(expected);
  });

  it.each<[string, readonly ClockSample[], string, RegExp]>([
    ["no server told it", [], "ok", /not compared/],
    ["all agree", [sample(0), sample(0, "b.example")], "ok", /agrees with 2 servers/],
    ["a minute is allowed for", [sample(60_900)], "ok", /differs by 60 s at most with a\.example/],
    [
      "ahead of all",
      [sample(400_000), sample(400_000, "b.example")],
      "failure",
      /399 s ahead of a\.example, 399 s ahead of b\.example/,
    ],
    ["behind the only one", [sample(-400_000)], "failure", /400 s behind a\.example/],
    [
      "off from one of two",
      [sample(400_000), sample(0, "b.example")],
      "warning",
      /399 s ahead of a\.example, and agrees with other/,
    ],
  ])("%s", (_name, samples, status, reason) => {
    expect(judgeClock(samples)).toMatchObject({ status, reason: expect.stringMatching(reason) });
  });

  it.each([
    ["Tue, 01 Jan 2030 12:00:00 GMT", undefined, NOON],
    ["Tue, 01 Jan 2030 12:00:00 GMT", "30", NOON + 30_000],
    ["Tue, 01 Jan 2030 12:00:00 GMT", "-1", NOON],
    ["2030-01-01", undefined, undefined],
    ["Tue, 41 Jan 2030 12:00:00 GMT", undefined, undefined],
    [undefined, undefined, undefined],
  ])("reads Date %s with Age %s", (date, age, expected) => {
    expect(serverTimeMs(date, age)).toBe(expected);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRateLimitReset, parseRetryAfter } from "../../src/token/retry-after.ts";

const wall = Date.UTC(2030, 0, 1, 12, 0, 0);

describe("T04: Retry-After", () => {
  it.each([
    ["7", 7_000],
    [" 7 ", 7_000],
    ["99999999", 99_999_999_000],
    ["Tue, 01 Jan 2030 12:00:07 GMT", 7_000],
    ["Tue, 01 Jan 2030 11:59:59 GMT", undefined],
    ["Tue, 99 Jan 2030 12:00:07 GMT", undefined],
    ["0", undefined],
    ["-7", undefined],
    ["7.5", undefined],
    ["1e3", undefined],
    ["soon", undefined],
    ["2031", 2_031_000],
    ["2031-01-01", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("%j is %j ms", (value, ms) => {
    expect(parseRetryAfter(value, wall)).toBe(ms);
  });

  it("takes any text without throwing", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const ms = parseRetryAfter(text, wall);
        expect(ms === undefined || (ms > 0 && Number.isFinite(ms))).toBe(true);
      }),
    );
  });
});

describe("x-ratelimit-reset", () => {
  it.each([
    [String(wall / 1_000 + 9), 9_000],
    [String(wall / 1_000 - 9), undefined],
    ["9", undefined],
    ["junk", undefined],
    [undefined, undefined],
  ])("%j is %j ms", (value, ms) => {
    expect(parseRateLimitReset(value, wall)).toBe(ms);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FailedAttempt, retryDelayMs } from "../../src/token/retry-policy.ts";

const failed = (overrides: Partial<FailedAttempt> = {}): FailedAttempt => ({
  attempt: 0,
  rejected: false,
  retryAfterMs: undefined,
  nowMs: 0,
  valid: undefined,
  ...overrides,
});
const valid = (mandatoryAtMs: number, expiresAtMs: number): FailedAttempt["valid"] => ({
  advisoryAtMs: -1,
  mandatoryAtMs,
  expiresAtMs,
  expiresAtWallMs: 0,
});
const least = (): number => 0;
const most = (): number => 1;

describe("the delay before the next attempt", () => {
  it.each([
    ["first failure", failed(), 1_000, 2_000],
    ["second", failed({ attempt: 1 }), 1_000, 4_000],
    ["third", failed({ attempt: 2 }), 1_000, 8_000],
    ["fourth", failed({ attempt: 3 }), 1_000, 16_000],
    ["a long outage without a valid token", failed({ attempt: 4 }), 24_000, 29_000],
    ["a very long one", failed({ attempt: 5_000 }), 24_000, 29_000],
    ["a long outage with a valid token", failed({ attempt: 9, valid: valid(1e6, 2e6) }), 1_000, 30_000],
    ["refused by the server", failed({ rejected: true }), 27_000, 33_000],
    ["refused for the hundredth time", failed({ rejected: true, attempt: 99 }), 27_000, 33_000],
    ["the mandatory window opens in 5 s", failed({ attempt: 9, valid: valid(5_000, 9_000) }), 1_000, 5_000],
    ["the token expires in 3 s", failed({ attempt: 9, valid: valid(-1, 3_000) }), 1_000, 3_000],
    ["the token expires in 10 ms", failed({ attempt: 9, valid: valid(-1, 10) }), 1_000, 1_000],
    ["Retry-After 7 s", failed({ retryAfterMs: 7_000 }), 7_000, 7_700],
    ["Retry-After shorter than the backoff", failed({ retryAfterMs: 10 }), 1_000, 2_000],
    [
      "Retry-After over the end of the token",
      failed({ retryAfterMs: 60_000, valid: valid(1, 2) }),
      60_000,
      61_000,
    ],
    ["Retry-After of three years", failed({ retryAfterMs: 99_999_999_000 }), 300_000, 300_000],
    ["Retry-After when refused", failed({ rejected: true, retryAfterMs: 120_000 }), 120_000, 121_000],
  ])("%s", (_what, attempt, min, max) => {
    expect(retryDelayMs(attempt, least)).toBe(min);
    expect(retryDelayMs(attempt, most)).toBe(max);
  });

  it("is at least 1 s and at most 5 min, and 30 s where the server asks for nothing", () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.boolean(),
        fc.option(fc.double({ min: 1, max: 1e15, noNaN: true }), { nil: undefined }),
        fc.option(fc.tuple(fc.integer(), fc.nat()), { nil: undefined }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, rejected, retryAfterMs, window, draw) => {
          const token = window === undefined ? undefined : valid(window[0], window[0] + window[1]);
          const delay = retryDelayMs(failed({ attempt, rejected, retryAfterMs, valid: token }), () => draw);
          expect(delay).toBeGreaterThanOrEqual(1_000);
          expect(delay).toBeLessThanOrEqual(300_000);
          if (retryAfterMs === undefined) expect(delay).toBeLessThanOrEqual(rejected ? 33_000 : 30_000);
        },
      ),
    );
  });
});

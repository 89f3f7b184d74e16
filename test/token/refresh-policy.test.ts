import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { refreshPolicy, refreshWindows } from "../../src/token/refresh-policy.ts";

const middle = (): number => 0.5;
const low = (): number => 0;
const high = (): number => 1 - Number.EPSILON;

describe("the windows of a token", () => {
  it.each([
    // lifetime s, advisory opens (earliest, middle, latest) and mandatory opens, all in ms before expiry
    [3_600, 792_000, 720_000, 648_000, 30_000],
    [600, 132_000, 120_000, 108_000, 30_000],
    [300, 66_000, 60_000, 54_000, 15_000],
    [60, 13_200, 12_000, 10_800, 3_000],
    [8, 1_760, 1_600, 1_440, 400],
    [1, 220, 200, 180, 50],
  ])("of %i s open as the contract says", (lifetime, earliest, usual, latest, mandatory) => {
    const end = 5_000 + lifetime * 1_000;
    const windows = [high, middle, low].map((random) =>
      refreshWindows(5_000, 7_000, lifetime * 1_000, random),
    );
    expect(windows.map(({ advisoryAtMs }) => Math.round(end - advisoryAtMs))).toEqual([
      earliest,
      usual,
      latest,
    ]);
    for (const window of windows) {
      expect(window.expiresAtMs).toBe(end);
      expect(window.mandatoryAtMs).toBe(end - mandatory);
      expect(window.expiresAtWallMs).toBe(7_000 + lifetime * 1_000);
    }
  });
});

describe("the refresh policy", () => {
  const windows = refreshWindows(0, 1_000_000, 60_000, middle);
  it.each([
    [0, "fresh"],
    [47_999, "fresh"],
    [48_000, "advisory"],
    [56_999, "advisory"],
    [57_000, "mandatory"],
    [59_999, "mandatory"],
    [60_000, "expired"],
    [9e15, "expired"],
  ])("at %i ms of 60 000 says %s", (now, freshness) => {
    expect(refreshPolicy(now, 1_000_000 + now, windows)).toBe(freshness);
  });

  it.each([
    ["an hour ahead, past the expiry: recheck", 1_000, 1_000_000 + 3_600_000, "mandatory"],
    ["ahead, but not past the expiry", 1_000, 1_000_000 + 59_000, "fresh"],
    ["an hour back", 1_000, 1_000_000 - 3_600_000, "fresh"],
    ["an hour back does not revive an expired token", 60_000, 1_000_000 - 3_600_000, "expired"],
  ])("with the wall clock %s", (_what, now, wall, freshness) => {
    expect(refreshPolicy(now, wall, windows)).toBe(freshness);
  });

  it("orders the windows, and never calls an expired token anything else", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-3, max: 30 * 86_400_000, noNaN: true }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.double({ min: -1e12, max: 1e12, noNaN: true }),
        fc.double({ min: -1e12, max: 1e13, noNaN: true }),
        (lifetimeMs, draw, sinceSentMs, wallMs) => {
          const drawn = refreshWindows(1e6, 1e12, lifetimeMs, () => draw);
          const { advisoryAtMs, mandatoryAtMs, expiresAtMs } = drawn;
          expect(advisoryAtMs).toBeGreaterThanOrEqual(1e6);
          expect(advisoryAtMs).toBeLessThanOrEqual(mandatoryAtMs);
          expect(mandatoryAtMs).toBeLessThanOrEqual(expiresAtMs);
          const now = 1e6 + sinceSentMs;
          expect(refreshPolicy(now, wallMs, drawn) === "expired").toBe(now >= expiresAtMs);
        },
      ),
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closestOf, editDistance } from "../../src/config/suggestion.ts";

describe("did you mean", () => {
  const candidates = ["client_id", "client_secret", "scopes", "tls", "production", "warn", "GET"];
  it.each([
    ["client_secert", "client_secret"],
    ["clientSecret", "client_secret"],
    ["client-id", "client_id"],
    ["scope", "scopes"],
    ["prod", "production"],
    ["warning", "warn"],
    ["get", "GET"],
    ["tsl", "tls"],
    ["tl", undefined],
    ["region", undefined],
    ["", undefined],
    ["x".repeat(100_000), undefined],
  ])("%j: %s", (word, closest) => {
    expect(closestOf(word, candidates)).toBe(closest);
  });

  it.each([
    ["", "abc", 3],
    ["abc", "abc", 0],
    ["abc", "acb", 1],
    ["abc", "abd", 1],
    ["kitten", "sitting", 3],
  ])("the distance of %j and %j is %d", (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
  });

  it("distance is symmetric, and 0 for equal words only", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b) === 0).toBe(a === b);
      }),
    );
  });
});

import { describe, expect, it } from "vitest";
import type { ClientCredentialsSpec } from "../../src/config/config.ts";
import { Secret } from "../../src/core/secret.ts";
import { judgeGrantedToken } from "../../src/diagnosis/granted-token.ts";
import { spec } from "../token/engine.ts";

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const signed = (claims: object): string => `${part({ alg: "RS256" })}.${part(claims)}.c2ln`;
const ENCRYPTED = `${part({ alg: "dir", enc: "A256GCM" })}..aXY.Y2lwaGVy.dGFn`;

function judge(value: string, overrides: Partial<ClientCredentialsSpec> = {}, scope?: string) {
  return judgeGrantedToken(
    { value: new Secret(value), lifetimeMs: 3_600_000, scope },
    { spec: spec(overrides), sentAtWallMs: Date.UTC(2030, 0, 1), durationMs: 12.4, omission: undefined },
  );
}

describe("a token that was granted", () => {
  it.each<[string, string, Partial<ClientCredentialsSpec>, string | undefined, string, RegExp]>([
    ["as asked, in so many words", signed({}), { scopes: ["a", "b"] }, "b a", "ok", /scope b a, in 12 ms$/],
    [
      "as asked, without a word",
      signed({}),
      { scopes: ["a", "b"] },
      undefined,
      "ok",
      /scope a b \(as asked\)/,
    ],
    ["with less than was asked for", signed({}), { scopes: ["a", "b"] }, "a", "warning", /not granted: b$/],
    ["with more", signed({}), { scopes: ["a"] }, "a c", "ok", /scope a c/],
    [
      "for the audience",
      signed({ aud: ["urn:a", "urn:b"] }),
      { audience: "urn:b" },
      undefined,
      "ok",
      /no scope/,
    ],
    [
      "for another",
      signed({ aud: "urn:a/" }),
      { audience: "urn:a" },
      undefined,
      "warning",
      /another audience/,
    ],
    ["without one in it", signed({}), { audience: "urn:a" }, undefined, "ok", /no scope/],
    ["encrypted, and none asked for", ENCRYPTED, {}, undefined, "warning", /no audience was asked for/],
    ["encrypted for an audience", ENCRYPTED, { audience: "urn:a" }, undefined, "ok", /no scope/],
    ["opaque", "b3BhcXVl", {}, undefined, "ok", /opaque.*may want an audience/],
  ])("%s", (_name, value, overrides, scope, status, reason) => {
    const verdict = judge(value, overrides, scope);
    expect(verdict).toMatchObject({ status, reason: expect.stringMatching(reason) });
    expect(verdict.reason).toContain("until 2030-01-01T01:00:00Z");
    expect(JSON.stringify(verdict)).not.toContain(value);
    expect(verdict.hint === undefined).toBe(status === "ok");
  });
});

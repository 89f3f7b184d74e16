import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sensitiveForms } from "../../src/token/redaction.ts";
import type { TokenOutcome } from "../../src/token/token-outcome.ts";
import { tokenResponse } from "../../src/token/token-response.ts";
import { answer, oauthError, ok } from "./engine.ts";

const clientSecret = "p@ss word+1";
const context = { wallMs: Date.UTC(2030, 0, 1), sensitive: sensitiveForms("my-id", clientSecret) };
const good = { access_token: "abc.def", token_type: "Bearer", expires_in: 3_600 };
const read = (members: unknown): TokenOutcome => tokenResponse(ok(members), context);
const reasonOf = (outcome: TokenOutcome): string => (outcome.kind === "token" ? "token" : outcome.reason);
const secondsOf = (outcome: TokenOutcome): unknown =>
  outcome.kind === "token" ? outcome.token.lifetimeMs / 1_000 : outcome.reason;

describe("a good answer", () => {
  it("gives token, lifetime and scope", () => {
    const outcome = read({ ...good, scope: "a b" });
    expect(
      outcome.kind === "token" && [
        outcome.token.value.reveal(),
        outcome.token.lifetimeMs,
        outcome.token.scope,
      ],
    ).toEqual(["abc.def", 3_600_000, "a b"]);
  });
});

describe("T07: expires_in", () => {
  it.each([
    [undefined, 300],
    [3_600, 3_600],
    ["3600", 3_600],
    ["3600.5", 3_600.5],
    [0.5, 0.5],
    [1e12, 2_592_000],
    ["9".repeat(400), 2_592_000],
    [0, "malformed"],
    [-1, "malformed"],
    ["0", "malformed"],
    ["-1", "malformed"],
    ["1e3", "malformed"],
    ["0x10", "malformed"],
    ["NaN", "malformed"],
    ["Infinity", "malformed"],
    ["", "malformed"],
    [" 60", "malformed"],
    [null, "malformed"],
    [true, "malformed"],
    [[60], "malformed"],
    [{}, "malformed"],
  ])("%j is %j", (value, expected) => {
    expect(secondsOf(read({ ...good, expires_in: value }))).toBe(expected);
  });

  it("as a bare NaN is no JSON", () => {
    const body = '{"access_token":"a","token_type":"Bearer","expires_in":NaN}';
    expect(reasonOf(tokenResponse(answer(200, body), context))).toBe("malformed");
  });

  it("beyond what a double holds is clamped", () => {
    const body = '{"access_token":"a","token_type":"Bearer","expires_in":1e999}';
    expect(secondsOf(tokenResponse(answer(200, body), context))).toBe(2_592_000);
  });
});

describe("T09: token_type", () => {
  it.each([
    ["Bearer", "token"],
    ["bEaReR", "token"],
    ["mac", "malformed"],
    ["DPoP", "malformed"],
    ["", "malformed"],
    [undefined, "malformed"],
    [1, "malformed"],
  ])("%j is %s", (type, expected) => {
    expect(reasonOf(read({ ...good, token_type: type }))).toBe(expected);
  });
});

describe("T06: a 200 that carries no token", () => {
  it.each([
    ["HTML", "<!doctype html><title>Sign in</title>"],
    ["nothing", ""],
    ["half an object", "{"],
    ["an array", "[]"],
    ["null", "null"],
    ["a string", '"token"'],
    ["an empty object", "{}"],
    ["a null token", JSON.stringify({ ...good, access_token: null })],
    ["a number for a token", JSON.stringify({ ...good, access_token: 7 })],
    ["an empty token", JSON.stringify({ ...good, access_token: "" })],
    ["a token with a line break", JSON.stringify({ ...good, access_token: "a\r\nX: y" })],
    ["a token with a space", JSON.stringify({ ...good, access_token: "a b" })],
    ["a token beyond ASCII", JSON.stringify({ ...good, access_token: "ä" })],
    ["a token of 1 MB", JSON.stringify({ ...good, access_token: "a".repeat(1_000_000) })],
    ["an error with status 200", JSON.stringify({ error: "invalid_client" })],
  ])("%s", (_what, body) => {
    expect(reasonOf(tokenResponse(answer(200, body), context))).toBe("malformed");
  });

  it.each([
    [
      "a compressed one",
      { ...answer(200, JSON.stringify(good), { "content-encoding": "gzip" }) },
      "malformed",
    ],
    ["one of 10 MiB", { ...answer(200), body: undefined, tooLarge: true }, "too_large"],
  ])("%s", (_what, response, reason) => {
    expect(reasonOf(tokenResponse(response, context))).toBe(reason);
  });
});

describe("what an answer other than 200 means", () => {
  it.each([
    ["401 invalid_client", oauthError(401, "invalid_client"), "rejected", true],
    ["400 invalid_client (Cognito)", oauthError(400, "invalid_client"), "rejected", true],
    ["401 access_denied (Auth0, wrong secret)", oauthError(401, "access_denied"), "rejected", true],
    ["403 access_denied (Auth0, wrong environment)", oauthError(403, "access_denied"), "rejected", false],
    ["400 unauthorized_client", oauthError(400, "unauthorized_client"), "rejected", false],
    ["400 invalid_scope", oauthError(400, "invalid_scope"), "rejected", false],
    ["400 a code of the server's own", oauthError(400, "org_not_found"), "rejected", false],
    ["429 with an OAuth2 error", oauthError(429, "access_denied"), "rate_limited", false],
    ["400 too_many_requests", oauthError(400, "too_many_requests"), "http_4xx", false],
    ["400 slow_down", oauthError(400, "slow_down"), "http_4xx", false],
    ["400 temporarily_unavailable", oauthError(400, "temporarily_unavailable"), "http_4xx", false],
    ["400 server_error", oauthError(400, "server_error"), "http_4xx", false],
    ["500 access_denied (Auth0, global limit)", oauthError(500, "access_denied"), "http_5xx", false],
    ["503", answer(503, "upstream down"), "http_5xx", false],
    ["302", answer(302), "redirect", false],
    ["307", answer(307), "redirect", false],
    ["403 with a page", answer(403, "<html>blocked</html>"), "http_4xx", false],
    ["401 with a page", answer(401, "<html>sign in</html>"), "http_4xx", true],
    ["404 of a framework", answer(404, JSON.stringify({ error: "Not Found" })), "http_4xx", false],
    ["400 with a number for an error", answer(400, JSON.stringify({ error: 7 })), "http_4xx", false],
    ["400 too large", { ...answer(400), body: undefined, tooLarge: true }, "http_4xx", false],
    ["204", answer(204), "malformed", false],
    ["201 with a token", answer(201, JSON.stringify(good)), "malformed", false],
  ])("%s", (_what, response, reason, clientRefused) => {
    const outcome = tokenResponse(response, context);
    expect(reasonOf(outcome)).toBe(reason);
    expect(outcome.kind !== "token" && outcome.clientRefused).toBe(clientRefused);
  });
});

describe("T04: what the server asks for", () => {
  const reset = String(context.wallMs / 1_000 + 40);
  it.each([
    [answer(429, "", { "retry-after": "7" }), 7_000],
    [answer(429, "", { "retry-after": "7", "x-ratelimit-reset": reset }), 7_000],
    [answer(429, "", { "x-ratelimit-reset": reset }), 40_000],
    [answer(503, "", { "retry-after": "Tue, 01 Jan 2030 00:00:09 GMT" }), 9_000],
    [answer(503, "", { "x-ratelimit-reset": reset }), undefined],
    [answer(429, "", { "retry-after": "-1" }), undefined],
  ])("%j", (response, ms) => {
    const outcome = tokenResponse(response, context);
    expect(outcome.kind !== "token" && outcome.retryAfterMs).toBe(ms);
  });
});

describe("K02: the server's own words", () => {
  const describing = (error_description: unknown): string => {
    const outcome = tokenResponse(
      answer(401, JSON.stringify({ error: "invalid_client", error_description })),
      context,
    );
    return outcome.kind === "token" ? "" : outcome.detail;
  };

  it("are shown when short and printable", () => {
    expect(describing("Client authentication failed.")).toBe(
      "answered 401 invalid_client (Client authentication failed.)",
    );
  });

  it.each([
    ["echo the secret", `bad secret ${clientSecret}`],
    ["echo it form-encoded", "bad p%40ss+word%2B1"],
    ["echo it percent-encoded in lower case", "bad p%40ss%20word%2b1"],
    ["echo it in base64", `bad ${Buffer.from(clientSecret).toString("base64")}`],
    ["echo the Basic credentials", `bad ${Buffer.from("my-id:p%40ss+word%2B1").toString("base64")}`],
    ["hold control bytes", "bad\u001b[31m"],
    ["hold line breaks", "bad\r\nevent: forged"],
    ["are long", "x".repeat(201)],
    ["are not ASCII", "falsch: ü"],
    ["are no text", { nested: true }],
  ])("are left out when they %s", (_what, description) => {
    expect(describing(description)).toBe("answered 401 invalid_client");
  });

  it("as a code that is the secret are left out too", () => {
    const sensitive = sensitiveForms("my-id", "hunter2");
    const outcome = tokenResponse(oauthError(400, "hunter2"), { ...context, sensitive });
    expect(JSON.stringify(outcome)).not.toContain("hunter2");
    expect(outcome).toMatchObject({ kind: "rejected", error: "unknown_error" });
  });

  it("as a scope that echoes the token are left out", () => {
    const outcome = read({ ...good, scope: "abc.def" });
    expect(outcome.kind === "token" && outcome.token.scope).toBeUndefined();
  });
});

describe("any bytes", () => {
  const member = fc.oneof(
    fc.string(),
    fc.double(),
    fc.constant(null),
    fc.boolean(),
    fc.constant("Bearer"),
    fc.jsonValue(),
  );
  const body = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc
      .record(
        {
          access_token: member,
          token_type: member,
          expires_in: member,
          error: member,
          error_description: member,
          scope: member,
        },
        { requiredKeys: [] },
      )
      .map((members) => JSON.stringify(members)),
  );

  it("give a token that is fit to be sent, or a failure, and never throw", () => {
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 999 }), body, fc.string(), (status, text, retryAfter) => {
        const outcome = tokenResponse(answer(status, text, { "retry-after": retryAfter }), context);
        if (outcome.kind === "token") {
          expect(status).toBe(200);
          expect(outcome.token.value.reveal()).toMatch(/^[\x21-\x7e]+$/);
          expect(outcome.token.lifetimeMs).toBeGreaterThan(0);
          expect(outcome.token.lifetimeMs).toBeLessThanOrEqual(30 * 86_400_000);
        } else {
          expect(outcome.detail).toMatch(/^[\x20-\x7e]+$/);
          if (outcome.kind === "rejected") expect(status >= 400 && status < 500 && status !== 429).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a refresh token in the answer", () => {
  const refreshOf = (refresh_token: unknown): unknown => {
    const outcome = read({ ...good, refresh_token });
    return outcome.kind === "token" ? outcome.token.refreshToken?.reveal() : outcome.reason;
  };

  it.each([
    ["v1.Abc-_~ +/=", "v1.Abc-_~ +/="],
    [undefined, undefined],
    [null, undefined],
    ["", undefined],
    [7, undefined],
    ["a\nb", undefined],
    ["é", undefined],
    ["x".repeat(32_769), undefined],
  ])("%j is kept only where it can be sent", (sent, kept) => {
    expect(refreshOf(sent)).toBe(kept);
  });

  it("is not shown as a scope", () => {
    const outcome = read({ ...good, refresh_token: "rrrr", scope: "a rrrr" });
    expect(outcome.kind === "token" && outcome.token.scope).toBeUndefined();
  });
});

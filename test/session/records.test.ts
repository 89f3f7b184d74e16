import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import { type LoginRecord, loginContent, parseLogin } from "../../src/session/login-record.ts";
import { parseSession, type SessionRecord, sessionContent } from "../../src/session/record.ts";

const session: SessionRecord = {
  createdAtMs: 1,
  usedAtMs: 2,
  tokens: new Map([
    [
      "user",
      {
        grant: "user",
        identity: "i",
        accessToken: new Secret("a"),
        refreshToken: new Secret("r"),
        scope: "s",
        sentAtMs: 3,
        lifetimeMs: 4,
        signedInAtMs: 5,
        intent: { id: "x", fingerprint: "f", atMs: 6 },
      },
    ],
    [
      "__proto__",
      {
        grant: "anonymous",
        identity: "i",
        accessToken: new Secret("b"),
        refreshToken: undefined,
        scope: undefined,
        sentAtMs: 3,
        lifetimeMs: 4,
        signedInAtMs: 5,
        intent: undefined,
      },
    ],
  ]),
};

const login: LoginRecord = {
  createdAtMs: 1,
  credential: "user",
  identity: "i",
  verifier: "v",
  returnTo: "/",
  redirectUri: "https://x.example/",
  keeper: { kind: "application", session: "s", oldSession: undefined, ownPage: true },
};

const stored = (content: unknown): unknown => JSON.parse(JSON.stringify(content));

describe("records in the store", () => {
  it("come back as they were written", () => {
    const parsed = parseSession(stored(sessionContent(session)));
    expect(sessionContent(parsed ?? session)).toEqual(sessionContent(session));
    expect([...(parsed?.tokens.keys() ?? [])].sort()).toEqual(["__proto__", "user"]);
    expect(parsed?.tokens.get("user")?.refreshToken?.reveal()).toBe("r");
    expect(parseLogin(stored(loginContent(login)))).toEqual(login);
    const browser = { ...login, keeper: { kind: "browser", browserHash: "b" } } as const;
    expect(parseLogin(stored(loginContent(browser)))).toEqual(browser);
  });

  it("lose no more than the one token that does not fit", () => {
    const content = stored(sessionContent(session)) as { tokens: Record<string, { access: unknown }> };
    const { user } = content.tokens;
    if (user !== undefined) user.access = 7;
    expect([...(parseSession(content)?.tokens.keys() ?? [])]).toEqual(["__proto__"]);
  });

  it("of any other shape are none, and never an error", () => {
    const shapes = fc.oneof(
      fc.jsonValue(),
      fc.record({
        v: fc.constant(1),
        created: fc.jsonValue(),
        used: fc.nat(),
        tokens: fc.jsonValue(),
        keeper: fc.jsonValue(),
      }),
    );
    fc.assert(
      fc.property(shapes, (content) => {
        const parsed = parseSession(content);
        if (parsed !== undefined) expect(parseSession(stored(sessionContent(parsed)))).toBeDefined();
        expect(parseLogin(content)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});

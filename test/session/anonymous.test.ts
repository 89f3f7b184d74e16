import { describe, expect, it } from "vitest";
import { bare, createLab, had, hadNow, type Lab, type Process } from "./lab.ts";
import { answer } from "./scripted-provider.ts";

function started(): {
  lab: Lab;
  process: Process;
  source(id?: string): ReturnType<Process["sessions"]["source"]>;
} {
  const lab = createLab();
  const process = lab.start();
  return { lab, process, source: (id) => process.sessions.source(lab.anonymous, id) };
}

async function visitor({ source }: ReturnType<typeof started>): Promise<string> {
  const first = source();
  await first.token();
  return first.created ?? "";
}

describe("an anonymous visitor", () => {
  it("gets a session and one token, minted with the application's own", async () => {
    const at = started();
    const first = at.source();
    expect(await had(first)).toBe("anon-1");
    const id = first.created;
    expect(id).toMatch(/^[\w-]{43}$/);
    const { request } = at.lab.provider.requests[0] ?? {};
    expect([request?.url.href, request?.body]).toEqual([
      "https://api.example/anonymous",
      '{"app_client_id":"spa-1"}',
    ]);
    expect(request?.headers.slice(-2)).toEqual(["authorization", "Bearer app-1"]);
    const again = at.source(id);
    expect([hadNow(again), again.created]).toEqual(["anon-1", undefined]);
    expect(at.lab.provider.requests.length).toBe(1);
    expect(at.process.observed).toEqual([
      "anonymous outcome:success",
      "anonymous served:fresh",
      "anonymous served:cached",
    ]);
    expect(await at.process.sessions.describe(id)).toEqual({
      signed_in: false,
      session_expires_in: 15 * 86_400,
    });
    expect(await at.process.sessions.isSignedIn(id)).toBe(false);
  });

  it("another visitor gets another token", async () => {
    const at = started();
    expect(await had(at.source(await visitor(at)))).toBe("anon-1");
    expect(await had(at.source(await visitor(at)))).toBe("anon-2");
  });

  it.each(["", "x", "x".repeat(43), "../..", "é".repeat(43)])(
    "an id that is none (%j) is never taken over",
    async (id) => {
      const at = started();
      const source = at.source(id);
      await had(source);
      expect(source.created).toMatch(/^[\w-]{43}$/);
      expect(source.created).not.toBe(id);
    },
  );

  it("malformed ids never reach the store", async () => {
    const at = started();
    await had(at.process.sessions.source(at.lab.user, "x"));
    await at.process.sessions.describe("y".repeat(44));
    await at.process.sessions.logout("z z");
    expect(at.process.vault.operations).toEqual([]);
  });

  it("of 20 requests with an expired token one mints", async () => {
    const at = started();
    const id = await visitor(at);
    await at.lab.clock.advance(600_000);
    const tokens = await Promise.all(Array.from({ length: 20 }, () => had(at.source(id))));
    expect(new Set(tokens)).toEqual(new Set(["anon-2"]));
  });

  it("the upstream's 401 mints anew", async () => {
    const at = started();
    const source = at.source(await visitor(at));
    expect(bare(await source.invalidate(await source.token()))).toBe("anon-2");
  });

  it("a session that a first request made can be invalidated by that request", async () => {
    const at = started();
    const source = at.source();
    expect(bare(await source.invalidate(await source.token()))).toBe("anon-2");
  });
});

describe("the answer that mints", () => {
  it.each<[unknown, string, number?]>([
    [{ access_token: "t", expires_in: 60 }, "t", 60],
    [{ token: "t", expires_in: "60" }, "t", 60],
    [{ anonymous_token: "t" }, "t", 300],
    [{ access_token: "t", expires_in: 1e12 }, "t", 30 * 86_400],
    [{ request_id: "r", data: { anonymous_token: "t" } }, "t", 300],
    [{ access_token: "" }, "TOKEN_UNAVAILABLE"],
    [{ access_token: "a b" }, "TOKEN_UNAVAILABLE"],
    [{ token: 1 }, "TOKEN_UNAVAILABLE"],
    [{ token: "t", expires_in: 0 }, "TOKEN_UNAVAILABLE"],
    [{ token: "t", expires_in: "soon" }, "TOKEN_UNAVAILABLE"],
    [[], "TOKEN_UNAVAILABLE"],
  ])("%j", async (body, expected, lifetimeSeconds) => {
    const at = started();
    at.lab.provider.anonymousBody = () => body;
    const source = at.source();
    expect(await had(source)).toBe(expected);
    if (lifetimeSeconds === undefined) return;
    const kept = at.lab.store.records.get(`session ${source.created}`)?.content ?? "{}";
    expect(JSON.parse(kept).tokens.anonymous.lifetime).toBe(lifetimeSeconds * 1_000);
  });

  it("401 means another application token, and one more try", async () => {
    const at = started();
    at.lab.provider.intercept = (_body, { headers }) =>
      headers.includes("Bearer app-1") ? answer(401, "") : undefined;
    expect(await had(at.source())).toBe("anon-1");
    expect(at.process.appTokens.invalidated).toEqual(["Bearer app-1"]);
    expect(at.lab.provider.requests.length).toBe(2);
  });

  it.each([
    ["401 for every application token", () => answer(401, ""), "TOKEN_UNAVAILABLE", 2],
    ["403", () => answer(403, { error: "access_denied" }), "TOKEN_REJECTED", 1],
    ["500", () => answer(500, ""), "TOKEN_UNAVAILABLE", 1],
    ["a redirect", () => answer(302, ""), "TOKEN_UNAVAILABLE", 1],
  ])(
    "%s: no session, no application token in its place, and others fail fast",
    async (_name, reply, code, requests) => {
      const at = started();
      at.lab.provider.intercept = reply;
      const first = at.source();
      expect([await had(first), first.created]).toEqual([code, undefined]);
      expect(await had(at.source())).toBe(code);
      expect(at.lab.provider.requests.length).toBe(requests);
      expect(at.lab.store.records.size).toBe(0);
      at.lab.provider.intercept = undefined;
      await at.lab.clock.advance(34_000);
      expect(await had(at.source())).toBe("anon-1");
    },
  );

  it("no answer: a request waits 10 s at most", async () => {
    const at = started();
    at.lab.provider.intercept = () => new Promise(() => {});
    const waiting = had(at.source());
    await at.lab.clock.advance(10_000);
    expect(await waiting).toBe("TOKEN_UNAVAILABLE");
  });
});

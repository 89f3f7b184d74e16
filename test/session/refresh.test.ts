import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { transient } from "../../src/token/token-outcome.ts";
import { bare, createLab, had, hadNow, type Lab, type Process, refusal, signIn } from "./lab.ts";
import { answer } from "./scripted-provider.ts";

async function signedIn(overrides: Parameters<typeof createLab>[0] = {}): Promise<{
  readonly lab: Lab;
  readonly process: Process;
  readonly id: string;
  source(other?: Process): ReturnType<Process["sessions"]["source"]>;
}> {
  const lab = createLab(overrides);
  const process = lab.start();
  const id = await signIn(lab, process);
  return { lab, process, id, source: (other = process) => other.sessions.source(lab.user, id) };
}

async function idOf({ store }: Lab): Promise<string> {
  return [...store.records.keys()][0]?.replace("session ", "") ?? "";
}

const HOUR_MS = 3_600_000;

describe("O09: an access token that is due", () => {
  it("fresh: is given out at once, without asking anybody", async () => {
    const { process, source, lab } = await signedIn();
    const operations = process.vault.operations.length;
    expect(hadNow(source())).toBe("at-1");
    expect(process.vault.operations.length).toBe(operations);
    expect(lab.provider.count("refresh_token")).toBe(0);
  });

  it("advisory: is given out while one refresh runs behind", async () => {
    const { lab, source } = await signedIn();
    await lab.clock.advance(HOUR_MS - 700_000);
    await had(source());
    await lab.clock.advance(500);
    expect(hadNow(source())).toBe("at-2");
    expect(lab.provider.count("refresh_token")).toBe(1);
  });

  it("expired: 50 requests make one refresh and get 50 tokens", async () => {
    const { lab, source } = await signedIn();
    await lab.clock.advance(HOUR_MS);
    const tokens = await Promise.all(Array.from({ length: 50 }, () => had(source())));
    expect(new Set(tokens)).toEqual(new Set(["at-2"]));
    expect(lab.provider.count("refresh_token")).toBe(1);
  });

  it("expired: a request that comes at whatever moment of the refresh gets what it brings", async () => {
    const { lab, process, source } = await signedIn();
    await lab.clock.advance(HOUR_MS);
    const late: Promise<string | undefined>[] = [];
    const moments: string[] = [];
    const arrive = async (moment: string): Promise<void> => {
      moments.push(moment);
      late.push(had(source()));
      await setImmediate(); // The moment lasts until that request has got as far as it can.
    };
    process.step = arrive;
    process.vault.step = arrive;
    expect(await had(source())).toBe("at-2");
    // The intent, and the new tokens.
    expect(moments.indexOf("before write session")).toBeLessThan(moments.indexOf("sent"));
    expect(moments.lastIndexOf("before write session")).toBeGreaterThan(moments.indexOf("sent"));
    expect(new Set(await Promise.all(late))).toEqual(new Set(["at-2"]));
    expect(lab.provider.count("refresh_token")).toBe(1);
  });

  it("expired: 50 + 50 requests of two processes make one refresh and get 100 tokens", async () => {
    const { lab, source, process } = await signedIn();
    const other = lab.start();
    await lab.clock.advance(HOUR_MS);
    const asked = Array.from({ length: 100 }, (_, n) => had(source(n % 2 === 0 ? process : other)));
    const all = Promise.all(asked);
    await lab.clock.advance(3_000);
    expect(new Set(await all)).toEqual(new Set(["at-2"]));
    expect(lab.provider.count("refresh_token")).toBe(1);
    expect(lab.provider.resent).toEqual([]);
  });

  it("expired, and another process was quicker: its token is taken, whatever the own copy says", async () => {
    const { lab, source, process } = await signedIn();
    const other = lab.start();
    await lab.clock.advance(HOUR_MS - 500);
    other.step = () => Promise.reject(new Error("it is not to ask"));
    lab.provider.intercept = () => answer(503, "");
    expect(await had(source())).toBe("at-1");
    lab.provider.intercept = undefined;
    const { sessions } = other;
    expect(await sessions.isSignedIn(await idOf(lab))).toBe(true);
    await lab.clock.advance(1_400);
    expect(await had(source(process))).toBe("at-2");
    expect(await had(source(other))).toBe("at-2");
    expect(lab.provider.count("refresh_token")).toBe(2);
  });

  it("mandatory: waits, and goes on with the valid token where the refresh fails", async () => {
    const { lab, source } = await signedIn();
    lab.provider.intercept = () => answer(503, "");
    await lab.clock.advance(HOUR_MS - 20_000);
    expect(await had(source())).toBe("at-1");
    expect(hadNow(source())).toBe("at-1");
    expect(lab.provider.count("refresh_token")).toBe(1);
  });
});

describe("the refresh request", () => {
  it("is exactly Zocdoc's JSON object", async () => {
    const { lab, source } = await signedIn();
    await lab.clock.advance(HOUR_MS);
    await had(source());
    expect(lab.provider.requests.at(-1)?.request.body).toBe(
      '{"grant_type":"refresh_token","refresh_token":"rt-1","client_id":"spa-1"}',
    );
    expect(lab.provider.requests.at(-1)?.request.headers).toContain("application/json");
  });

  it("O11: without a new refresh token in the answer keeps the old one", async () => {
    const { lab, source } = await signedIn();
    lab.provider.rotates = false;
    for (let round = 2; round < 5; round += 1) {
      await lab.clock.advance(HOUR_MS);
      expect(await had(source())).toBe(`at-${round}`);
    }
    expect(new Set(lab.provider.requests.slice(1).map(({ body }) => body["refresh_token"]))).toEqual(
      new Set(["rt-1"]),
    );
  });
});

describe("a refused refresh", () => {
  it.each([400, 401, 403])(
    "O11: %i invalid_grant ends that session alone, after one call",
    async (status) => {
      const { lab, source, process, id } = await signedIn();
      const otherId = await signIn(lab, process);
      lab.provider.intercept = (body) =>
        body["refresh_token"] === "rt-1" ? answer(status, { error: "invalid_grant" }) : undefined;
      await lab.clock.advance(HOUR_MS);
      const all = await Promise.all(Array.from({ length: 10 }, () => had(source())));
      expect(new Set(all)).toEqual(new Set(["LOGIN_REQUIRED"]));
      expect(await had(source())).toBe("LOGIN_REQUIRED");
      expect(lab.provider.count("refresh_token")).toBe(1);
      expect(lab.store.records.has(`session ${id}`)).toBe(false);
      expect(await had(process.sessions.source(lab.user, otherId))).toBe("at-3");
      expect(process.logged).toContainEqual({
        event: "session_ended",
        fields: { credential: "user", reason: "invalid_grant" },
      });
    },
  );

  it("invalid_grant keeps the session for what else a user has in it", async () => {
    const { lab, process, id } = await signedIn();
    const other = lab.credentials.get("other") ?? lab.user;
    const both = await signIn(lab, process, { sessionId: id, credential: other });
    lab.provider.intercept = (body) =>
      body["refresh_token"] === "rt-1" ? answer(400, { error: "invalid_grant" }) : undefined;
    await lab.clock.advance(HOUR_MS);
    expect(await had(process.sessions.source(lab.user, both))).toBe("LOGIN_REQUIRED");
    expect(await had(process.sessions.source(other, both))).toBe("at-3");
  });

  it.each([
    ["503", () => answer(503, ""), "TOKEN_UNAVAILABLE"],
    ["429", () => answer(429, "", { "retry-after": "7" }), "TOKEN_UNAVAILABLE"],
    ["malformed", () => answer(200, "{"), "TOKEN_UNAVAILABLE"],
    ["reset", () => transient("unreachable", "broke the connection"), "TOKEN_UNAVAILABLE"],
    ["invalid_client", () => answer(401, { error: "invalid_client" }), "TOKEN_REJECTED"],
    ["invalid_request", () => answer(400, { error: "invalid_request" }), "TOKEN_REJECTED"],
  ])("%s keeps the session, fails fast, and is tried again", async (_name, reply, code) => {
    const { lab, source } = await signedIn();
    lab.provider.intercept = reply;
    await lab.clock.advance(HOUR_MS);
    expect(await had(source())).toBe(code);
    expect(await had(source())).toBe(code);
    expect(lab.provider.count("refresh_token")).toBe(1);
    lab.provider.intercept = undefined;
    expect(await had(source(lab.start()))).toBe("at-2");
    await lab.clock.advance(34_000);
    expect(await had(source())).toBe("at-2");
    expect(lab.provider.resent).toEqual([]);
  });

  it("429 is left alone as long as it asked, and says so", async () => {
    const { lab, source } = await signedIn();
    lab.provider.intercept = () => answer(429, "", { "retry-after": "100" });
    await lab.clock.advance(HOUR_MS);
    expect((await refusal(Promise.resolve(source().token()))).retryAfterSeconds).toBeGreaterThanOrEqual(100);
    await lab.clock.advance(90_000);
    expect(await had(source())).toBe("TOKEN_UNAVAILABLE");
    expect(lab.provider.count("refresh_token")).toBe(1);
  });

  it("no answer within 10 s: requests get 503, and the refresh is tried again in the same process", async () => {
    const { lab, source } = await signedIn();
    lab.provider.intercept = () => new Promise(() => {});
    await lab.clock.advance(HOUR_MS);
    const waiting = had(source());
    await lab.clock.advance(10_000);
    expect(await waiting).toBe("TOKEN_UNAVAILABLE");
    lab.provider.intercept = undefined;
    await lab.clock.advance(5_000);
    expect(await had(source())).toBe("at-2");
  });
});

describe("a token that the upstream refuses", () => {
  it("is replaced once by a forced refresh, at most one per 10 s", async () => {
    const { lab, source } = await signedIn();
    const first = source();
    const sent = await first.token();
    expect(bare(await first.invalidate(sent))).toBe("at-2");
    const second = source();
    const newer = await second.token();
    expect(bare(newer)).toBe("at-2");
    expect(await second.invalidate(newer)).toBeUndefined();
    expect(bare(await second.invalidate(sent))).toBe("at-2");
    await lab.clock.advance(10_000);
    expect(await had(second)).toBe("at-2");
    expect(bare(await second.invalidate(newer))).toBe("at-3");
  });

  it("of 20 refusals at once makes one refresh", async () => {
    const { lab, source } = await signedIn();
    const sources = Array.from({ length: 20 }, () => source());
    const sent = await Promise.all(sources.map(async (each) => ({ each, injection: await each.token() })));
    const newer = await Promise.all(sent.map(({ each, injection }) => each.invalidate(injection)));
    expect(new Set(newer.map(bare))).toEqual(new Set(["at-2"]));
    expect(lab.provider.count("refresh_token")).toBe(1);
  });

  it("stays where there is no refresh token", async () => {
    const lab = createLab();
    const process = lab.start();
    lab.provider.intercept = (body) =>
      body["grant_type"] === "authorization_code"
        ? answer(200, { access_token: "at-only", token_type: "Bearer", expires_in: 60 })
        : undefined;
    const source = process.sessions.source(lab.user, await signIn(lab, process));
    const sent = await source.token();
    expect(await source.invalidate(sent)).toBeUndefined();
    expect(await had(source)).toBe("at-only");
    await lab.clock.advance(60_000);
    expect(await had(source)).toBe("LOGIN_REQUIRED");
  });
});

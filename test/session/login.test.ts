import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { BegunLogin } from "../../src/session/sessions.ts";
import { transient } from "../../src/token/token-outcome.ts";
import { createLab, had, type Lab, type Process, refusal, signIn } from "./lab.ts";
import { answer } from "./scripted-provider.ts";

const begin = (
  { user }: Lab,
  { sessions }: Process,
  overrides: Partial<Parameters<Process["sessions"]["beginLogin"]>[0]> = {},
): Promise<BegunLogin> =>
  sessions.beginLogin({
    credential: user,
    returnTo: "/back?x=1",
    loginHint: undefined,
    sessionId: undefined,
    browser: undefined,
    ...overrides,
  });

function started(overrides?: Parameters<typeof createLab>[0]): { lab: Lab; process: Process } {
  const lab = createLab(overrides);
  return { lab, process: lab.start() };
}

const queryOf = ({ authorizeUrl }: BegunLogin): Record<string, string> =>
  Object.fromEntries(new URL(authorizeUrl).searchParams);

describe("the authorization request", () => {
  it("has what Zocdoc asks for, and nothing else", async () => {
    const { lab, process } = started();
    const begun = await begin(lab, process, { loginHint: "a@b.example" });
    const query = queryOf(begun);
    expect(begun.authorizeUrl.startsWith("https://id.example/authorize?")).toBe(true);
    expect(query).toEqual({
      response_type: "code",
      client_id: "spa-1",
      redirect_uri: "http://localhost:8080/.pillion/callback",
      scope: "a b offline_access",
      audience: "DeveloperApiPatient",
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: "S256",
      state: expect.stringMatching(/^[\w-]{43}$/),
      login_hint: "a@b.example",
    });
  });

  it("keeps the authorize URL's own query, and leaves out what is not configured", async () => {
    const { lab, process } = started({
      user: { authorizeUrl: new URL("https://id.example/a?tenant=1"), audience: undefined, scopes: [] },
    });
    const query = queryOf(await begin(lab, process));
    expect(Object.keys(query)).toEqual([
      "tenant",
      "response_type",
      "client_id",
      "redirect_uri",
      "code_challenge",
      "code_challenge_method",
      "state",
    ]);
  });

  it("O01: state and challenge are new each time; a browser's value is kept, so that two tabs work", async () => {
    const { lab, process } = started();
    const first = await begin(lab, process);
    const second = await begin(lab, process, { browser: first.browser });
    expect(second.browser).toBe(first.browser);
    expect(queryOf(second)["state"]).not.toBe(queryOf(first)["state"]);
    expect(queryOf(second)["code_challenge"]).not.toBe(queryOf(first)["code_challenge"]);
    expect((await begin(lab, process, { browser: "preset" })).browser).not.toBe("preset");
    const { sessions } = process;
    await sessions.completeLogin(lab.provider.agree(first.authorizeUrl), first.browser, undefined);
    await sessions.completeLogin(lab.provider.agree(second.authorizeUrl), first.browser, undefined);
  });

  it("carries the visitor's valid anonymous token, and mints none for it", async () => {
    const { lab, process } = started();
    const source = process.sessions.source(lab.anonymous, undefined);
    await source.token();
    const sessionId = source.created;
    expect(queryOf(await begin(lab, process, { sessionId }))["anonymous_token"]).toBe("anon-1");
    await lab.clock.advance(600_000);
    expect(queryOf(await begin(lab, process, { sessionId }))["anonymous_token"]).toBeUndefined();
    expect(lab.provider.count("/anonymous")).toBe(1);
  });

  it("is not for a credential of another grant", async () => {
    const { lab, process } = started();
    expect((await refusal(begin(lab, process, { credential: lab.anonymous }))).code).toBe("LOGIN_FAILED");
  });
});

describe("a login that is completed", () => {
  it("exchanges the code as Zocdoc's JSON object of exactly these, and makes a session", async () => {
    const { lab, process } = started();
    const begun = await begin(lab, process);
    const response = lab.provider.agree(begun.authorizeUrl);
    const { sessionId, returnTo } = await process.sessions.completeLogin(response, begun.browser, undefined);
    expect(returnTo).toBe("/back?x=1");
    expect(sessionId).toMatch(/^[\w-]{43}$/);
    const body = JSON.parse(lab.provider.requests[0]?.request.body ?? "");
    expect(Object.keys(body)).toEqual(["grant_type", "client_id", "code", "redirect_uri", "code_verifier"]);
    const challenge = createHash("sha256").update(body.code_verifier).digest("base64url");
    expect(challenge).toBe(queryOf(begun)["code_challenge"]);
    expect(await had(process.sessions.source(lab.user, sessionId))).toBe("at-1");
    expect(await process.sessions.describe(sessionId)).toEqual({
      signed_in: true,
      credential: "user",
      scope: "a b",
      access_token_expires_in: 3_600,
      session_expires_in: 15 * 86_400,
    });
  });

  it("sends a form, and the client's secret, where the credential says so", async () => {
    const { lab, process } = started({
      user: {
        tokenRequestFormat: "form",
        client: { secret: { kind: "env", name: "CLIENT_SECRET" }, auth: "basic" },
      },
    });
    await signIn(lab, process);
    const { headers, body } = lab.provider.requests[0]?.request ?? { headers: [], body: "" };
    expect(headers).toContain(`Basic ${Buffer.from("spa-1:s3cret-0").toString("base64")}`);
    expect([...new URLSearchParams(body).keys()]).toEqual([
      "grant_type",
      "code",
      "redirect_uri",
      "code_verifier",
    ]);
  });

  it("O05: always has a new session id; the old one is dead, and tokens of other credentials move", async () => {
    const { lab, process } = started();
    const source = process.sessions.source(lab.anonymous, undefined);
    await source.token();
    const old = source.created ?? "";
    const id = await signIn(lab, process, { sessionId: old });
    expect(id).not.toBe(old);
    expect(lab.store.records.has(`session ${old}`)).toBe(false);
    expect(await had(process.sessions.source(lab.anonymous, id))).toBe("anon-1");
    const other = lab.credentials.get("other") ?? lab.user;
    const both = await signIn(lab, process, { sessionId: id, credential: other });
    expect(await had(process.sessions.source(lab.user, both))).toBe("at-2");
    expect(await had(process.sessions.source(other, both))).toBe("at-3");
    expect(await had(process.sessions.source(lab.user, id))).toBe("LOGIN_REQUIRED");
    expect(await process.sessions.describe(both)).toMatchObject({ credential: "other" });
  });

  it("takes over from the session that another tab of this browser made meanwhile", async () => {
    const { lab, process } = started();
    const other = lab.credentials.get("other") ?? lab.user;
    const begun = await begin(lab, process);
    const tab = await signIn(lab, process, { credential: other });
    const response = lab.provider.agree(begun.authorizeUrl);
    const { sessionId } = await process.sessions.completeLogin(response, begun.browser, tab);
    expect(sessionId).not.toBe(tab);
    expect(await had(process.sessions.source(other, sessionId))).toBe("at-1");
    expect(await had(process.sessions.source(lab.user, sessionId))).toBe("at-2");
    expect(await had(process.sessions.source(other, tab))).toBe("LOGIN_REQUIRED");
  });
});

describe("O01, O02, O03: an answer that is not this browser's, not new, or not the server's sends no code", () => {
  const issuer = { user: { issuer: "https://issuer.example/" } };
  it.each<[string, (query: URLSearchParams, lab: Lab) => unknown, Parameters<typeof createLab>[0]?]>([
    ["no state", (query) => query.delete("state")],
    ["an unknown state", (query) => query.set("state", "x".repeat(43))],
    ["a malformed state", (query) => query.set("state", "x")],
    ["two states", (query) => query.append("state", query.get("state") ?? "")],
    ["two codes", (query) => query.append("code", "x")],
    ["no code", (query) => query.delete("code")],
    ["an empty code", (query) => query.set("code", "")],
    ["iss of another origin", (query) => query.set("iss", "https://evil.example/")],
    ["iss that is empty", (query) => query.set("iss", "")],
    ["iss that is no URL", (query) => query.set("iss", "id.example")],
    ["iss in a token's place", (query) => query.append("iss", "https://id.example/")],
    ["iss of the origin where an issuer is given", (query) => query.set("iss", "https://id.example"), issuer],
    [
      "another client since",
      (_query, lab) => {
        const { user } = lab;
        if (user.spec?.kind !== "user") throw new Error("no user");
        lab.credentials.set("user", {
          ...user,
          spec: { ...user.spec, clientId: { kind: "literal", value: "spa-2" } },
        });
      },
    ],
    ["a credential that is gone", (_query, lab) => lab.credentials.delete("user")],
    ["10 minutes", (_query, lab) => lab.clock.advance(600_000)],
  ])("%s", async (name, change, overrides) => {
    const { lab, process } = started(overrides);
    const begun = await begin(lab, process);
    const query = lab.provider.agree(begun.authorizeUrl);
    if (name === "iss in a token's place") query.append("iss", "https://evil.example/");
    await change(query, lab);
    const error = await refusal(process.sessions.completeLogin(query, begun.browser, undefined));
    expect(error.code).toBe("LOGIN_FAILED");
    expect(lab.provider.requests).toEqual([]);
  });

  it.each([
    ["the origin", "https://id.example/tenant", undefined],
    ["the issuer of the configuration", "https://issuer.example/", issuer],
  ])("iss that is %s is good", async (_name, iss, overrides) => {
    const { lab, process } = started(overrides);
    const begun = await begin(lab, process);
    const query = lab.provider.agree(begun.authorizeUrl);
    query.set("iss", iss);
    await process.sessions.completeLogin(query, begun.browser, undefined);
  });

  it("another browser does not use the state up", async () => {
    const { lab, process } = started();
    const begun = await begin(lab, process);
    const query = lab.provider.agree(begun.authorizeUrl);
    for (const browser of [undefined, "", "x".repeat(43)]) {
      const error = await refusal(process.sessions.completeLogin(query, browser, undefined));
      expect(error.message).toContain("another browser");
    }
    expect(lab.provider.requests).toEqual([]);
    await process.sessions.completeLogin(query, begun.browser, undefined);
  });

  it("of two answers with one state, even at once, one wins", async () => {
    const { lab, process } = started();
    const begun = await begin(lab, process);
    const query = lab.provider.agree(begun.authorizeUrl);
    const results = await Promise.allSettled([
      process.sessions.completeLogin(query, begun.browser, undefined),
      lab.start().sessions.completeLogin(query, begun.browser, undefined),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const again = await refusal(process.sessions.completeLogin(query, begun.browser, undefined));
    expect(again.code).toBe("LOGIN_FAILED");
    expect(lab.provider.count("authorization_code")).toBe(1);
  });
});

describe("a login that fails says what happened and what to do", () => {
  it.each([
    [{ error: "access_denied" }, /cancelled.*sign in again and agree\. It said: access_denied$/],
    [
      { error: "access_denied", error_description: "User said\r\n<b>no</b>" },
      /It said: User said <b>no<\/b>$/,
    ],
    [{ error: "server_error" }, /had a fault\. Wait a little/],
    [{ error: "__proto__" }, /refused\. Go back to the application and sign in again\./],
    [{ error: "x", error_description: `\u202e${"y".repeat(5_000)}` }, /It said: y{200}$/],
  ])("%j", async (answered, message) => {
    const { lab, process } = started();
    const begun = await begin(lab, process);
    const query = new URLSearchParams({ ...answered, state: queryOf(begun)["state"] ?? "" } as Record<
      string,
      string
    >);
    const error = await refusal(process.sessions.completeLogin(query, begun.browser, undefined));
    expect([error.code, lab.provider.requests.length]).toEqual(["LOGIN_FAILED", 0]);
    expect(error.message).toMatch(message);
  });

  it.each([
    [
      "refused",
      answer(403, { error: "invalid_grant", error_description: "code expired" }),
      "invalid_grant (code expired)",
    ],
    ["down", answer(503, ""), "Wait a little"],
    ["reset", transient("unreachable", "broke the connection"), "broke the connection"],
    ["malformed", answer(200, "{}"), "access_token"],
  ])("an exchange that is %s: the code is not sent again", async (_name, reply, text) => {
    const { lab, process } = started();
    lab.provider.intercept = () => reply;
    const begun = await begin(lab, process);
    const query = lab.provider.agree(begun.authorizeUrl);
    const error = await refusal(process.sessions.completeLogin(query, begun.browser, undefined));
    expect(error.code).toBe("LOGIN_FAILED");
    expect(error.message).toContain(text);
    expect(error.message).not.toContain(query.get("code"));
    await refusal(process.sessions.completeLogin(query, begun.browser, undefined));
    expect(lab.provider.requests.length).toBe(1);
  });
});

describe("a session that an application keeps", () => {
  it("is completed by the application, under the id that was handed out", async () => {
    const { lab, process } = started();
    const opened = await process.sessions.open({
      credential: lab.user,
      returnTo: undefined,
      redirectUri: "https://app.example/done?a=b",
      sessionId: undefined,
    });
    expect(await had(process.sessions.source(lab.user, opened.session))).toBe("LOGIN_REQUIRED");
    const url = opened.authorize_url ?? "";
    expect(new URL(url).searchParams.get("redirect_uri")).toBe("https://app.example/done?a=b");
    expect(new URL(url).searchParams.get("state")).toBe(opened.state);
    const response = lab.provider.agree(url);
    // Not by Pillion's own page, nor with another session's id.
    expect((await refusal(process.sessions.completeLogin(response, undefined, undefined))).code).toBe(
      "LOGIN_FAILED",
    );
    const stranger = await signIn(lab, process);
    expect((await refusal(process.sessions.completeOpened(stranger, response))).code).toBe("LOGIN_FAILED");
    expect(await process.sessions.completeOpened(opened.session, response)).toMatchObject({
      signed_in: true,
    });
    expect(await had(process.sessions.source(lab.user, opened.session))).toBe("at-2");
    expect((await refusal(process.sessions.completeOpened(opened.session, response))).code).toBe(
      "LOGIN_FAILED",
    );
  });

  it("without redirect_uri is completed by Pillion's callback in whatever browser, which gets no session", async () => {
    const { lab, process } = started();
    const opened = await process.sessions.open({
      credential: lab.user,
      returnTo: "/done",
      redirectUri: undefined,
      sessionId: undefined,
    });
    const response = lab.provider.agree(opened.authorize_url ?? "");
    expect(await process.sessions.completeLogin(response, undefined, undefined)).toEqual({
      sessionId: undefined,
      returnTo: "/done",
    });
    expect(await process.sessions.isSignedIn(opened.session, "user")).toBe(true);
  });

  it("of an anonymous credential needs no login", async () => {
    const { lab, process } = started();
    const opened = await process.sessions.open({
      credential: lab.anonymous,
      returnTo: undefined,
      redirectUri: undefined,
      sessionId: undefined,
    });
    expect(Object.keys(opened)).toEqual(["session"]);
    const source = process.sessions.source(lab.anonymous, opened.session);
    expect([await had(source), source.created]).toEqual(["anon-1", undefined]);
  });

  it.each(["/local", "ftp://x.example/", "https://x.example/#f", "x"])(
    "redirect_uri %s is refused",
    async (redirectUri) => {
      const { lab, process } = started();
      const error = await refusal(
        process.sessions.open({
          credential: lab.user,
          returnTo: undefined,
          redirectUri,
          sessionId: undefined,
        }),
      );
      expect(error.code).toBe("REQUEST_INVALID");
    },
  );
});

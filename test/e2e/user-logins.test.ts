import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { TestBrowser, Visited } from "../support/browser.ts";
import { eventually } from "./support/eventually.ts";
import { type LoginLab, signInThere, startLoginLab } from "./support/login-lab.ts";
import { scrape } from "./support/metrics.ts";

const GRANTED = "external.appointment.read external.appointment.write";

let lab: LoginLab;
let at: string;
beforeAll(async () => {
  lab = await startLoginLab();
  at = lab.publicUrl;
});
afterAll(() => lab[Symbol.asyncDispose]());

let browser: TestBrowser;
beforeEach(() => {
  browser = lab.browser();
  lab.server.accessTokenSeconds = 3_600;
});

function login(credential: string, who: string, by: TestBrowser = browser): Promise<Visited> {
  const url = `${at}/.pillion/login/${credential}?return_to=/${credential === "zocdoc" ? "my" : credential}/v1/me`;
  return by.visit(url).then((page) => signInThere(by, page, who));
}

/** What the API was sent last. */
const tokenSeen = (): string => (lab.api.last().headers.authorization ?? "").slice("Bearer ".length);

/** Longer than an access token of 2 s lives; the server counts whole seconds, so less would be less than one. */
async function expired(): Promise<void> {
  const until = performance.now() + 2_050;
  await eventually("2 s have gone by", async () => performance.now() > until);
}

const isCallback = (url: URL): boolean => url.pathname === "/.pillion/callback";

describe("a login at an authorization server that is not ours", () => {
  it("sends the browser that navigates there with PKCE, and back to where it was going as that user", async () => {
    const asked = await browser.visit(`${at}/my/v1/appointments?page=0`);
    const authorize = new URL(asked.passed[2] ?? "");
    expect(authorize.href).toContain(`${lab.server.authorizeUrl}?`);
    expect(Object.fromEntries(authorize.searchParams)).toEqual({
      response_type: "code",
      client_id: "spa-client",
      redirect_uri: `${at}/.pillion/callback`,
      scope: `${GRANTED} offline_access`,
      audience: "DeveloperApiPatient-Sandbox",
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: "S256",
      state: expect.stringMatching(/^[\w-]{43}$/),
    });

    const back = await signInThere(browser, asked, "alice");
    expect(back.url.href).toBe(`${at}/my/v1/appointments?page=0`);
    expect(JSON.parse(back.text)).toMatchObject({ sub: "alice", client_id: "spa-client", scope: GRANTED });
    expect(lab.api.last().target).toBe("/api/v1/appointments?page=0");
    expect(lab.api.last().headers.cookie).toBeUndefined();
    const callback = new URL(back.passed.find((url) => isCallback(new URL(url))) ?? "");
    expect(callback.searchParams.get("iss")).toBe(lab.server.issuer);
    expect(back.cookiesSet).toContainEqual(
      expect.stringMatching(/^pillion=[\w-]{43}; Max-Age=2592000; Path=\/; HttpOnly; SameSite=Lax$/),
    );
  });

  it("keeps two browsers apart", async () => {
    const other = lab.browser();
    await login("zocdoc", "alice");
    await login("zocdoc", "bob", other);
    const [mine, theirs] = await Promise.all([
      browser.script(`${at}/my/v1/me`),
      other.script(`${at}/my/v1/me`),
    ]);
    expect([mine.json.sub, theirs.json.sub]).toEqual(["alice", "bob"]);
    expect((await lab.browser().script(`${at}/my/v1/me`)).json).toMatchObject({
      code: "LOGIN_REQUIRED",
      login_url: expect.stringContaining(`${at}/.pillion/login/zocdoc`),
    });
  });

  it("by form and client_secret_basic gives the same, and says so without a token", async () => {
    const back = await login("plain", "carol");
    expect(JSON.parse(back.text)).toMatchObject({ sub: "carol", client_id: "web-client" });
    const session = await browser.script(`${at}/.pillion/session`);
    expect(session.json).toEqual({
      signed_in: true,
      credential: "plain",
      scope: expect.stringContaining(GRANTED),
      access_token_expires_in: expect.toSatisfy((seconds: number) => seconds > 3_500 && seconds <= 3_600),
      session_expires_in: expect.toSatisfy((seconds: number) => seconds > 1_295_000 && seconds <= 1_296_000),
    });
  });

  it("holds several users' tokens in one session, one for each credential", async () => {
    await login("zocdoc", "alice");
    const first = browser.cookie(at, "pillion");
    await login("plain", "alice");
    expect(browser.cookie(at, "pillion")).not.toBe(first);
    const clients = await Promise.all(
      ["my", "plain"].map(async (route) => (await browser.script(`${at}/${route}/v1/me`)).json.client_id),
    );
    expect(clients).toEqual(["spa-client", "web-client"]);
  });

  it("never takes over a session id that was there before", async () => {
    const planted = "A".repeat(43);
    browser.plant(at, `pillion=${planted}; Path=/`);
    await login("zocdoc", "alice");
    expect(browser.cookie(at, "pillion")).not.toBe(planted);
    const attacker = lab.browser();
    attacker.plant(at, `pillion=${planted}; Path=/`);
    expect((await attacker.script(`${at}/my/v1/me`)).status).toBe(401);
  });

  it("that another browser brings back is refused, and stays good in the one that began it", async () => {
    const asked = await browser.visit(`${at}/.pillion/login/zocdoc`);
    const ready = await signInThere(browser, asked, "mallory", isCallback);
    expect(ready.status).toBe(0);
    const before = lab.server.tokenRequests.length;
    const victim = lab.browser();
    const refused = await victim.visit(ready.url.href);
    expect(refused.status).toBe(400);
    expect(refused.text).toContain("LOGIN_FAILED");
    expect(refused.cookiesSet.join()).not.toContain("pillion=");
    expect(lab.server.tokenRequests).toHaveLength(before);

    const finished = await browser.visit(ready.url.href, { stopAt: (url) => url.pathname === "/" });
    expect(finished.status).toBe(0);
    expect((await browser.script(`${at}/my/v1/me`)).json.sub).toBe("mallory");
    expect((await browser.visit(ready.url.href)).status).toBe(400);
    expect(lab.server.tokenRequests).toHaveLength(before + 1);
  });

  it("goes on in a second tab when the first one's is done, and ends with both in one session", async () => {
    const tabs = [
      await browser.visit(`${at}/.pillion/login/zocdoc?return_to=/my/1`),
      await browser.visit(`${at}/.pillion/login/plain?return_to=/plain/2`),
    ];
    const landed: Visited[] = [];
    for (const tab of tabs) landed.push(await signInThere(browser, tab, "ivan"));
    expect(landed.map(({ url, status }) => `${status} ${url.pathname}`)).toEqual([
      "200 /my/1",
      "200 /plain/2",
    ]);
    expect((await browser.script(`${at}/my/3`)).json.sub).toBe("ivan");
  });

  it("with another issuer than configured is refused, and the code never sent", async () => {
    const before = lab.server.tokenRequests.length;
    const refused = await login("other-issuer", "alice");
    expect(isCallback(refused.url)).toBe(true);
    expect(refused.url.searchParams.get("code")).toMatch(/./);
    expect(refused.status).toBe(400);
    expect(refused.text).toContain("LOGIN_FAILED");
    expect(refused.headers["content-type"]).toContain("text/html");
    expect(lab.server.tokenRequests).toHaveLength(before);
    expect((await browser.script(`${at}/.pillion/session`)).json.signed_in).toBe(false);
  });

  it("to which the user says no ends on a page that says what to do", async () => {
    const asked = await browser.visit(`${at}/.pillion/login/zocdoc?return_to=/my/v1/me`);
    const consent = await browser.submit(asked, { login: "alice", password: "fake-password" });
    const refused = await browser.follow(consent, "Cancel");
    expect(refused.status).toBe(400);
    expect(refused.text).toContain("LOGIN_FAILED");
    expect(refused.text).toContain("End-User aborted interaction");
    const again = await browser.follow(refused, "sign in again");
    expect(again.url.origin).toBe(lab.server.issuer);
  });
});

describe("a signed-in user's tokens", () => {
  const calls = (count: number) =>
    Promise.all(Array.from({ length: count }, () => browser.script(`${at}/my/v1/me`)));

  it("are refreshed once for many requests, with each refresh token used once", async () => {
    lab.server.accessTokenSeconds = 2;
    await login("zocdoc", "alice");
    const before = lab.server.tokenRequests.length;
    for (const count of [1, 20]) {
      await expired();
      if (count > 1) lab.server.accessTokenSeconds = 3_600;
      const answers = await calls(count);
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      expect(new Set(answers.map(({ json }) => json.sub))).toEqual(new Set(["alice"]));
    }
    const refreshes = lab.server.tokenRequests.slice(before);
    expect(refreshes.map((sent) => sent.get("grant_type"))).toEqual(["refresh_token", "refresh_token"]);
    expect(new Set(refreshes.map((sent) => sent.get("refresh_token"))).size).toBe(2);
    expect(lab.server.refusals).toEqual([]);
  });

  it("are replaced, and the request sent again, where the API no longer takes them", async () => {
    await login("zocdoc", "alice");
    const stale = tokenSeen();
    await lab.server.drop(stale);
    expect((await lab.server.introspect(stale)).active).toBe(false);
    const [answer] = await calls(1);
    expect(answer).toMatchObject({ status: 200, json: { sub: "alice" } });
    expect(tokenSeen()).not.toBe(stale);
  });

  it("are revoked at the server by a logout, which ends the session", async () => {
    await login("zocdoc", "alice");
    const cookie = browser.cookie(at, "pillion");
    const token = tokenSeen();
    expect((await lab.server.introspect(token)).active).toBe(true);
    const out = await browser.script(`${at}/.pillion/logout`, { method: "POST" });
    expect(out.status).toBe(204);
    expect(browser.cookie(at, "pillion")).toBeUndefined();
    await eventually(
      "the grant is revoked",
      async () => (await lab.server.introspect(token)).active === false,
    );
    expect(lab.server.revocations.at(-1)?.get("token_type_hint")).toBe("refresh_token");

    browser.plant(at, `pillion=${cookie}; Path=/`);
    const replayed = await browser.script(`${at}/my/v1/me`);
    expect(replayed.status).toBe(401);
    expect(replayed.json.code).toBe("LOGIN_REQUIRED");
  });

  it("end with the access token where the server gave no refresh token, and nothing is asked of it", async () => {
    lab.server.accessTokenSeconds = 2;
    const back = await login("no-refresh", "judy");
    expect(back.status).toBe(200);
    const before = lab.server.tokenRequests.length;
    await expired();
    const answer = await browser.script(`${at}/no-refresh/v1/me`);
    expect([answer.status, answer.json.code]).toEqual([401, "LOGIN_REQUIRED"]);
    expect(lab.server.tokenRequests).toHaveLength(before);
  });

  it("that the server takes back end that session alone, after one call", async () => {
    const other = lab.browser();
    await login("zocdoc", "alice");
    await login("zocdoc", "bob", other);
    const bobs = tokenSeen();
    lab.server.accessTokenSeconds = 2;
    await login("zocdoc", "alice");
    await lab.server.revoke(tokenSeen(), "spa-client");
    await expired();
    const before = lab.server.tokenRequests.length;
    const answers = await calls(10);
    expect(new Set(answers.map(({ json }) => json.code))).toEqual(new Set(["LOGIN_REQUIRED"]));
    expect(lab.server.tokenRequests).toHaveLength(before + 1);
    expect((await other.script(`${at}/my/v1/me`)).json.sub).toBe("bob");
    expect(tokenSeen()).toBe(bobs);
  });
});

it("nothing that can be scraped or logged holds a code, a token or a session", async () => {
  await login("zocdoc", "alice");
  const secrets = [
    browser.cookie(at, "pillion") ?? "",
    tokenSeen(),
    ...lab.server.tokenRequests.flatMap((sent) =>
      ["code", "code_verifier", "refresh_token"].flatMap((name) => sent.getAll(name)),
    ),
  ];
  const pillion = lab.pillion();
  const status = await fetch(`${pillion.adminOrigin}/status.json`);
  const seen = [pillion.stdout(), pillion.stderr(), await status.text()].join("\n");
  expect(secrets.filter((secret) => secret === "" || seen.includes(secret))).toEqual([]);
  const metrics = await scrape(pillion.adminOrigin);
  expect(metrics.total("pillion_token_requests_total", { grant: "user" })).toBeGreaterThan(0);
});

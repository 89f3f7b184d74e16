import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PASSWORD } from "../../src/emulator/users.ts";
import { createEmulatorBrowser, type EmulatorBrowser, signIn } from "../support/emulator-user.ts";
import { send } from "./harness.ts";
import { startUserBench, type UserBench } from "./user-harness.ts";

const GOOD = { email: "patient@example.com", password: PASSWORD };

let bench: UserBench;
let browser: EmulatorBrowser;
beforeEach(async () => {
  bench = await startUserBench();
  browser = createEmulatorBrowser();
});
afterEach(() => bench.emulator.stop());

async function page(change: Readonly<Record<string, string>> = {}): Promise<string> {
  return (await browser.get(bench.authorizeUrl(change))).text();
}

async function submit(html: string, fields: Readonly<Record<string, string>>): Promise<Response> {
  return browser.submit(bench.authorizeUrl(), html, fields);
}

describe("the login page", () => {
  it("has a label for every field, one heading, a language, a title, and no script", async () => {
    const html = await page();
    for (const id of ["email", "password"]) {
      expect(html).toContain(`<label for="${id}">`);
      expect(html).toMatch(new RegExp(`<input id="${id}" `));
    }
    expect(html).toMatch(
      /<html lang="en">[\s\S]*<title>Sign in &middot; Emulator of Zocdoc, sandbox<\/title>/,
    );
    expect(html.match(/<h1>/g)).toHaveLength(1);
    expect(html).toMatch(/<main>[\s\S]*<\/main>/);
    expect(html).not.toMatch(/<script|javascript:|\son\w+=/i);
  });

  it("may load nothing, be framed by nobody, and lead on to the application alone", async () => {
    const { headers, text } = await send(bench.authorizeUrl());
    const policy = String(headers["content-security-policy"]);
    const nonce = /style-src 'nonce-([\w-]+)'/.exec(policy)?.[1];
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("form-action 'self' http://localhost:8080;");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(text).toContain(`<style nonce="${nonce}">`);
    expect(headers["cache-control"]).toBe("no-store");
    expect(headers["set-cookie"]?.[0]).toMatch(/; Path=\/zocdoc\/sandbox\/; HttpOnly; SameSite=Lax$/);
  });

  it("is filled with login_hint, and escapes it", async () => {
    const html = await page({ login_hint: '"><script>alert(1)</script>' });
    expect(html).toContain('value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"');
    expect(html).not.toContain("<script>");
    expect(html).toMatch(/id="password"[^>]* autofocus/);
  });

  it("says what is wrong beside the field, and keeps what was typed", async () => {
    const answer = await submit(await page(), { ...GOOD, password: "wrong" });
    expect(answer.status).toBe(400);
    const html = await answer.text();
    expect(html).toContain("<title>Error: sign in");
    expect(html).toMatch(/<p id="error" class="error" role="alert">/);
    expect(html).toMatch(/value="patient@example.com" aria-invalid="true" aria-describedby="error users"/);
    expect(bench.counts()).toMatchObject({ logins: 0, login_failures: 1 });
  });

  it("gives the browser a new id at the login, so that one planted before is worth nothing", async () => {
    const html = await page();
    const planted = browser.cookie;
    expect((await submit(html, GOOD)).headers.get("location")).toContain("/zocdoc/sandbox/authorize?");
    expect(browser.cookie).not.toBe(planted);
    expect(await page()).toContain("Allow zocdoc-sandbox-user to act for you?");
    browser.cookie = planted;
    expect(await page()).toContain("Sign in");
  });

  it.each([
    ["without a token", (html: string) => html.replace(/name="csrf_token"/, 'name="other"'), undefined],
    ["with another browser's token", (html: string) => html, "another"],
  ])("refuses a form %s", async (_name, change, cookie) => {
    const html = change(await page());
    if (cookie !== undefined) browser.cookie = "";
    const answer = await submit(html, GOOD);
    expect([answer.status, bench.counts()["logins"]]).toEqual([403, 0]);
  });

  it.each(["text/plain", "application/json"])("refuses a body of type %s", async (type) => {
    const reply = await send(bench.authorizeUrl(), {
      method: "POST",
      headers: { "Content-Type": type },
      body: "step=login",
    });
    expect(reply.status).toBe(400);
  });

  it("does not take the form of one request for another", async () => {
    const answer = await browser.submit(bench.authorizeUrl({ state: "other" }), await page(), GOOD);
    expect(answer.status).toBe(403);
  });
});

describe("the login session", () => {
  const signedIn = async () => (await page()).includes("You are signed in as");
  beforeEach(async () => {
    await submit(await page(), GOOD);
  });

  it("ends after 30 minutes without a visit", async () => {
    bench.advance(29 * 60_000);
    expect(await signedIn()).toBe(true);
    bench.advance(29 * 60_000);
    expect(await signedIn()).toBe(true);
    bench.advance(30 * 60_000);
    expect(await signedIn()).toBe(false);
  });

  it("ends after a day at the latest", async () => {
    for (let minutes = 20; minutes < 24 * 60; minutes += 20) {
      bench.advance(20 * 60_000);
      expect(await signedIn()).toBe(true);
    }
    bench.advance(20 * 60_000);
    expect(await signedIn()).toBe(false);
  });

  it("ends where the user takes another account", async () => {
    await submit(await page(), { step: "switch" });
    expect(await signedIn()).toBe(false);
  });
});

describe("the consent page", () => {
  it("lists the scopes in words", async () => {
    await submit(await page(), GOOD);
    const html = await page();
    const items = [...html.matchAll(/<li>(.*)<\/li>/g)].map(([, item]) => item);
    expect(items).toEqual([
      "See your appointments",
      "Book, change and cancel appointments for you",
      "Allow offline access",
    ]);
    expect(html).toContain("<strong>patient@example.com</strong>");
  });

  it("sends code, state and iss to the application", async () => {
    const location = await signIn(bench.authorizeUrl());
    expect(location.origin + location.pathname).toBe("http://localhost:8080/.pillion/callback");
    expect(Object.fromEntries(location.searchParams)).toEqual({
      code: expect.stringMatching(/^[\w-]{43}$/),
      state: "the state",
      iss: `${bench.emulator.origin}/`,
    });
  });

  it("sends access_denied where the user does not agree", async () => {
    const location = await signIn(bench.authorizeUrl(), { consent: "deny" });
    expect(Object.fromEntries(location.searchParams)).toEqual({
      error: "access_denied",
      error_description: "User did not authorize the request",
      state: "the state",
      iss: `${bench.emulator.origin}/`,
    });
    expect(bench.counts()).toMatchObject({ consents_denied: 1, codes_issued: 0 });
  });

  it("is not got around by posting the agreement of somebody who is not signed in", async () => {
    const answer = await submit(await page(), { step: "allow" });
    expect(answer.headers.get("location")).toContain("/zocdoc/sandbox/authorize?");
    expect(bench.counts()["codes_issued"]).toBe(0);
  });
});

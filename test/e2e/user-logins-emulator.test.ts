import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { booking } from "../emulator/user-harness.ts";
import { createTestBrowser, type TestBrowser, type Visited } from "../support/browser.ts";
import { type StartedProcess, spawnPillion } from "../support/pillion-process.ts";
import { send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";

/** What the configuration that `pillion emulate` prints comes to; the browsers know where it really is. */
const AT = "http://localhost:8080";
const APPOINTMENTS = `${AT}/zocdoc-user/v1/appointments`;

let emulate: StartedProcess;
let emulator: string;
let pillion: Serving;
beforeAll(async () => {
  emulate = spawnPillion(["emulate", "--port", "0"]);
  emulator = (await emulate.printed(/http:\/\/127\.0\.0\.1:\d+/))[0];
  await emulate.printed(/tenant: \{ header: X-Tenant \}\n/);
  const printed = emulate.stdout();
  const env = Object.fromEntries(
    [...printed.matchAll(/^ {2}export (\w+)=(.*)$/gm)].map(([, ...pair]) => pair),
  );
  const text = printed.slice(printed.indexOf("\ncredentials:")); // The listeners are the test's own.
  pillion = await serve(`session: { public_url: "${AT}" }\n${text}`, { env });
});
afterAll(async () => {
  await pillion.stop();
  await emulate.stop();
});

const openBrowser = (): TestBrowser => createTestBrowser({ hosts: () => ({ [AT]: pillion.origin }) });

async function signIn(browser: TestBrowser, email: string): Promise<{ consent: Visited; back: Visited }> {
  const asked = await browser.visit(`${AT}/.pillion/login/zocdoc-user?return_to=/zocdoc-user/echo`);
  const consent = await browser.submit(asked, { email, password: "fake-password" });
  return { consent, back: await browser.submit(consent, { step: "allow" }) };
}

describe("against the emulator, with the configuration that it prints,", () => {
  it("a visitor searches as nobody, signs in as the same visitor, and books what no one else sees", async () => {
    const browser = openBrowser();
    const searched = await browser.script(`${AT}/zocdoc-anonymous/v1/specialties`);
    expect(searched.status).toBe(200);
    const anonymousCookie = browser.cookie(AT, "pillion");
    const anonymous = (await browser.script(`${AT}/zocdoc-anonymous/echo`)).json.subject;
    expect(anonymous).toEqual({ kind: "anonymous", visitor: expect.any(String) });
    expect(browser.cookie(AT, "pillion")).toBe(anonymousCookie);

    const { consent, back } = await signIn(browser, "patient@example.com");
    expect(consent.text).toContain("What you did before signing in will be linked to your account.");
    expect(JSON.parse(back.text).subject).toEqual({
      kind: "user",
      user: expect.any(String),
      visitor: anonymous.visitor,
    });
    expect(browser.cookie(AT, "pillion")).not.toBe(anonymousCookie);
    // The visitor that it was before goes on in the new session, and in no other.
    expect((await browser.script(`${AT}/zocdoc-anonymous/echo`)).json.subject).toEqual(anonymous);

    const booked = await browser.script(APPOINTMENTS, {
      method: "POST",
      body: JSON.stringify(booking("2027-01-18T09:00:00-05:00")),
    });
    expect(booked.status).toBe(200);
    const other = openBrowser();
    await signIn(other, "parent@example.com");
    const lists = await Promise.all([
      browser.script(APPOINTMENTS),
      other.script(APPOINTMENTS),
      openBrowser().script(`${AT}/zocdoc/v1/appointments`),
    ]);
    expect(lists.map(({ status, json }) => [status, json.total_count])).toEqual([
      [200, 1],
      [200, 0],
      [200, 0],
    ]);
    expect((await openBrowser().script(APPOINTMENTS)).status).toBe(401);

    const stats = await (await fetch(`${emulator}/_emulator/stats`)).json();
    expect((stats as { users: Record<string, unknown> }).users["zocdoc/sandbox"]).toMatchObject({
      logins: 2,
      codes_exchanged: 2,
      anonymous_tokens: 1,
      visitors_linked: 1,
      anonymous_tokens_ignored: 0,
      codes_reused: 0,
      consumed_tokens_resent: 0,
    });
  });

  it("a visitor who has done nothing yet signs in without an anonymous token", async () => {
    const { consent, back } = await signIn(openBrowser(), "visitor@example.com");
    expect(consent.text).not.toContain("will be linked");
    expect(consent.passed.join()).not.toContain("anonymous_token");
    expect(JSON.parse(back.text).subject).toEqual({ kind: "user", user: expect.any(String) });
  });

  it("a user who signs out is gone there too, and is another visitor afterwards", async () => {
    const browser = openBrowser();
    const before = (await browser.script(`${AT}/zocdoc-anonymous/echo`)).json.subject;
    await signIn(browser, "patient@example.com");
    expect((await browser.script(`${AT}/.pillion/logout`, { method: "POST" })).status).toBe(204);
    expect((await browser.script(APPOINTMENTS)).json.code).toBe("LOGIN_REQUIRED");
    const after = (await browser.script(`${AT}/zocdoc-anonymous/echo`)).json.subject;
    expect(after.kind).toBe("anonymous");
    expect(after.visitor).not.toBe(before.visitor);
  });

  it("an application on a server carries its anonymous visitor into the login by that visitor's session", async () => {
    const post = (path: string, members: unknown, session?: string) =>
      send(pillion.origin + path, {
        method: "POST",
        headers: {
          "Content-Type": "application/json",
          ...(session === undefined ? {} : { "Pillion-Session": session }),
        },
        body: JSON.stringify(members),
      });
    const subject = async (route: string, session: string) =>
      (await send(`${pillion.origin}/${route}/echo`, { headers: { "Pillion-Session": session } })).json
        ?.subject;

    const opened = await post("/.pillion/sessions", { credential: "zocdoc-anonymous" });
    expect(opened.status).toBe(201);
    expect(opened.json).toEqual({ session: expect.stringMatching(/^[\w-]{43}$/) });
    const before = opened.json.session as string;
    const anonymous = await subject("zocdoc-anonymous", before);

    const login = await post("/.pillion/sessions", { credential: "zocdoc-user", return_to: "/done" }, before);
    const browser = openBrowser();
    const stopAt = ({ pathname }: URL): boolean => pathname === "/done";
    const asked = await browser.visit(login.json.authorize_url);
    const consent = await browser.submit(asked, { email: "patient@example.com", password: "fake-password" });
    await browser.submit(consent, { step: "allow" }, { stopAt });
    const after = login.json.session as string;
    expect(await subject("zocdoc-user", after)).toEqual({
      kind: "user",
      user: expect.any(String),
      visitor: anonymous.visitor,
    });
    expect(await subject("zocdoc-anonymous", after)).toEqual(anonymous);
    expect(await subject("zocdoc-anonymous", before)).not.toEqual(anonymous);
  });
});

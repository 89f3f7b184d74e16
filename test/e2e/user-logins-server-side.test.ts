import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectProblem } from "./support/expectations.ts";
import { type Reply, send } from "./support/http-client.ts";
import { APP_PAGE, type LoginLab, signInThere, startLoginLab } from "./support/login-lab.ts";

let lab: LoginLab;
beforeAll(async () => {
  lab = await startLoginLab();
});
afterAll(() => lab[Symbol.asyncDispose]());

function post(path: string, members: unknown): Promise<Reply> {
  return send(lab.pillion().origin + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(members),
  });
}

const open = (members: Readonly<Record<string, string>>) => post("/.pillion/sessions", members);
const me = (session: string) =>
  send(`${lab.pillion().origin}/my/v1/me`, { headers: { "Pillion-Session": session } });

/** What the browser brings to the application's own page: the user is somebody else than the one who opened. */
async function answerOf(authorizeUrl: string, who: string): Promise<Record<string, string>> {
  const browser = lab.browser();
  const isApp = (url: URL): boolean => url.href.startsWith(APP_PAGE);
  const page = await signInThere(browser, await browser.visit(authorizeUrl), who, isApp);
  return Object.fromEntries(page.url.searchParams);
}

describe("an application on a server", () => {
  it("takes the redirect on a page of its own, hands the answer over, and acts for that user", async () => {
    const opened = await open({ credential: "zocdoc", redirect_uri: APP_PAGE });
    expect(opened.status).toBe(201);
    expect(opened.json).toEqual({
      session: expect.stringMatching(/^[\w-]{43}$/),
      authorize_url: expect.stringContaining(lab.server.authorizeUrl),
      state: expect.stringMatching(/^[\w-]{43}$/),
    });
    const { session, authorize_url: authorizeUrl, state } = opened.json;
    expectLoginRequired(await me(session));

    const answer = await answerOf(authorizeUrl, "dora");
    expect(answer).toEqual({ code: expect.any(String), state, iss: lab.server.issuer });
    const taken = await post("/.pillion/sessions/callback", { session, ...answer });
    expect(taken.status).toBe(200);
    expect(taken.json).toMatchObject({ signed_in: true, credential: "zocdoc" });
    expect(taken.headers["set-cookie"]).toBeUndefined();
    expect((await me(session)).json).toMatchObject({ active: true, sub: "dora" });
    expect(lab.api.last().headers["pillion-session"]).toBeUndefined();

    const sentCodes = lab.server.tokenRequests.length;
    expectProblem(await post("/.pillion/sessions/callback", { session, ...answer }), 400, "LOGIN_FAILED");
    expect(lab.server.tokenRequests).toHaveLength(sentCodes);
  });

  it("keeps its users apart, and signs one out without the others", async () => {
    const sessions = await Promise.all(
      ["eve", "frank"].map(async (who) => {
        const { json } = await open({ credential: "zocdoc", redirect_uri: APP_PAGE });
        const answer = await answerOf(json.authorize_url, who);
        await post("/.pillion/sessions/callback", { session: json.session, ...answer });
        return json.session as string;
      }),
    );
    const [eve = "", frank = ""] = sessions;
    expect([(await me(eve)).json.sub, (await me(frank)).json.sub]).toEqual(["eve", "frank"]);
    const headers = { "Pillion-Session": eve };
    const out = await send(`${lab.pillion().origin}/.pillion/logout`, { method: "POST", headers });
    expect(out.status).toBe(204);
    expectLoginRequired(await me(eve));
    expect((await me(frank)).json.sub).toBe("frank");
  });

  it("cannot finish the login of one session in another", async () => {
    const [mine, theirs] = await Promise.all(
      [1, 2].map(() => open({ credential: "zocdoc", redirect_uri: APP_PAGE })),
    );
    const answer = await answerOf(mine?.json.authorize_url, "grace");
    const before = lab.server.tokenRequests.length;
    const session = theirs?.json.session as string;
    expectProblem(await post("/.pillion/sessions/callback", { session, ...answer }), 400, "LOGIN_FAILED");
    expect(lab.server.tokenRequests).toHaveLength(before);
    expectLoginRequired(await me(session));
  });

  it("hands over a refusal too, and is told what it means", async () => {
    const { json } = await open({ credential: "zocdoc", redirect_uri: APP_PAGE });
    const browser = lab.browser();
    const asked = await browser.visit(json.authorize_url);
    const page = await browser.follow(asked, "Cancel", { stopAt: (url) => url.href.startsWith(APP_PAGE) });
    const answer = Object.fromEntries(page.url.searchParams);
    expect(answer["error"]).toBe("access_denied");
    const told = await post("/.pillion/sessions/callback", { session: json.session, ...answer });
    expectProblem(told, 400, "LOGIN_FAILED");
    expect(told.json.detail).toContain("cancelled");
  });

  it("without a page of its own has the session completed by Pillion's, which sets no cookie", async () => {
    const { json } = await open({ credential: "zocdoc", return_to: "/done" });
    const browser = lab.browser();
    const asked = await browser.visit(json.authorize_url);
    const back = await signInThere(browser, asked, "heidi", ({ pathname }) => pathname === "/done");
    expect(back.url.href).toBe(`${lab.publicUrl}/done`);
    expect(browser.cookie(lab.publicUrl, "pillion")).toBeUndefined();
    expect((await me(json.session)).json.sub).toBe("heidi");
  });
});

function expectLoginRequired(reply: Reply): void {
  expect({ status: reply.status, code: reply.json?.code }).toEqual({ status: 401, code: "LOGIN_REQUIRED" });
}

/** The catalogue's rows on logins (O01–O05): what an attacker can do with a login of theirs, or with somebody else's. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectRaw, fieldValues, head } from "../support/raw-client.ts";
import { startRecorder } from "../support/recorder.ts";
import { type Answer, refused, reset } from "../support/token-endpoint.ts";
import {
  AUTHORIZE_ORIGIN,
  AUTHORIZE_URL,
  cookiesOf,
  outcome,
  provide,
  SAME_ORIGIN,
  type SessionLab,
  sessionOf,
  startSessionLab,
} from "./session-lab.ts";

let lab: SessionLab;
beforeAll(async () => {
  lab = await startSessionLab();
});
afterAll(async () => await lab[Symbol.asyncDispose]());

const codes = (): number => lab.grants("authorization_code").length;

/** Refused, and the authorization code stays here. */
async function expectFailed(query: string, ...fields: readonly string[]): Promise<string> {
  const before = codes();
  const answer = await lab.callback(query, ...fields);
  expect(outcome(answer)).toBe("400 LOGIN_FAILED");
  expect(answer.field("content-type")).toBe("text/html; charset=utf-8");
  expect(cookiesOf(answer)).toBe("");
  expect(answer.field("location")).toBeUndefined();
  expect(codes()).toBe(before);
  await lab.canary();
  return answer.body;
}

describe("O01 state and PKCE", () => {
  it("O01 two logins have nothing in common but the browser, and a challenge by S256", async () => {
    const one = await lab.begin();
    const two = await lab.begin("", `Cookie: ${one.cookie}`);
    const p1 = one.authorize.searchParams;
    const p2 = two.authorize.searchParams;
    expect(one.authorize.href.startsWith(`${AUTHORIZE_URL}?`)).toBe(true);
    for (const name of ["state", "code_challenge"]) {
      expect(p1.get(name)).toMatch(/^[\w-]{43}$/);
      expect(p1.get(name)).not.toBe(p2.get(name));
    }
    expect(p1.get("code_challenge_method")).toBe("S256");
    expect(p1.get("redirect_uri")).toBe(`http://localhost:${lab.port}/.pillion/callback`);
    await lab.callback(`code=good&state=${two.state}`, `Cookie: ${two.cookie}`);
    const sent = JSON.parse(lab.grants("authorization_code").at(-1)?.body ?? "");
    expect(createHash("sha256").update(sent.code_verifier).digest("base64url")).toBe(
      p2.get("code_challenge"),
    );
    expect(sent.code_verifier).not.toBe(p1.get("state"));
  });

  it.each([
    ["none", () => ""],
    ["empty", () => "&state="],
    ["wrong", () => `&state=${"A".repeat(43)}`],
    ["cut short", (state: string) => `&state=${state.slice(0, -1)}`],
    ["in another case", (state: string) => `&state=${swapCase(state)}`],
    ["with a blank", (state: string) => `&state=${state}%20`],
    ["twice, the same", (state: string) => `&state=${state}&state=${state}`],
    ["twice, a wrong one first", (state: string) => `&state=x&state=${state}`],
    ["as a list", (state: string) => `&state[]=${state}`],
    ["its cookie's value", (_state: string, cookie: string) => `&state=${cookie.split("=")[1]}`],
    ["a name of objects", () => "&state=__proto__"],
    ["a megabyte short of one", () => `&state=${"A".repeat(12_000)}`],
  ])("O01 a state that is %s: 400, no token call, and the login goes on", async (_what, state) => {
    const begun = await lab.begin();
    await expectFailed(`code=good${state(begun.state, begun.cookie)}`, `Cookie: ${begun.cookie}`);
    const answer = await lab.callback(`code=good&state=${begun.state}`, `Cookie: ${begun.cookie}`);
    expect(answer.status).toBe(303);
  });

  it("O01 a callback that is replayed: 400, no token call, and the session lives on", async () => {
    const { state, cookie } = await lab.begin();
    const query = `code=good&state=${state}`;
    const session = sessionOf(await lab.callback(query, `Cookie: ${cookie}`));
    await expectFailed(query, `Cookie: ${cookie}`);
    await expectFailed(query, `Cookie: ${cookie}; pillion=${session}`);
    expect((await lab.ask("GET /user/x", `Cookie: pillion=${session}`)).status).toBe(200);
  });

  it("O01 ten callbacks at once: one session, one token call, nine times 400", async () => {
    const { state, cookie } = await lab.begin();
    const before = codes();
    const clients = await Promise.all(Array.from({ length: 10 }, () => connectRaw(lab.port)));
    const bytes = head(`GET /.pillion/callback?code=good&state=${state}`, `Cookie: ${cookie}`);
    for (const client of clients) client.send(bytes);
    const answers = await Promise.all(clients.map((client) => client.answer()));
    for (const { socket } of clients) socket.destroy();
    expect(answers.map(outcome).sort()).toEqual(["303", ...Array(9).fill("400 LOGIN_FAILED")]);
    expect(codes()).toBe(before + 1);
  });
});

describe("O02 a callback in another browser", () => {
  it("O02 without the login's cookie or with another's: 400, no token call, and the login goes on", async () => {
    const attacker = await lab.begin();
    const victim = await lab.begin();
    const query = `code=good&state=${attacker.state}`;
    await expectFailed(query);
    await expectFailed(query, `Cookie: ${victim.cookie}`);
    await expectFailed(query, `Cookie: ${victim.cookie}; pillion=${await lab.signIn()}`);
    await expectFailed(query, `Cookie: ${swapCase(attacker.cookie)}`);
    await expectFailed(query, "Cookie: pillion-login=");
    await expectFailed(query, `Cookie: pillion=${attacker.cookie.split("=")[1]}`);
    expect((await lab.callback(query, `Cookie: ${attacker.cookie}`)).status).toBe(303);
  });

  it("O02 a login cookie that somebody tosses beside the browser's own counts for nobody", async () => {
    const attacker = await lab.begin();
    const victim = await lab.begin();
    for (const cookies of [
      `${attacker.cookie}; ${victim.cookie}`,
      `${victim.cookie}; ${attacker.cookie}`,
      `${victim.cookie}; x=1; ${attacker.cookie}; ${victim.cookie}`,
    ])
      await expectFailed(`code=good&state=${attacker.state}`, `Cookie: ${cookies}`);
  });

  it("O02 an error that a stranger sends for a login ends nothing", async () => {
    const { state, cookie } = await lab.begin();
    await expectFailed(`error=access_denied&state=${state}`);
    expect((await lab.callback(`code=good&state=${state}`, `Cookie: ${cookie}`)).status).toBe(303);
  });

  it("O02 a login that an application takes on a page of its own cannot be completed here, nor its session taken over", async () => {
    const opened = await lab.post(
      "/.pillion/sessions",
      JSON.stringify({ credential: "user", redirect_uri: "https://app.example/back" }),
    );
    const { session, state } = JSON.parse(opened.body);
    await expectFailed(`code=good&state=${state}`);
    const mine = JSON.parse(
      (
        await lab.post(
          "/.pillion/sessions",
          JSON.stringify({ credential: "user", redirect_uri: "https://app.example/back" }),
        )
      ).body,
    );
    const before = codes();
    const stolen = { session: mine.session, code: "good", state };
    expect(outcome(await lab.post("/.pillion/sessions/callback", JSON.stringify(stolen)))).toBe(
      "400 LOGIN_FAILED",
    );
    const browser = await lab.begin();
    const mixed = { session, code: "good", state: browser.state };
    expect(outcome(await lab.post("/.pillion/sessions/callback", JSON.stringify(mixed)))).toBe(
      "400 LOGIN_FAILED",
    );
    expect(codes()).toBe(before);
    const own = { session, code: "good", state };
    expect((await lab.post("/.pillion/sessions/callback", JSON.stringify(own))).status).toBe(200);
    expect((await lab.ask("GET /user/x", `Pillion-Session: ${session}`)).status).toBe(200);
    expect(outcome(await lab.post("/.pillion/sessions/callback", JSON.stringify(own)))).toBe(
      "400 LOGIN_FAILED",
    );
  });

  it("O02 a code of another login comes with the wrong verifier, so the provider refuses it", async () => {
    const attacker = await lab.begin();
    const victim = await lab.begin();
    const challenges = new Map([["code-of-attacker", attacker.authorize.searchParams.get("code_challenge")]]);
    const usual = provide();
    lab.provider.answer((request, count) => {
      const { code, code_verifier } = JSON.parse(request.body);
      const challenge = createHash("sha256").update(String(code_verifier)).digest("base64url");
      return usual(
        challenges.get(code) === challenge
          ? request
          : { ...request, body: JSON.stringify({ grant_type: "authorization_code", code: "bad" }) },
        count,
      );
    });
    const answer = await lab.callback(
      `code=code-of-attacker&state=${victim.state}`,
      `Cookie: ${victim.cookie}`,
    );
    lab.provider.answer(provide());
    expect(outcome(answer)).toBe("400 LOGIN_FAILED");
    expect(cookiesOf(answer)).toBe("");
    expect(answer.body).not.toContain("code-of-attacker");
  });
});

describe("O03 the issuer of the callback", () => {
  const WRONG = [
    "https://evil.example",
    "https://login.provider.example.evil.example",
    "http://login.provider.example",
    "https://login.provider.example:444",
    "https://evil.example/@login.provider.example",
    "https://evil.example/?https://login.provider.example",
    "https://login.provider.example@evil.example/",
    "login.provider.example",
    "",
    "null",
  ];

  it.each(WRONG)("O03 iss=%j: the code is never sent", async (iss) => {
    const { state, cookie } = await lab.begin();
    await expectFailed(`code=good&state=${state}&iss=${encodeURIComponent(iss)}`, `Cookie: ${cookie}`);
  });

  it("O03 two of them, though one is right: the code is never sent", async () => {
    for (const two of [
      [AUTHORIZE_ORIGIN, "https://evil.example"],
      [AUTHORIZE_ORIGIN, AUTHORIZE_ORIGIN],
    ]) {
      const { state, cookie } = await lab.begin();
      const iss = two.map((each) => `&iss=${encodeURIComponent(each)}`).join("");
      await expectFailed(`code=good&state=${state}${iss}`, `Cookie: ${cookie}`);
    }
  });

  it("O03 the right one, and none from a provider that does not send it, get in", async () => {
    for (const iss of ["", `&iss=${encodeURIComponent(`${AUTHORIZE_ORIGIN}/`)}`]) {
      const { state, cookie } = await lab.begin();
      expect((await lab.callback(`code=good&state=${state}${iss}`, `Cookie: ${cookie}`)).status).toBe(303);
    }
  });

  it("O03 with an issuer in the configuration it has to be that one to the letter", async () => {
    await using strict = await startSessionLab({ user: 'issuer: "https://login.provider.example/a/"' });
    for (const iss of [
      "https://login.provider.example",
      "https://login.provider.example/a",
      "https://login.provider.example/A/",
      "https://login.provider.example/a/ ",
      "https://login.provider.example/a/",
    ]) {
      const { state, cookie } = await strict.begin();
      const answer = await strict.callback(
        `code=good&state=${state}&iss=${encodeURIComponent(iss)}`,
        `Cookie: ${cookie}`,
      );
      expect([iss, outcome(answer)]).toEqual([iss, iss.endsWith("/a/") ? "303" : "400 LOGIN_FAILED"]);
    }
    expect(strict.grants("authorization_code")).toHaveLength(1);
  });
});

describe("O04 where a login leads", () => {
  const FOREIGN = [
    "//e",
    "///e",
    "/\\e",
    "\\\\e",
    "/%09/e",
    "/\t/e",
    "/ /e",
    "/\r\n/e",
    "\t//e",
    " //e",
    "https:e",
    "https://e/",
    "HTTPS://e/",
    "http://h@e",
    "javascript:alert(1)",
    "data:text/html,x",
    "e",
    "",
    "?x",
    "#x",
    "/.//e",
    "/./\\e",
    "/..//e",
    "/%2f/e",
    "/%2f%2fe",
    "/%5ce",
    "/%252fe",
    "/a\r\nSet-Cookie: pillion=evil",
    "/a%0d%0aSet-Cookie:%20pillion=evil",
    "/\u2028/e",
    "/\u3002/e",
    "/\uff0f/e",
    "/é",
    "/\u0000/e",
    `/${"a".repeat(5_000)}`,
  ];

  it.each(FOREIGN)("O04 return_to=%j leads to /", async (asked) => {
    const { state, cookie } = await lab.begin(`?return_to=${encodeURIComponent(asked)}`);
    const answer = await lab.callback(`code=good&state=${state}`, `Cookie: ${cookie}`);
    expect(fieldValues(answer.headers, "location")).toEqual(["/"]);
    expect(fieldValues(answer.headers, "set-cookie").join()).not.toContain("evil");
  });

  it("O04 a path of ours with a query is kept, and of two the first is judged as one", async () => {
    const { state, cookie } = await lab.begin(`?return_to=${encodeURIComponent("/user/a?b=c&d=https://e/")}`);
    const answer = await lab.callback(
      `code=good&state=${state}&return_to=//evil&redirect_uri=//evil`,
      `Cookie: ${cookie}`,
    );
    expect(answer.field("location")).toBe("/user/a?b=c&d=https://e/");
    const two = await lab.begin("?return_to=//e&return_to=/a");
    const ended = await lab.callback(`code=good&state=${two.state}`, `Cookie: ${two.cookie}`);
    expect(ended.field("location")).toBe("/");
  });

  it("O04 the login itself goes to the provider that was configured, whatever its query and fields say", async () => {
    const { authorize } = await lab.begin(
      "?redirect_uri=https://evil.example/&client_id=evil&state=evil&scope=evil&code_challenge=evil&authorize_url=https://evil.example&iss=evil",
      "X-Forwarded-Host: evil.example",
      "Forwarded: host=evil.example",
      "X-Original-URL: /evil",
      "Referer: https://evil.example/",
    );
    expect(authorize.href).not.toContain("evil");
    expect(authorize.origin).toBe(AUTHORIZE_ORIGIN);
  });

  it("O04 a page that wants a login sends the browser to the public URL, whatever Host it asked", async () => {
    const answer = await lab.ask(
      "GET /page/evil?x=%0d%0a//evil",
      "Host: evil.localhost",
      "Sec-Fetch-Mode: navigate",
      "Sec-Fetch-Dest: document",
      "X-Forwarded-Host: evil.example",
    );
    expect(answer.status).toBe(303);
    const location = new URL(answer.field("location") ?? "");
    expect(location.origin).toBe(`http://localhost:${lab.port}`);
    expect(location.pathname).toBe("/.pillion/login/user");
  });
});

describe("what comes back to the person at the browser", () => {
  it.each([
    ["markup", "<script>alert(1)</script><img src=x onerror=alert(1)>"],
    ["an attribute's end", `"'><b onmouseover=alert(1)>`],
    ["lines and fields", "a\r\nSet-Cookie: pillion=evil\r\n\r\n<b>"],
    ["other scripts and marks", "\u202e\u200b\u0000\u2028𝕊ign in at \u0131"],
    ["half a character", "%ED%A0%80%ff%fe"],
    ["kilobytes", "<".repeat(1_500)],
  ])("holds nothing of error_description but text: %s", async (_what, text) => {
    const { state, cookie } = await lab.begin();
    const encoded = text.startsWith("%") ? text : encodeURIComponent(text);
    const page = await expectFailed(
      `error=${encoded.slice(0, 30).replace(/%.?$/, "")}&error_description=${encoded}&error_uri=${encoded}&state=${state}`,
      `Cookie: ${cookie}`,
    );
    const bytes = Buffer.from(page, "latin1").toString();
    expect(bytes).not.toMatch(/<script|<img|<b[ >]|onerror=[^&]*>|\u202e|\u200b|\u2028|\0|&lt;{10}/u);
    expect(bytes.length).toBeLessThan(4_000);
    expect(bytes.match(/<a href="([^"]*)"/)?.[1]).toBe(`http://localhost:${lab.port}/.pillion/login/user`);
  });

  it("loads, runs, frames and tells nothing", async () => {
    const { cookie } = await lab.begin();
    const answer = await lab.callback("code=secret-code&state=x", `Cookie: ${cookie}`);
    expect(answer.field("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    expect(answer.field("referrer-policy")).toBe("no-referrer");
    expect(answer.field("cache-control")).toBe("no-store");
    expect(answer.field("x-content-type-options")).toBe("nosniff");
    expect(answer.body).not.toContain("secret-code");
  });

  it.each(["login_hint", "return_to"])(
    "%s with lines, markup or any byte stays one parameter of the provider's URL or none",
    async (name) => {
      const values = [
        "a\r\nX: y",
        "<b>",
        "&state=evil&x=",
        "#f",
        "\u0000",
        "%",
        "+ +",
        "é\u202e",
        "a".repeat(8_000),
      ];
      for (const value of values) {
        const { authorize, state } = await lab.begin(`?${name}=${encodeURIComponent(value)}`);
        expect(authorize.searchParams.getAll("state")).toEqual([state]);
        expect(authorize.hash).toBe("");
        const hint = authorize.searchParams.get("login_hint");
        if (name === "login_hint" && value.length < 500) expect(hint).toBe(value);
        else expect(hint).toBeNull();
      }
      await lab.begin(`?${name}=%ff%fe%00%`);
    },
  );

  it("a hundred kilobytes of anything are 431, and the process goes on", async () => {
    for (const target of [
      "/.pillion/login/user?login_hint=",
      "/.pillion/login/user?return_to=/",
      "/.pillion/callback?error_description=",
    ]) {
      const client = await connectRaw(lab.port);
      client.send(head(`GET ${target}${"a".repeat(100_000)}`));
      expect((await client.answer()).status).toBe(431);
      client.socket.destroy();
    }
    await lab.canary();
  });
});

describe("a provider that is not what it should be", () => {
  const json = { "content-type": "application/json" };
  const token = (members: object): Answer => ({
    status: 200,
    headers: json,
    body: JSON.stringify({ access_token: "t", token_type: "Bearer", expires_in: 3_600, ...members }),
  });
  const HOSTILE: readonly (readonly [string, Answer])[] = [
    ["a line break in the token", token({ access_token: "t\r\nX-Evil: 1" })],
    ["no token", token({ access_token: undefined })],
    ["a list for a token", token({ access_token: ["t"] })],
    ["another type of token", token({ token_type: "DPoP" })],
    ["a lifetime that is none", token({ expires_in: "soon" })],
    [
      "an object of no prototype's",
      { status: 200, headers: json, body: '{"__proto__":{"access_token":"t"}}' },
    ],
    ["markup in an error", refused(400, "<script>alert(1)</script>", "<img src=x onerror=alert(1)>\r\n")],
    ["ten megabytes", { status: 200, headers: json, body: Buffer.alloc(10 * 1_048_576, 0x20) }],
    ["HTML", { status: 200, headers: { "content-type": "text/html" }, body: "<script>alert(1)</script>" }],
    ["a reset", reset],
  ];

  it.each(HOSTILE)(
    "answers the code with %s: 400 LOGIN_FAILED, no session, and the page shows text",
    async (_what, answer) => {
      const { state, cookie } = await lab.begin();
      lab.provider.answer(answer);
      const failed = await lab.callback(`code=good&state=${state}`, `Cookie: ${cookie}`);
      lab.provider.answer(provide());
      expect(outcome(failed)).toBe("400 LOGIN_FAILED");
      expect(cookiesOf(failed)).toBe("");
      expect(failed.body).not.toMatch(/<script|<img|X-Evil: 1\n/);
      await lab.canary();
    },
  );

  it("sends codes, refresh tokens and the application's token on to somebody else: nothing goes there", async () => {
    await using elsewhere = await startRecorder();
    await using own = await startSessionLab();
    const session = await own.signIn();
    for (const status of [301, 302, 303, 307, 308]) {
      const { state, cookie } = await own.begin();
      own.provider.answer({ status, headers: { location: `${elsewhere.origin}steal` } });
      const failed = await own.callback(`code=good&state=${state}`, `Cookie: ${cookie}`);
      expect(outcome(failed)).toBe("400 LOGIN_FAILED");
      expect((await own.ask(`GET /anonymous/x`)).status).toBeGreaterThan(499);
      const logout = await own.ask(
        "POST /.pillion/logout",
        `Pillion-Session: ${session}`,
        "Content-Length: 0",
      );
      expect(logout.status).toBe(204);
    }
    expect(elsewhere.connections).toBe(0);
  });
});

describe("O05 a session that was there before the login", () => {
  it("O05 planted by somebody who knows it: the login makes another, and the old one is dead", async () => {
    const made = await lab.ask("GET /anonymous/x");
    const planted = sessionOf(made);
    const session = await lab.signIn(`Cookie: pillion=${planted}`);
    expect(session).not.toBe(planted);
    const known = `Cookie: pillion=${planted}`;
    expect(outcome(await lab.ask("GET /user/x", known))).toBe("401 LOGIN_REQUIRED");
    expect(JSON.parse((await lab.ask("GET /.pillion/session", known)).body)).toEqual({ signed_in: false });
    expect((await lab.ask("GET /user/x", `Cookie: pillion=${session}`)).status).toBe(200);
  });

  it("O05 made up, well-formed or not: never taken as a session's id", async () => {
    for (const planted of ["A".repeat(43), "x", "", "../../x", `${"a".repeat(43)}\xe9`]) {
      expect(await lab.signIn(`Cookie: pillion=${planted}`)).not.toBe(planted);
      const seen = await lab.ask("GET /anonymous/x", `Cookie: pillion=${planted}`);
      expect(sessionOf(seen)).not.toBe(planted);
    }
  });

  it("O05 of a user who signed in before: a second login ends it", async () => {
    const first = await lab.signIn();
    const second = await lab.signIn(`Cookie: pillion=${first}`);
    expect(outcome(await lab.ask("GET /user/x", `Cookie: pillion=${first}`))).toBe("401 LOGIN_REQUIRED");
    expect((await lab.ask("GET /user/x", `Cookie: pillion=${second}`)).status).toBe(200);
  });

  it("O05 that took the place of the browser's own during the login shares nothing with what comes of it", async () => {
    const attacker = sessionOf(await lab.ask("GET /anonymous/attacker"));
    const { state, cookie } = await lab.begin();
    const answer = await lab.callback(`code=good&state=${state}`, `Cookie: ${cookie}; pillion=${attacker}`);
    const session = sessionOf(answer);
    lab.recorder("anonymous").forget();
    await lab.ask("GET /anonymous/x", `Cookie: pillion=${attacker}`);
    await lab.ask("GET /anonymous/x", `Cookie: pillion=${session}`);
    const tokens = lab
      .recorder("anonymous")
      .messages.flatMap(({ headers }) => fieldValues(headers, "authorization"));
    expect(new Set(tokens).size).toBe(2);
    expect(outcome(await lab.ask("GET /user/x", `Cookie: pillion=${attacker}`))).toBe("401 LOGIN_REQUIRED");
  });
});

describe("logins without end", () => {
  it("take bounded memory: the oldest go, the newest can be completed, and nobody is signed out", async () => {
    await using flooded = await startSessionLab();
    const session = await flooded.signIn();
    const oldest = await flooded.begin();
    const flood = async (count: number): Promise<void> => {
      const clients = await Promise.all(Array.from({ length: 4 }, () => connectRaw(flooded.port)));
      const bytes = head(`GET /.pillion/login/user?return_to=/${"a".repeat(2_000)}`).repeat(50);
      await Promise.all(
        clients.map(async (client) => {
          for (let sent = 0; sent < count / 4; sent += 50) {
            client.send(bytes);
            for (let each = 0; each < 50; each += 1) expect((await client.answer()).status).toBe(303);
          }
          client.socket.destroy();
        }),
      );
    };
    const residentMiB = (): number => {
      const status = readFileSync(`/proc/${flooded.pillion.child.pid}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024;
    };
    await flood(14_000);
    const fullMiB = residentMiB();
    await flood(6_000);
    expect(residentMiB() - fullMiB).toBeLessThan(24);
    const gone = await flooded.callback(`code=good&state=${oldest.state}`, `Cookie: ${oldest.cookie}`);
    expect(outcome(gone)).toBe("400 LOGIN_FAILED");
    await flooded.signIn();
    expect((await flooded.ask("GET /user/x", `Cookie: pillion=${session}`, SAME_ORIGIN)).status).toBe(200);
  });
});

function swapCase(text: string): string {
  return text.replace(/[a-zA-Z](?=[^a-zA-Z]*$)/, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
}

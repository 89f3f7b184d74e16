/** Everything under `/.pillion/`: who may ask, by which spelling, with which method and body, and what never comes of it. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { cookiesOf, outcome, SAME_ORIGIN, type SessionLab, startSessionLab } from "./session-lab.ts";

let lab: SessionLab;
let session: string;
beforeAll(async () => {
  lab = await startSessionLab();
  session = await lab.signIn();
});
afterAll(async () => await lab[Symbol.asyncDispose]());

const ENDPOINTS = [
  ["GET", "/.pillion/login/user"],
  ["GET", "/.pillion/callback?code=good&state=x"],
  ["GET", "/.pillion/session"],
  ["POST", "/.pillion/logout"],
  ["POST", "/.pillion/sessions"],
  ["POST", "/.pillion/sessions/callback"],
] as const;

const cookie = (): string => `Cookie: pillion=${session}`;
const OPEN = JSON.stringify({ credential: "user" });

/** Nothing at any upstream, and no token asked for. */
let before: readonly [number, number];
beforeEach(() => {
  before = [lab.messages().length, lab.grants("authorization_code").length];
});
const expectNothing = (): void =>
  expect([lab.messages().length, lab.grants("authorization_code").length]).toEqual(before);
const expectSignedIn = async (): Promise<void> => {
  const { body } = await lab.ask("GET /.pillion/session", cookie());
  expect(JSON.parse(body)).toMatchObject({ signed_in: true });
};

describe("other spellings of /.pillion/", () => {
  it.each([
    "/.pillion/../none/x",
    "/none/../.pillion/session",
    "/none/%2e%2e/.pillion/session",
    "/./.pillion/session",
    "//.pillion/session",
    "/.pillion/session/..",
    "/.pillion%2fsession",
    "/.pillion%5csession",
    "/.pillion\\session",
    "/.pillion/session%00",
    "/.pillion/session#",
    "/.pillion/%2e/session",
    "/.pillion/login/%2e%2e",
    "/.pillion/login/..;/session",
    "/%c0%aepillion/session",
    "/%252e%252e/.pillion/../session",
    "http://localhost/.pillion/session",
    ".pillion/session",
  ])("%s is 400: one path, or none", async (target) => {
    expect(outcome(await lab.ask(`GET ${target}`, cookie()))).toBe("400 TARGET_INVALID");
    expectNothing();
  });

  it.each([
    "/.pillion",
    "/.pillion/",
    "/.pillion//session",
    "/.pillion/session/",
    "/.pillion/session;x",
    "/.pillion/SESSION",
    "/.pillion/sessions/else",
    "/.pillion/login",
    "/.pillion/login/",
    "/.pillion/login/machine",
    "/.pillion/login/anonymous",
    "/.pillion/login/__proto__",
    "/.pillion/login/user/",
    "/.pillion/login/user%20",
    "/.pillion/login/USER",
    "/.pillion/login/none",
    "/.pillion/callback/",
    "/.pillion/..%3b/session",
    "/%2epillion/else",
    "/%2Epillion%2Felse".replace("%2F", "/"),
    "/%2e%70illion/x/none/x",
  ])("%s is nothing, and the route for all the rest does not get it", async (target) => {
    const answer = await lab.ask(`GET ${target}`, cookie());
    expect(["404 ROUTE_NOT_FOUND", "400 TARGET_INVALID"]).toContain(outcome(answer));
    expectNothing();
  });

  it.each([
    "/%2epillion/session",
    "/.pillio%6e/session",
    "/.pillion/%73ession",
    "/%2E%70%69%6C%6C%69%6F%6E/session",
  ])(
    "%s, the same path in other letters (RFC 3986 §6.2.2.2), is judged as that path and goes to no upstream",
    async (target) => {
      const foreign = await lab.ask(
        `GET ${target}`,
        cookie(),
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
      );
      expect(outcome(foreign)).toBe("403 ORIGIN_NOT_ALLOWED");
      const logout = await lab.ask(
        `POST ${target.replace("session", "logout").replace("%73ession", "%6cogout")}`,
        cookie(),
        "Content-Length: 0",
      );
      expect(outcome(logout)).toBe("403 ORIGIN_NOT_ALLOWED");
      expectNothing();
      await expectSignedIn();
    },
  );

  it.each([
    "/.PILLION/session",
    "/.pillion-x/session",
    "/.pillionsession",
    "/%20.pillion/session",
    "/;/.pillion/session",
    "/x/.pillion/session",
    "/.pillion;/session",
    "/.pill%C4%B1on/session",
    "/%2525epillion/session",
  ])("%s is another path: it goes to its route as any other, without cookie or session", async (target) => {
    const answer = await lab.ask(`GET ${target}`, cookie(), `Pillion-Session: ${session}`);
    expect(answer).toMatchObject({ status: 200, body: "ok" });
    const [message] = lab.recorder("none").messages.slice(-1);
    expect(message?.target).toBe(`/rest${target}`);
    expect(message?.headers.join("\n")).not.toContain(session);
  });

  it("the admin listener serves none of them", async () => {
    for (const [method, path] of ENDPOINTS) {
      const answer = await roundTrip(
        lab.adminPort,
        head(`${method} ${path}`, cookie(), SAME_ORIGIN, "Content-Length: 0"),
      );
      expect([path, answer.status]).toEqual([path, 404]);
      expect(answer.field("set-cookie")).toBeUndefined();
    }
  });
});

describe.each(ENDPOINTS)("%s %s", (method, target) => {
  const [path = ""] = target.split("?");
  const body = method === "POST" ? ["Content-Length: 0"] : [];

  it("takes no other method, and says which one", async () => {
    for (const other of [
      "GET",
      "HEAD",
      "POST",
      "PUT",
      "PATCH",
      "DELETE",
      "OPTIONS",
      "QUERY",
      "PROPFIND",
      "SEARCH",
    ]) {
      if (other === method) continue;
      const client = await connectRaw(lab.port);
      client.send(head(`${other} ${target}`, cookie(), SAME_ORIGIN, "Content-Length: 0"));
      await expect.poll(() => client.buffered()).toContain("\r\n\r\n");
      expect([other, client.buffered().slice(9, 12)]).toEqual([other, "405"]);
      expect(client.buffered()).toMatch(new RegExp(`^allow: ${method}\r$`, "im"));
      expect(client.buffered()).not.toMatch(/^set-cookie/im);
      client.socket.destroy();
    }
    for (const odd of ["TRACE", "CONNECT", "get", "EVIL"]) {
      const answer = await roundTrip(lab.port, head(`${odd} ${target}`, cookie()));
      expect([400, 405]).toContain(answer.status);
      expect(answer.body).not.toContain(session);
    }
    expectNothing();
    await expectSignedIn();
  });

  it("refuses a name that a rebinding page has, and an origin that is not ours, before anything else", async () => {
    for (const host of [
      "evil.example",
      `evil.example:${lab.port}`,
      "localhost.evil.example",
      "169.254.169.254",
    ]) {
      const answer = await lab.ask(`${method} ${target}`, `Host: ${host}`, cookie(), SAME_ORIGIN, ...body);
      expect([host, outcome(answer)]).toEqual([host, "403 HOST_NOT_ALLOWED"]);
    }
    for (const origin of [
      "https://evil.example",
      "null",
      `https://localhost:${lab.port}`,
      "http://localhost:1",
    ]) {
      const answer = await lab.ask(`${method} ${target}`, `Origin: ${origin}`, cookie(), ...body);
      expect([origin, outcome(answer)]).toEqual([origin, "403 ORIGIN_NOT_ALLOWED"]);
      expect(answer.headers.join("\n").toLowerCase()).not.toContain("access-control");
      const preflight = await lab.ask(
        `OPTIONS ${target}`,
        `Origin: ${origin}`,
        `Access-Control-Request-Method: ${method}`,
        "Access-Control-Request-Headers: pillion-session, content-type",
      );
      expect(outcome(preflight)).toBe("403 ORIGIN_NOT_ALLOWED");
    }
    expectNothing();
  });

  it("takes a person who comes from another site only where a login begins or comes back", async () => {
    const fields = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    const answer = await lab.ask(`${method} ${target}`, ...fields, ...body);
    const isLogin = path.includes("/login/") || path === "/.pillion/callback";
    expect(outcome(answer)).toBe(
      isLogin ? (path.includes("/login/") ? "303" : "400 LOGIN_FAILED") : "403 ORIGIN_NOT_ALLOWED",
    );
    expectNothing();
  });

  it("is not hurt by a body, nor is what comes behind it", async () => {
    const client = await connectRaw(lab.port);
    const smuggled = head("GET /none/smuggled");
    client.send(
      head(
        `${method} ${target}`,
        cookie(),
        SAME_ORIGIN,
        `Content-Length: ${smuggled.length}`,
        "Content-Type: text/plain",
      ) + smuggled,
    );
    const first = await client.answer();
    expect(first.status).toBeLessThan(500);
    client.socket.destroy();
    await lab.canary();
    expect(lab.recorder("none").messages.map(({ target: seen }) => seen)).not.toContain("/smuggled");
    if (path === "/.pillion/logout") session = await lab.signIn();
    for (const framing of [
      ["Content-Length: 3", "Transfer-Encoding: chunked"],
      ["Content-Length: 3", "Content-Length: 4"],
      ["Transfer-Encoding: xchunked"],
    ]) {
      const answer = await roundTrip(
        lab.port,
        `${head(`${method} ${target}`, ...framing)}3\r\nabc\r\n0\r\n\r\n`,
      );
      expect(answer.status).toBe(400);
    }
  });

  it("takes neither an upgrade nor HTTP/2 in the clear", async () => {
    for (const upgrade of ["websocket", "h2c"]) {
      const answer = await roundTrip(
        lab.port,
        head(`GET ${target}`, "Connection: Upgrade", `Upgrade: ${upgrade}`, cookie(), SAME_ORIGIN),
      );
      expect([200, 303, 400, 405]).toContain(answer.status);
      expect(answer.field("upgrade")).toBeUndefined();
    }
    expectNothing();
  });
});

describe("the JSON of /.pillion/sessions", () => {
  const LONG = "x".repeat(1_048_576);
  const cases: readonly (readonly [string, string])[] = [
    ["nothing", ""],
    ["no JSON", "credential=user"],
    ["a list", '["user"]'],
    ["a list of pairs", '[["credential","user"]]'],
    ["null", "null"],
    ["a text", '"user"'],
    ["a key twice, the last another credential", '{"credential":"machine","credential":"user"}'],
    [
      "a key twice, with blanks and quotes between",
      '{"return_to":"/\\":\\"","credential":"user" ,\n"credential"\t: "user"}',
    ],
    ["a key twice, one in escapes", '{"credential":"user","\\u0063redential":"user"}'],
    ["__proto__", '{"credential":"user","__proto__":{"redirect_uri":"https://evil.example"}}'],
    ["__proto__ alone", '{"__proto__":{"credential":"user"}}'],
    ["constructor", '{"credential":"user","constructor":{"prototype":{"x":1}}}'],
    ["a credential of nobody's", '{"credential":"toString"}'],
    ["a machine's credential", '{"credential":"machine"}'],
    ["a credential that is a list", '{"credential":["user"]}'],
    ["a number", '{"credential":"user","return_to":1}'],
    ["null for a text", '{"credential":"user","redirect_uri":null}'],
    ["another member", '{"credential":"user","session":"x"}'],
    ["deep nesting", `{"credential":${"[".repeat(8_000)}${"]".repeat(8_000)}}`],
    ["deep nesting that never ends", "[".repeat(16_000)],
    ["deep objects", `${'{"a":'.repeat(3_000)}1${"}".repeat(3_000)}`],
    ["a comment", '{"credential":"user"/**/}'],
    ["two documents", '{"credential":"user"}{"credential":"user"}'],
    ["a byte-order mark and no more", "\ufeff"],
    ["16 KiB and more", `{"credential":"user","return_to":"/${"a".repeat(17_000)}"}`],
    ...[
      "javascript:alert(1)",
      "//evil",
      "https://h@e/",
      "https://e/#f",
      "ftp://e/",
      "https://e/\\\\x",
      "https://e/ x",
      "https://e/\\r\\nx",
      "",
      "/x",
    ].map((uri) => [`redirect_uri ${uri}`, `{"credential":"user","redirect_uri":"${uri}"}`] as const),
  ];

  it.each(cases)("%s: 400 REQUEST_INVALID, in words that repeat nothing of it", async (_what, body) => {
    const answer = await lab.post("/.pillion/sessions", body);
    expect(outcome(answer)).toBe("400 REQUEST_INVALID");
    expect(answer.body).not.toMatch(/evil|authorize_url|__proto__/);
    await lab.canary();
  });

  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json+evil",
    "text/json",
    "application/ json",
    "text/plain; application/json",
    "",
  ])("as Content-Type: %s, which a form of any page can send: 400", async (type) => {
    expect(outcome(await lab.post("/.pillion/sessions", OPEN, `Content-Type: ${type}`))).toBe(
      "400 REQUEST_INVALID",
    );
  });

  it("a megabyte is 400 before it is read, with a length and in chunks", async () => {
    for (const chunked of [false, true]) {
      const client = await connectRaw(lab.port);
      const framing = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${LONG.length}`;
      client.send(head("POST /.pillion/sessions", "Content-Type: application/json", framing));
      client.send(chunked ? `${LONG.length.toString(16)}\r\n${LONG}\r\n0\r\n\r\n` : LONG);
      expect(outcome(await client.answer())).toBe("400 REQUEST_INVALID");
      client.socket.destroy();
    }
    const packed = await lab.post("/.pillion/sessions", OPEN, "Content-Encoding: gzip");
    expect(outcome(packed)).toBe("400 REQUEST_INVALID");
    await lab.canary();
  });

  it("a caller that leaves in the middle of its body is no fault of the proxy's", async () => {
    for (const target of ["/.pillion/sessions", "/.pillion/sessions/callback"]) {
      const client = await connectRaw(lab.port);
      client.send(
        `${head(`POST ${target}`, "Content-Type: application/json", "Content-Length: 500", "Expect: 100-continue")}{"cred`,
      );
      expect((await client.answer()).status).toBe(100);
      client.socket.resetAndDestroy();
    }
    await expect
      .poll(async () => (await roundTrip(lab.adminPort, head("GET /metrics"))).body)
      .toMatch(/pillion_rejected_total\{reason="REQUEST_INVALID"\} \d/);
    await lab.canary();
    expect(lab.pillion.stdout()).not.toMatch(/"level":"error"|INTERNAL/);
  });

  it("a callback that names no session, no state, code and error both, or neither: 400, and no code goes out", async () => {
    for (const body of [
      {},
      { session },
      { session, code: "good" },
      { session, state: "x" },
      { session, state: "x", code: "good", error: "y" },
      { session: "", state: "", code: "" },
      { session: ["x"], state: "x", code: "good" },
      { session, state: "x", code: "good", redirect_uri: "https://evil.example" },
    ]) {
      const { status } = await lab.post("/.pillion/sessions/callback", JSON.stringify(body));
      expect([body, status]).toEqual([body, 400]);
    }
    expectNothing();
  });

  it("a script of a page cannot move its visitor's session into one whose id it is told", async () => {
    const opened = JSON.parse((await lab.post("/.pillion/sessions", OPEN, cookie(), SAME_ORIGIN)).body);
    const answer = { session: opened.session, code: "good", state: opened.state };
    expect(
      (await lab.post("/.pillion/sessions/callback", JSON.stringify(answer), cookie(), SAME_ORIGIN)).status,
    ).toBe(200);
    await expectSignedIn();
    expect((await lab.ask("GET /user/x", cookie())).status).toBe(200);
    const anonymous = JSON.parse(
      (await lab.post("/.pillion/sessions", '{"credential":"anonymous"}', cookie(), SAME_ORIGIN)).body,
    );
    expect(outcome(await lab.ask("GET /user/x", `Pillion-Session: ${anonymous.session}`))).toBe(
      "401 LOGIN_REQUIRED",
    );
  });

  it("a session that was opened and never signed in is nobody", async () => {
    const opened = JSON.parse((await lab.post("/.pillion/sessions", OPEN)).body);
    expect(opened.session).toMatch(/^[\w-]{43}$/);
    expect(opened.state).not.toBe(opened.session);
    expect(opened.authorize_url).not.toContain(opened.session);
    expect(outcome(await lab.ask("GET /user/x", `Pillion-Session: ${opened.session}`))).toBe(
      "401 LOGIN_REQUIRED",
    );
    expect(outcome(await lab.ask("GET /user/x", `Cookie: pillion=${opened.state}`))).toBe(
      "401 LOGIN_REQUIRED",
    );
    expectNothing();
  });
});

describe("with an access token", () => {
  it("login and callback go without it, a signed-in cookie reads and ends its own session, and all else needs it", async () => {
    await using guarded = await startSessionLab({
      extra: "access: { token: { env: ACCESS } }",
      env: { ACCESS: "fake-access-token" },
    });
    const with_ = "Pillion-Access: fake-access-token";
    const token = await guarded.signIn();
    const ask = (method: string, target: string, ...fields: readonly string[]) =>
      guarded.ask(`${method} ${target}`, ...(method === "POST" ? ["Content-Length: 0"] : []), ...fields);
    const denied = "403 ACCESS_TOKEN_REQUIRED";
    for (const fields of [
      [],
      ["Pillion-Access: fake-access-toke"],
      ["Pillion-Access:"],
      ["Authorization: Basic fake-access-token"],
      [`Pillion-Session: ${token}`],
      [`Cookie: pillion=${"A".repeat(43)}`, SAME_ORIGIN],
      [`Cookie: pillion=${token}; pillion=x`, SAME_ORIGIN],
    ]) {
      for (const [method, target] of ENDPOINTS) {
        const isLogin = target.includes("/login/") || target.includes("/.pillion/callback");
        const answer = await ask(method, target, ...fields);
        expect([target, fields, outcome(answer)]).toEqual([
          target,
          fields,
          isLogin ? (target.includes("/login/") ? "303" : "400 LOGIN_FAILED") : denied,
        ]);
      }
      for (const target of [
        "/none/x",
        "/machine/x",
        "/user/x",
        "/h2/x",
        "/anonymous/x",
        "/.pillion/else",
        "/.pillion/login/else",
        "/nowhere",
      ])
        expect([target, fields, outcome(await ask("GET", target, ...fields))]).toEqual([
          target,
          fields,
          denied,
        ]);
    }
    for (const method of ["POST", "HEAD", "PUT", "OPTIONS"]) {
      const client = await connectRaw(guarded.port);
      client.send(head(`${method} /.pillion/login/user`, "Content-Length: 0"));
      await expect.poll(() => client.buffered()).toContain("\r\n\r\n");
      expect([method, client.buffered().slice(9, 12)]).toEqual([method, "403"]);
      client.socket.destroy();
    }
    const signedIn = [`Cookie: pillion=${token}`, SAME_ORIGIN];
    expect((await ask("GET", "/user/x", ...signedIn)).status).toBe(200);
    expect((await ask("GET", "/.pillion/session", ...signedIn)).status).toBe(200);
    for (const target of ["/none/x", "/machine/x", "/anonymous/x", "/.pillion/else"])
      expect([target, outcome(await ask("GET", target, ...signedIn))]).toEqual([target, denied]);
    expect(outcome(await ask("POST", "/.pillion/sessions", ...signedIn))).toBe(denied);
    expect(outcome(await ask("POST", "/user/x", `Cookie: pillion=${token}`))).toBe("403 ORIGIN_NOT_ALLOWED");
    expect((await ask("GET", "/user/x", `Pillion-Session: ${token}`, with_)).status).toBe(200);
    expect((await ask("POST", "/.pillion/logout", ...signedIn)).status).toBe(204);
    expect(outcome(await ask("GET", "/user/x", ...signedIn))).toBe(denied);
    expect(
      guarded
        .messages()
        .map(({ headers }) => headers.join())
        .join(),
    ).not.toContain("fake-access-token");
  });

  it("a page of a listed origin can ask, and can neither use nor set the visitor's cookie with an unsafe method", async () => {
    await using listed = await startSessionLab({ extra: "access: { origins: [https://app.example] }" });
    const token = await listed.signIn();
    const from = ["Origin: https://app.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"];
    for (const [method, target] of ENDPOINTS) {
      const answer = await listed.ask(
        `${method} ${target}`,
        `Cookie: pillion=${token}`,
        "Content-Length: 0",
        ...from,
      );
      const grants = answer.headers.filter((name) => /^access-control-/i.test(name));
      expect(grants).not.toContain("access-control-allow-credentials");
      if (method === "POST") expect([target, outcome(answer)]).toEqual([target, "403 ORIGIN_NOT_ALLOWED"]);
      expect(cookiesOf(answer)).not.toMatch(/(?:^|; )pillion=/);
    }
    const write = await listed.ask("POST /user/x", `Cookie: pillion=${token}`, "Content-Length: 0", ...from);
    expect(outcome(write)).toBe("403 ORIGIN_NOT_ALLOWED");
    expect((await listed.ask("GET /user/x", `Cookie: pillion=${token}`)).status).toBe(200);
  });
});

/** The catalogue's rows on the session's cookie (O06, O08): where it goes, what it proves, and what it must not. */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { KINDS, outcome, SAME_ORIGIN, type SessionLab, sessionOf, startSessionLab } from "./session-lab.ts";

let lab: SessionLab;
let session: string;
beforeAll(async () => {
  lab = await startSessionLab({
    args: ["--log-level", "debug"],
    extra: "log: { level: debug, access: true }",
  });
  session = await lab.signIn();
});
afterAll(async () => await lab[Symbol.asyncDispose]());

const cookie = (): string => `Cookie: pillion=${session}`;
const foreign = (): string => `Origin: http://localhost:${lab.port === 1 ? 2 : 1}`;

/** What reached any upstream meanwhile. */
async function sentDuring(act: () => Promise<unknown>): Promise<ReturnType<SessionLab["messages"]>> {
  const before = new Set(lab.messages());
  await act();
  return lab.messages().filter((message) => !before.has(message));
}

describe.each([
  ["http", "", "", ""],
  ["https", 'session: { public_url: "https://app.example" }', "__Host-", "; Secure"],
])("O06 with a public URL of %s", (_scheme, extra, prefix, secure) => {
  it("O06 the cookies are bound to this host, out of reach for scripts and for other sites' requests", async () => {
    await using public_ = await startSessionLab({ extra });
    const login = await public_.ask("GET /.pillion/login/user");
    const [loginCookie = ""] = fieldValues(login.headers, "set-cookie");
    const state = new URL(login.field("location") ?? "").searchParams.get("state");
    const back = await public_.callback(
      `code=good&state=${state}`,
      `Cookie: ${loginCookie.split(";", 1)[0]}`,
    );
    const visitor = await public_.ask("GET /anonymous/x");
    const shapes = [
      loginCookie,
      ...fieldValues(back.headers, "set-cookie"),
      ...fieldValues(visitor.headers, "set-cookie"),
    ].map((each) => each.replace(/=[\w-]{43};/, "=ID;"));
    const attributes = `Path=/; HttpOnly; SameSite=Lax${secure}`;
    expect(shapes).toEqual([
      `${prefix}pillion-login=ID; Max-Age=600; ${attributes}`,
      `${prefix}pillion=ID; Max-Age=2592000; ${attributes}`,
      `${prefix}pillion=ID; Max-Age=2592000; ${attributes}`,
    ]);
    const id = sessionOf(back);
    expect((await public_.ask("GET /user/x", `Cookie: ${prefix}pillion=${id}`)).status).toBe(200);
    const other = prefix === "" ? "__Host-pillion" : "pillion";
    expect(outcome(await public_.ask("GET /user/x", `Cookie: ${other}=${id}`))).toBe("401 LOGIN_REQUIRED");
  });
});

describe("O08 a valid cookie from a page of another site", () => {
  const METHODS = ["POST", "PUT", "PATCH", "DELETE"];

  it.each(KINDS)(
    "O08 on a route of kind %s: an unsafe method is 403 ORIGIN_NOT_ALLOWED, and nothing goes up",
    async (kind) => {
      const sent = await sentDuring(async () => {
        for (const method of METHODS) {
          for (const from of [
            ["Sec-Fetch-Site: cross-site"],
            ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"],
            ["Origin: https://evil.example"],
            ["Origin: null"],
            [foreign()],
            [`Origin: https://localhost:${lab.port}`],
            [`Origin: http://localhost:${lab.port}.evil.example`],
            ["Origin: http://localhost", SAME_ORIGIN, "Host: 127.0.0.1"],
          ]) {
            const answer = await lab.ask(
              `${method} ${lab.prefix(kind)}x`,
              cookie(),
              "Content-Length: 0",
              ...from,
            );
            expect([method, from, outcome(answer)]).toEqual([method, from, "403 ORIGIN_NOT_ALLOWED"]);
            expect(answer.headers.join("\n").toLowerCase()).not.toContain("access-control");
          }
        }
      });
      expect(sent).toEqual([]);
    },
  );

  it.each(["user", "user over HTTP/2", "anonymous"] as const)(
    "O08 on a route of kind %s: with no word of where it comes from it is refused as well",
    async (kind) => {
      for (const method of METHODS) {
        for (const from of [
          [],
          ["Sec-Fetch-Site: none"],
          ["Sec-Fetch-Site: same-site"],
          ["Sec-Fetch-Site: same-origin, cross-site"],
          ["Referer: http://localhost/"],
          ["X-Requested-With: XMLHttpRequest"],
        ]) {
          const answer = await lab.ask(
            `${method} ${lab.prefix(kind)}x`,
            cookie(),
            "Content-Length: 0",
            ...from,
          );
          expect([from, outcome(answer)]).toEqual([from, "403 ORIGIN_NOT_ALLOWED"]);
        }
        const own = await lab.ask(
          `${method} ${lab.prefix(kind)}x`,
          cookie(),
          "Content-Length: 0",
          SAME_ORIGIN,
        );
        expect(own.status).toBe(200);
      }
    },
  );

  it("O08 a header that only its owner can send needs no such proof, and the cookie beside it counts for nothing", async () => {
    const header = await lab.ask("POST /user/x", `Pillion-Session: ${session}`, "Content-Length: 0");
    expect(header.status).toBe(200);
    for (const value of ["", "x", "A".repeat(43)]) {
      const both = await lab.ask("POST /user/x", `Pillion-Session: ${value}`, cookie(), "Content-Length: 0");
      expect(outcome(both)).toBe("401 LOGIN_REQUIRED");
    }
    expect(
      outcome(await lab.ask("POST /user/x", `Pillion-Session: ${session}`, "Origin: https://evil.example")),
    ).toBe("403 ORIGIN_NOT_ALLOWED");
    expect(outcome(await lab.ask("GET /user/x", `Pillion-Session: ${session}`, "pillion-session: x"))).toBe(
      "400 REQUEST_INVALID",
    );
  });

  it.each(KINDS)("O08 on a route of kind %s: a WebSocket from there is refused", async (kind) => {
    const handshake = [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    const sent = await sentDuring(async () => {
      for (const from of [
        ["Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: websocket"],
        ["Origin: https://evil.example"],
        [foreign()],
        [
          "Sec-Fetch-Site: cross-site",
          "Sec-Fetch-Mode: navigate",
          "Sec-Fetch-Dest: document",
          "Origin: null",
        ],
      ]) {
        const answer = await lab.ask(`GET ${lab.prefix(kind)}x`, cookie(), ...handshake, ...from);
        expect([from, outcome(answer)]).toEqual([from, "403 ORIGIN_NOT_ALLOWED"]);
      }
      if (kind === "user" || kind === "anonymous")
        for (const from of [[], ["Sec-Fetch-Site: same-site"]]) {
          const answer = await lab.ask(`GET ${lab.prefix(kind)}x`, cookie(), ...handshake, ...from);
          expect([from, outcome(answer)]).toEqual([from, "403 ORIGIN_NOT_ALLOWED"]);
        }
    });
    expect(sent).toEqual([]);
  });

  it("O08 images, frames and scripts of another site get nothing from any route, endpoint or the admin listener", async () => {
    const paths = [
      ...KINDS.map((kind) => `${lab.prefix(kind)}x`),
      "/.pillion/login/user",
      "/.pillion/session",
      "/.pillion/callback?code=a&state=b",
    ];
    for (const path of paths) {
      for (const [mode, dest] of [
        ["no-cors", "image"],
        ["no-cors", "script"],
        ["navigate", "iframe"],
        ["navigate", "object"],
        ["cors", "empty"],
      ]) {
        const fields = ["Sec-Fetch-Site: cross-site", `Sec-Fetch-Mode: ${mode}`, `Sec-Fetch-Dest: ${dest}`];
        expect([path, dest, outcome(await lab.ask(`GET ${path}`, cookie(), ...fields))]).toEqual([
          path,
          dest,
          "403 ORIGIN_NOT_ALLOWED",
        ]);
      }
    }
    for (const path of ["/", "/status.json", "/metrics", "/livez"]) {
      const request = head(`GET ${path}`, cookie(), "Origin: https://evil.example");
      expect((await roundTrip(lab.adminPort, request)).status).toBe(403);
    }
  });
});

describe("the session's cookie and header", () => {
  it.each(KINDS)(
    "never reach the upstream of a route of kind %s, and the application's own cookies do",
    async (kind) => {
      const cookies: readonly (readonly [readonly string[], string])[] = [
        [[`Cookie: a=1; pillion=${session}; b=2`], "a=1; b=2"],
        [[`Cookie: pillion=${session}`, "Cookie: a=1"], "a=1"],
        [[`Cookie: a=1;pillion = ${session};__Host-pillion=${session}; PILLION=${session}`], "a=1"],
        [
          [`Cookie: pillion-login=${session}; a=1; __Host-pillion-login=${session}; pillion=${session}`],
          "a=1",
        ],
        [[`cOOKIE:pillion=${session};;;a=1`], "a=1"],
      ];
      for (const [fields, left] of cookies) {
        const sent = await sentDuring(() =>
          lab.ask(`GET ${lab.prefix(kind)}x`, ...fields, "Pillion-Anything: x", "X_Pillion_Session: x"),
        );
        expect(sent).toHaveLength(1);
        const names = fieldValues(sent[0]?.headers ?? [], "cookie").join("; ");
        expect(names.replaceAll(/;+ */g, "; ").replace(/^; /, "")).toBe(left);
        expect(sent[0]?.headers.join("\n")).not.toContain(session);
        expect(sent[0]?.headers.join("\n")).not.toMatch(/pillion[-_]/i);
      }
      const byHeader = await sentDuring(() =>
        lab.ask(`GET ${lab.prefix(kind)}x`, `Pillion-Session: ${session}`, "Connection: pillion-session"),
      );
      expect(byHeader).toHaveLength(1);
      expect(byHeader[0]?.headers.join("\n")).not.toContain(session);
      if (kind !== "user") return;
      lab.recorder("user").respond((_message, socket) => {
        socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
        return undefined;
      });
      const handshake = await sentDuring(() =>
        roundTrip(
          lab.port,
          head("GET /user/x", cookie(), SAME_ORIGIN, "Connection: Upgrade", "Upgrade: websocket"),
        ),
      );
      lab.recorder("user").respond(undefined);
      expect(handshake).toHaveLength(1);
      expect(handshake[0]?.headers.join("\n")).not.toContain(session);
    },
  );

  it("never stand in a log line, at debug level and with the access log on", async () => {
    const lines = lab.pillion.stdout() + lab.pillion.stderr();
    expect(lines).toContain('"event":"request"');
    expect(lines).not.toContain(session);
  });

  it.each(KINDS)("a Set-Cookie of their names never comes back from a route of kind %s", async (kind) => {
    const evil = "E".repeat(43);
    const cookies = [
      `pillion=${evil}`,
      `Pillion=${evil}; Path=/user/`,
      `  pillion \t= ${evil}`,
      `__Host-pillion=${evil}; Secure; Path=/`,
      `__hOST-PILLION=${evil}`,
      `pillion-login=${evil}`,
      `__Host-pillion-login=${evil}`,
      `=pillion=${evil}`,
      ` = pillion=${evil}`,
      `==__Host-pillion=${evil}`,
      "pillion",
      `pillion;=${evil}`,
      `pillion=; Max-Age=0`,
    ];
    for (const status of ["200 OK", "302 Found", "401 Unauthorized", "500 Oops"]) {
      lab
        .recorder(kind)
        .respond(
          () =>
            `HTTP/1.1 ${status}\r\n${cookies.map((each, at) => `${at % 2 === 0 ? "set-cookie" : "Set-Cookie"}: ${each}\r\n`).join("")}set-cookie: app=1\r\npillion-session: ${evil}\r\ncontent-length: 0\r\n\r\n`,
        );
      const answer = await lab.ask(`GET ${lab.prefix(kind)}x`, cookie());
      lab.recorder(kind).respond(undefined);
      expect(answer.status).toBe(Number(status.slice(0, 3)));
      expect(
        fieldValues(answer.headers, "set-cookie").filter(
          (each) => !each.startsWith("app=") && !each.includes(`=${sessionLike(each)}; Max-Age=2592000`),
        ),
      ).toEqual([]);
      expect(answer.headers.join("\n")).not.toContain(evil);
    }
    // Neither ahead of the answer nor behind it.
    if (kind === "user over HTTP/2") return;
    lab
      .recorder(kind)
      .respond(
        () =>
          `HTTP/1.1 103 Early Hints\r\nset-cookie: pillion=${evil}\r\nlink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: set-cookie\r\n\r\n0\r\nset-cookie: pillion=${evil}\r\npillion-session: ${evil}\r\n\r\n`,
      );
    const client = await connectRaw(lab.port);
    client.send(head(`GET ${lab.prefix(kind)}x`, cookie(), "TE: trailers"));
    let seen = "";
    for (let status = 0; status < 200; ) {
      const answer = await client.answer();
      status = answer.status;
      seen += JSON.stringify([answer.headers, answer.trailers]);
    }
    client.socket.destroy();
    lab.recorder(kind).respond(undefined);
    expect(seen).not.toContain(evil);
  });

  it.each(["user", "user over HTTP/2", "anonymous"] as const)(
    "answers on a route of kind %s are kept out of caches that several visitors share",
    async (kind) => {
      const visitor = kind === "anonymous" ? sessionOf(await lab.ask("GET /anonymous/x")) : session;
      for (const [sent, expected] of [
        ["x-none: 1", ["private"]],
        ["cache-control: max-age=600", ["max-age=600", "private"]],
        ["cache-control: x-public=1", ["x-public=1", "private"]],
        ["cache-control: no-store", ["no-store"]],
        ["Cache-Control: max-age=1, PRIVATE", ["max-age=1, PRIVATE"]],
        // The upstream says so, knowing whose request it was.
        ["cache-control: public, max-age=600", ["public, max-age=600"]],
      ] as const) {
        lab.recorder(kind).respond(() => `HTTP/1.1 200 OK\r\n${sent}\r\ncontent-length: 0\r\n\r\n`);
        const answer = await lab.ask(`GET ${lab.prefix(kind)}x`, `Cookie: pillion=${visitor}`);
        lab.recorder(kind).respond(undefined);
        expect([sent, fieldValues(answer.headers, "cache-control")]).toEqual([sent, expected]);
      }
      expect(fieldValues((await lab.ask("GET /none/x")).headers, "cache-control")).toEqual([]);
      expect(fieldValues((await lab.ask("GET /machine/x")).headers, "cache-control")).toEqual([]);
    },
  );

  it("two cookies of the name that differ are nobody's: no token, no new session in the place of either", async () => {
    const attacker = await lab.signIn();
    for (const pair of [
      `pillion=${session}; pillion=${attacker}`,
      `pillion=${attacker}; a=1; pillion=${session}`,
      `pillion=${session}; pillion=`,
    ]) {
      expect(outcome(await lab.ask("GET /user/x", `Cookie: ${pair}`))).toBe("401 LOGIN_REQUIRED");
      const logout = await lab.ask(
        "POST /.pillion/logout",
        `Cookie: ${pair}`,
        SAME_ORIGIN,
        "Content-Length: 0",
      );
      expect(logout.status).toBe(204);
    }
    const fields = [`Cookie: pillion=${attacker}`, cookie()];
    expect(outcome(await lab.ask("GET /user/x", ...fields))).toBe("401 LOGIN_REQUIRED");
    expect((await lab.ask("GET /user/x", cookie(), cookie())).status).toBe(200);
    expect((await lab.ask("GET /user/x", cookie())).status).toBe(200);
  });

  it("changed in a thousand ways are 401 and never a fault, and nothing goes up", async () => {
    const sent = await sentDuring(async () => {
      const client = await connectRaw(lab.port);
      const outcomes = new Set<string>();
      for (let count = 0; count < 1_000; count += 1) {
        const mutated = mutate(session, count);
        client.send(
          head("GET /user/x", count % 3 === 0 ? `Pillion-Session: ${mutated}` : `Cookie: pillion=${mutated}`),
        );
        outcomes.add(outcome(await client.answer()));
      }
      client.socket.destroy();
      expect([...outcomes]).toEqual(["401 LOGIN_REQUIRED"]);
    });
    expect(sent).toEqual([]);
    await lab.canary();
    expect(lab.pillion.stdout()).not.toContain('"level":"error"');
  });
});

/** A change that no random choice makes harmless: every one differs from the id. */
function mutate(id: string, count: number): string {
  const at = count % id.length;
  const other = id[at] === "A" ? "B" : "A";
  const swapped = id.slice(0, at) + other + id.slice(at + 1);
  switch (count % 10) {
    case 0:
      return swapped;
    case 1:
      return id.slice(0, at);
    case 2:
      return `${id}${other.repeat(1 + at)}`;
    case 3:
      return `"${id}"`;
    case 4:
      return encodeURIComponent(`${id}\0`);
    case 5:
      return `${swapped}=${id}`;
    case 6:
      return randomBytes(32).toString("base64url");
    case 7:
      return `${id.slice(0, at)}\xe9${id.slice(at)}`;
    case 8:
      return `${id},${id}`;
    default:
      return `s:${id}.${randomBytes(20).toString("base64")}`;
  }
}

/** The id in a cookie of ours, so that one that the proxy itself sets passes. */
function sessionLike(cookie: string): string {
  return /^pillion=([\w-]{43});/.exec(cookie)?.[1] ?? "none";
}

import { afterEach, describe, expect, it } from "vitest";
import { ProxyError } from "../../src/core/errors.ts";
import { aRoute, aVisitorCredential, eventually, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { aSessionId, createScriptedSessions } from "../support/scripted-sessions.ts";
import { readBody } from "../support/upstream.ts";
import { outcome, startVisitorLab, type VisitorLab } from "../support/visitor-lab.ts";
import { HANDSHAKE, startWebSocketUpstream } from "../support/websocket-upstream.ts";

const PAGE = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none"];
const STRANGER = aSessionId("of nobody");

describe("a visitor's route", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it.each([
    ["the cookie", (id: string) => [`Cookie: a=1; pillion=${id}; b=2`]],
    ["Pillion-Session", (id: string) => [`Pillion-Session: ${id}`]],
    [
      "the header before the cookie",
      (id: string) => [`Cookie: pillion=${STRANGER}`, `Pillion-Session: ${id}`],
    ],
    ["cookies in two fields", (id: string) => ["Cookie: a=1", `Cookie: pillion=${id}`]],
  ])(
    "injects the token of the session that %s names, and nothing of the session goes on",
    async (_what, fields) => {
      lab = await startVisitorLab();
      const id = lab.sessions.add("user");
      const answer = await lab.ask("GET /user/a", ...fields(id), "Cookie: pillion-login=x");
      expect(answer).toMatchObject({ status: 200, body: "served" });
      expect(answer.field("set-cookie")).toBeUndefined();
      expect(lab.tokens()).toEqual(["Bearer user-token-1"]);
      const sent = lab.upstream.requests[0]?.headers.join("\n").toLowerCase();
      expect(sent).not.toContain(id.toLowerCase());
      expect(sent).not.toContain("pillion=");
      expect(sent).not.toContain("pillion-");
    },
  );

  it("takes the cookie of the name that belongs to the public URL's scheme, and no other", async () => {
    lab = await startVisitorLab({ session: { publicUrl: new URL("https://app.example/") } });
    const id = lab.sessions.add("user");
    expect((await lab.ask("GET /user/a", `Cookie: pillion=${id}`)).status).toBe(401);
    expect((await lab.ask("GET /user/a", `Cookie: __Host-pillion=${id}`)).status).toBe(200);
  });

  it("takes neither of two cookies that differ: one of them was planted", async () => {
    lab = await startVisitorLab();
    const [mine, planted] = [lab.sessions.add("user"), lab.sessions.add("user")];
    const answer = await lab.ask("GET /user/a", `Cookie: pillion=${planted}; pillion=${mine}`);
    expect(answer.status).toBe(401);
    // Cleared would be the genuine one, and the planted one would be left alone.
    expect(answer.field("set-cookie")).toBeUndefined();
    expect((await lab.ask("GET /user/a", `Cookie: pillion=${mine}; pillion=${mine}`)).status).toBe(200);
  });

  it("refuses a repeated Pillion-Session", async () => {
    lab = await startVisitorLab();
    const id = lab.sessions.add("user");
    const answer = await lab.ask("GET /user/a", `Pillion-Session: ${id}`, `Pillion-Session: ${id}`);
    expect(outcome(answer)).toEqual({ status: 400, code: "REQUEST_INVALID" });
  });

  it.each(["/none/a", "/machine/a", "/user/a", "/anonymous/a"])(
    "and every other one (%s) keeps the proxy's own cookies from both sides",
    async (path) => {
      lab = await startVisitorLab({
        answer: (_request, response) => {
          const planted = [
            "pillion=x",
            "__Host-pillion=x",
            "PILLION-LOGIN=x; Path=/",
            "__Host-pillion-login=x",
          ];
          response.writeHead(200, { "set-cookie": [...planted, "own=1"], "pillion-session": "x" }).end();
        },
      });
      const id = lab.sessions.add("user", "anonymous");
      const own = `pillion=${id}; pillion-login=x; __Host-pillion=${id}; __Host-pillion-login=x`;
      const answer = await lab.ask(`GET ${path}`, `Cookie: ${own}; kept=1`, "Pillion-Foo: x");
      expect(answer.status).toBe(200);
      expect(fieldValues(answer.headers, "set-cookie")).toEqual(["own=1"]);
      expect(answer.field("pillion-session")).toBeUndefined();
      const sent = lab.upstream.requests[0]?.headers ?? [];
      expect(fieldValues(sent, "cookie")).toEqual(["kept=1"]);
      expect(fieldValues(sent, "pillion-foo")).toEqual([]);
    },
  );

  it("repeats a request that the upstream answers with 401, with a newer token, its body kept", async () => {
    const bodies: string[] = [];
    lab = await startVisitorLab({
      route: { replayOn401: "buffered" },
      answer: async (request, response) => {
        bodies.push(await readBody(request));
        response.writeHead(request.headers.authorization === "Bearer newer" ? 200 : 401).end();
      },
    });
    lab.sessions.renewed = "newer";
    const answer = await lab.post("/user/a", { a: 1 }, `Pillion-Session: ${lab.sessions.add("user")}`);
    expect(answer.status).toBe(200);
    expect(bodies).toEqual(['{"a":1}', '{"a":1}']);
    expect(lab.tokens()).toEqual(["Bearer user-token-1", "Bearer newer"]);
  });

  it("passes the upstream's own 401 on, without a login", async () => {
    lab = await startVisitorLab({ answer: (_request, response) => void response.writeHead(401).end("no") });
    const answer = await lab.ask("GET /user/a", `Cookie: pillion=${lab.sessions.add("user")}`);
    expect(answer).toMatchObject({ status: 401, body: "no" });
    expect(answer.field("proxy-status")).toBeUndefined();
    expect(answer.field("www-authenticate")).toBeUndefined();
    expect(answer.field("set-cookie")).toBeUndefined();
  });

  it("answers 503 while the store is down, and the session stays", async () => {
    lab = await startVisitorLab();
    const id = lab.sessions.add("user");
    lab.sessions.isDown = true;
    const answer = await lab.ask("GET /user/a", `Cookie: pillion=${id}`, ...PAGE);
    expect(outcome(answer)).toEqual({ status: 503, code: "STORE_UNAVAILABLE" });
    expect(answer.field("retry-after")).toBe("2");
    expect(answer.field("set-cookie")).toBeUndefined();
    expect(lab.upstream.requests).toEqual([]);
  });
});

describe("a visitor without a session", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it("is given one on a route of grant anonymous, once", async () => {
    lab = await startVisitorLab();
    const first = await lab.ask("POST /anonymous/a", "Content-Length: 0");
    expect(first.status).toBe(200);
    const id = aSessionId("session 1");
    expect(first.field("set-cookie")).toBe(`pillion=${id}; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax`);
    // Nor may a cache give it to the next visitor.
    expect(first.field("cache-control")).toBe("private");
    const second = await lab.ask("GET /anonymous/a", `Cookie: pillion=${id}`);
    expect(second.field("set-cookie")).toBeUndefined();
    expect(lab.tokens()).toEqual(["Bearer anonymous-token-1", "Bearer anonymous-token-1"]);
  });

  it("is given one along with a problem as well", async () => {
    lab = await startVisitorLab();
    lab.sessions.tokenFails = new ProxyError("TOKEN_UNAVAILABLE", "No token.");
    const answer = await lab.ask("GET /anonymous/a");
    expect(outcome(answer)).toEqual({ status: 503, code: "TOKEN_UNAVAILABLE" });
    expect(answer.field("set-cookie")).toContain(`pillion=${aSessionId("session 1")};`);
  });

  it("who keeps sessions itself hears of a new one by the header it uses", async () => {
    lab = await startVisitorLab();
    const answer = await lab.ask("GET /anonymous/a", `Pillion-Session: ${STRANGER}`);
    expect(answer.status).toBe(200);
    expect(answer.field("set-cookie")).toBeUndefined();
    expect(answer.field("pillion-session")).toBe(aSessionId("session 1"));
  });

  it.each([
    ["GET /user/a%7Cb?x=1&y=/%20", "?return_to=%2Fuser%2Fa%257Cb%3Fx%3D1%26y%3D%2F%2520"],
    ["GET /user/", "?return_to=%2Fuser%2F"],
    ["HEAD /user/a", ""],
    ["DELETE /user/a", ""],
    [`GET /user/${"a".repeat(5_000)}`, ""],
  ])("is told by a route of grant user where to sign in: %.20s", async (line, query) => {
    lab = await startVisitorLab();
    const client = await connectRaw(lab.proxy.port);
    client.send(head(line, "Connection: close"));
    await client.closed();
    const text = client.buffered();
    expect(text).toMatch(/^HTTP\/1\.1 401 /);
    expect(text).toMatch(/\r\nwww-authenticate: Pillion-Session realm="pillion"\r\n/);
    expect(text).toMatch(/\r\ncache-control: no-store\r\n/);
    expect(text).toMatch(
      /\r\nproxy-status: pillion; error=http_request_denied; details="LOGIN_REQUIRED"\r\n/,
    );
    expect(text).not.toMatch(/\r\nset-cookie:/i);
    if (!line.startsWith("HEAD")) {
      expect(JSON.parse(text.slice(text.indexOf("\r\n\r\n")))).toMatchObject({
        code: "LOGIN_REQUIRED",
        status: 401,
        login_url: `http://localhost:${lab.proxy.port}/.pillion/login/user${query}`,
      });
    }
    expect(lab.upstream.requests).toEqual([]);
    await eventually(() => lab.proxy.told.events.some((event) => event.startsWith("finished")));
    expect(lab.proxy.told.events).toContain("failed user LOGIN_REQUIRED");
  });

  it("is told of the public URL where there is one", async () => {
    lab = await startVisitorLab({ session: { publicUrl: new URL("https://app.example/") } });
    const answer = await lab.ask("POST /user/a", "Content-Length: 0");
    expect(JSON.parse(answer.body).login_url).toBe("https://app.example/.pillion/login/user");
  });

  it("is sent to the login where the route says so and it is a person's browser", async () => {
    lab = await startVisitorLab({ route: { loginRedirect: true } });
    const url = `http://localhost:${lab.proxy.port}/.pillion/login/user?return_to=%2Fuser%2Fa`;
    for (const fields of [PAGE, ["Accept: text/html,*/*;q=0.8"]]) {
      const answer = await lab.ask("GET /user/a", ...fields);
      expect(answer.status).toBe(303);
      expect(answer.field("location")).toBe(url);
      expect(answer.field("cache-control")).toBe("no-store");
    }
    expect((await lab.ask("GET /user/a", "Accept: application/json")).status).toBe(401);
    expect((await lab.ask("POST /user/a", "Content-Length: 0", ...PAGE)).status).toBe(401);
  });

  it("gets 401 from a route that says nothing of redirects, whoever it is", async () => {
    lab = await startVisitorLab();
    expect((await lab.ask("GET /user/a", ...PAGE)).status).toBe(401);
  });

  it.each([
    ["ended", `pillion=${STRANGER}`],
    ["is none", "pillion=garbage"],
  ])("whose session %s loses the cookie", async (_what, cookie) => {
    lab = await startVisitorLab();
    const answer = await lab.ask("GET /user/a", `Cookie: ${cookie}`);
    expect(answer.status).toBe(401);
    expect(answer.field("set-cookie")).toBe("pillion=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax");
  });

  it("who is merely not signed in keeps the cookie, which holds the anonymous token", async () => {
    lab = await startVisitorLab();
    const id = lab.sessions.add("anonymous");
    const answer = await lab.ask("GET /user/a", `Cookie: pillion=${id}`);
    expect(answer.status).toBe(401);
    expect(answer.field("set-cookie")).toBeUndefined();
  });
});

describe("a visitor's handshake", () => {
  it("carries that visitor's token, and is answered with the session that was made for it", async () => {
    await using upstream = await startWebSocketUpstream();
    const sessions = createScriptedSessions();
    const route = { upstream: upstream.origin, upgrade: true };
    await using proxy = await startProxy({
      routes: [
        aRoute({ ...route, name: "user", path: "/user/", credential: aVisitorCredential("user") }),
        aRoute({
          ...route,
          name: "anonymous",
          path: "/anonymous/",
          credential: aVisitorCredential("anonymous"),
        }),
      ],
      sessions,
    });
    const id = sessions.add("user");
    const origin = `Origin: http://localhost`;
    const user = await connectRaw(proxy.port);
    user.send(head("GET /user/chat", ...HANDSHAKE, origin, `Cookie: pillion=${id}; kept=1`));
    expect((await user.answer()).status).toBe(101);
    const anonymous = await connectRaw(proxy.port);
    anonymous.send(head("GET /anonymous/chat", ...HANDSHAKE, origin));
    const answer = await anonymous.answer();
    expect(answer.status).toBe(101);
    expect(answer.field("set-cookie")).toContain(`pillion=${aSessionId("session 2")};`);
    for (const client of [user, anonymous]) client.socket.destroy();
    const sent = upstream.handshakes.map(({ headers }) => fieldValues(headers, "authorization"));
    expect(sent).toEqual([["Bearer user-token-1"], ["Bearer anonymous-token-2"]]);
    expect(fieldValues(upstream.handshakes[0]?.headers ?? [], "cookie")).toEqual(["kept=1"]);

    const refused = await roundTrip(proxy.port, head("GET /user/chat", ...HANDSHAKE, origin));
    expect(outcome(refused)).toEqual({ status: 401, code: "LOGIN_REQUIRED" });
  });
});

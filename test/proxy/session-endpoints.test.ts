import { afterEach, describe, expect, it } from "vitest";
import { ProxyError } from "../../src/core/errors.ts";
import { eventually } from "../support/proxy-harness.ts";
import { connectRaw, head } from "../support/raw-client.ts";
import { aSessionId } from "../support/scripted-sessions.ts";
import { outcome, startVisitorLab, type VisitorLab } from "../support/visitor-lab.ts";

const CLEARED = "pillion=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax";
const SAME_ORIGIN = "Sec-Fetch-Site: same-origin";

describe("the endpoints under /.pillion/", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it.each([
    "GET /.pillion/session",
    "GET /.pillion/callback",
    "GET /.pillion/login/user",
    "POST /.pillion/logout",
    "POST /.pillion/sessions",
  ])("are not there without a visitors' credential: %s", async (line) => {
    lab = await startVisitorLab({ visitors: false });
    const answer = await lab.ask(line, "Content-Length: 0");
    expect(outcome(answer)).toEqual({ status: 404, code: "ROUTE_NOT_FOUND" });
  });

  it.each(["/.pillion", "/.pillion/", "/.pillion/else", "/.pillion/session/", "/%2epillion/else"])(
    "are these and no others: %s",
    async (path) => {
      lab = await startVisitorLab();
      expect(outcome(await lab.ask(`GET ${path}`))).toEqual({ status: 404, code: "ROUTE_NOT_FOUND" });
    },
  );

  it.each([
    ["DELETE", "/.pillion/session", "GET"],
    ["POST", "/.pillion/callback", "GET"],
    ["GET", "/.pillion/logout", "POST"],
    ["GET", "/.pillion/sessions", "POST"],
    ["PUT", "/.pillion/sessions/callback", "POST"],
  ])("take one method each: not %s %s", async (method, path, allow) => {
    lab = await startVisitorLab();
    const answer = await lab.ask(`${method} ${path}`, "Content-Length: 0", SAME_ORIGIN);
    expect(outcome(answer)).toEqual({ status: 405, code: "METHOD_NOT_ALLOWED" });
    expect(answer.field("allow")).toBe(allow);
  });

  it("keep the connection, and are counted and logged without their query", async () => {
    lab = await startVisitorLab();
    const client = await connectRaw(lab.proxy.port);
    client.send(head("GET /.pillion/session?x=canary"));
    expect((await client.answer()).status).toBe(200);
    client.send(`${head("POST /.pillion/logout", "Content-Length: 3", SAME_ORIGIN)}abc`);
    expect((await client.answer()).status).toBe(204);
    client.send(head("GET /none/a"));
    expect((await client.answer()).body).toBe("served");
    client.socket.destroy();
    await eventually(() => lab.proxy.told.events.includes("finished none GET 200"));
    expect(lab.proxy.told.events.slice(0, 4)).toEqual([
      "started .pillion",
      "finished .pillion GET 200",
      "started .pillion",
      "finished .pillion POST 204",
    ]);
    expect(lab.proxy.told.log[0]?.fields).toMatchObject({
      path: "/.pillion/session",
      status: 200,
      method: "GET",
    });
    expect(JSON.stringify(lab.proxy.told.log)).not.toContain("canary");
  });
});

describe("GET /.pillion/session", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it.each([
    ["cookie", (id: string) => `Cookie: pillion=${id}`],
    ["header", (id: string) => `Pillion-Session: ${id}`],
  ])("says who is signed in by %s, and for how long", async (_by, field) => {
    lab = await startVisitorLab();
    const answer = await lab.ask("GET /.pillion/session", field(lab.sessions.add("user")));
    expect(answer.status).toBe(200);
    expect(answer.field("content-type")).toBe("application/json");
    expect(answer.field("cache-control")).toBe("no-store");
    expect(answer.field("set-cookie")).toBeUndefined();
    expect(JSON.parse(answer.body)).toEqual({
      signed_in: true,
      credential: "user",
      scope: "read",
      access_token_expires_in: 30,
      session_expires_in: 60,
    });
    expect(answer.body).not.toContain("token-1");
  });

  it("says that nobody is, and takes back the cookie of a session that has ended", async () => {
    lab = await startVisitorLab();
    const answer = await lab.ask("GET /.pillion/session", `Cookie: pillion=${aSessionId("ended")}`);
    expect(JSON.parse(answer.body)).toEqual({ signed_in: false });
    expect(answer.field("set-cookie")).toBe(CLEARED);
    expect((await lab.ask("GET /.pillion/session")).field("set-cookie")).toBeUndefined();
  });

  it("keeps the cookie of a visitor who is not signed in", async () => {
    lab = await startVisitorLab();
    const id = lab.sessions.add("anonymous");
    const answer = await lab.ask("GET /.pillion/session", `Cookie: pillion=${id}`);
    expect(JSON.parse(answer.body)).toEqual({ signed_in: false, session_expires_in: 60 });
    expect(answer.field("set-cookie")).toBeUndefined();
  });

  it("is 503 while the store is down: nobody is signed out by that", async () => {
    lab = await startVisitorLab();
    lab.sessions.isDown = true;
    const answer = await lab.ask("GET /.pillion/session", `Cookie: pillion=${aSessionId("x")}`);
    expect(outcome(answer)).toEqual({ status: 503, code: "STORE_UNAVAILABLE" });
    expect(answer.field("set-cookie")).toBeUndefined();
  });
});

describe("POST /.pillion/logout", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it("O12: ends the session: its cookie, sent again, is nobody's", async () => {
    lab = await startVisitorLab();
    const cookie = `Cookie: pillion=${lab.sessions.add("user")}`;
    expect((await lab.ask("GET /user/a", cookie)).status).toBe(200);
    const answer = await lab.ask("POST /.pillion/logout", cookie, SAME_ORIGIN);
    expect(answer.status).toBe(204);
    expect(answer.field("set-cookie")).toBe(CLEARED);
    expect(outcome(await lab.ask("GET /user/a", cookie))).toEqual({ status: 401, code: "LOGIN_REQUIRED" });
  });

  it("ends the one that the header names, and leaves the cookie's alone", async () => {
    lab = await startVisitorLab();
    const [mine, other] = [lab.sessions.add("user"), lab.sessions.add("user")];
    const answer = await lab.ask(
      "POST /.pillion/logout",
      `Pillion-Session: ${mine}`,
      `Cookie: pillion=${other}`,
    );
    expect(answer.status).toBe(204);
    expect(answer.field("set-cookie")).toBeUndefined();
    expect([lab.sessions.has(mine), lab.sessions.has(other)]).toEqual([false, true]);
  });

  it("of nobody is 204 as well", async () => {
    lab = await startVisitorLab();
    expect((await lab.ask("POST /.pillion/logout", "Content-Length: 0")).status).toBe(204);
  });

  it("while the store is down is 503, and the cookie stays for another try", async () => {
    lab = await startVisitorLab();
    lab.sessions.isDown = true;
    const cookie = `Cookie: pillion=${aSessionId("x")}`;
    const answer = await lab.ask("POST /.pillion/logout", cookie, SAME_ORIGIN);
    expect(outcome(answer)).toEqual({ status: 503, code: "STORE_UNAVAILABLE" });
    expect(answer.field("set-cookie")).toBeUndefined();
  });
});

describe("POST /.pillion/sessions", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it("opens a session for a user, whom the application sends to sign in", async () => {
    lab = await startVisitorLab();
    const answer = await lab.post("/.pillion/sessions", {
      credential: "user",
      return_to: "/a",
      redirect_uri: "https://app.test/back?x=1",
    });
    expect(answer.status).toBe(201);
    expect(answer.field("set-cookie")).toBeUndefined();
    expect(answer.field("cache-control")).toBe("no-store");
    expect(JSON.parse(answer.body)).toEqual({
      session: aSessionId("session 1"),
      authorize_url: "https://id.test/authorize?state=s",
      state: "s",
    });
    expect(lab.sessions.opened).toMatchObject([
      { credential: { name: "user" }, returnTo: "/a", redirectUri: "https://app.test/back?x=1" },
    ]);
  });

  it("opens one for an anonymous visitor, whose other tokens move along", async () => {
    lab = await startVisitorLab();
    const id = lab.sessions.add("user");
    const answer = await lab.post(
      "/.pillion/sessions",
      { credential: "anonymous" },
      `Pillion-Session: ${id}`,
    );
    expect(JSON.parse(answer.body)).toEqual({ session: aSessionId("session 2") });
    expect(lab.sessions.opened).toMatchObject([{ credential: { name: "anonymous" }, sessionId: id }]);
  });

  it.each([
    ["no credential", {}],
    ["an unknown credential", { credential: "nobody" }],
    ["a machine's credential", { credential: "main" }],
    ["an inherited name", { credential: "toString" }],
    ["an unknown member", { credential: "user", scope: "x" }],
    ["a credential that is no text", { credential: ["user"] }],
    ["a return_to that is no text", { credential: "user", return_to: 1 }],
    ["a redirect_uri that is null", { credential: "user", redirect_uri: null }],
    ["a relative redirect_uri", { credential: "user", redirect_uri: "/back" }],
    ["a redirect_uri of another scheme", { credential: "user", redirect_uri: "javascript:alert(1)" }],
    ["a redirect_uri without slashes", { credential: "user", redirect_uri: "https:app.test" }],
    ["a redirect_uri with a fragment", { credential: "user", redirect_uri: "https://app.test/#" }],
    ["a redirect_uri with a user", { credential: "user", redirect_uri: "https://a:b@app.test/" }],
    ["a redirect_uri with a blank", { credential: "user", redirect_uri: "https://app.test/ x" }],
    [
      "a redirect_uri with a backslash",
      { credential: "user", redirect_uri: "https://app.test\\@evil.test/" },
    ],
    [
      "a redirect_uri without end",
      { credential: "user", redirect_uri: `https://app.test/${"a".repeat(2_048)}` },
    ],
    ["a list", [{ credential: "user" }]],
    ["null", null],
    ["text", "user"],
    ["more than 16 KiB", { credential: "user", return_to: `/${"a".repeat(16_384)}` }],
  ])("refuses %s", async (_what, body) => {
    lab = await startVisitorLab();
    const answer = await lab.post("/.pillion/sessions", body);
    expect(outcome(answer)).toEqual({ status: 400, code: "REQUEST_INVALID" });
    expect(lab.sessions.opened).toEqual([]);
  });

  it.each([
    ["a form", "Content-Type: application/x-www-form-urlencoded", '{"credential":"user"}'],
    ["plain text", "Content-Type: text/plain", '{"credential":"user"}'],
    ["something like JSON", "Content-Type: application/jsonp", '{"credential":"user"}'],
    ["no type", "X-A: b", '{"credential":"user"}'],
    ["no JSON", "Content-Type: application/json", "{credential:user}"],
    ["broken UTF-8", "Content-Type: application/json", '{"credential":"us\xffer"}'],
    ["nothing", "Content-Type: application/json", ""],
    ["a __proto__", "Content-Type: application/json", '{"credential":"user","__proto__":"x"}'],
  ])("refuses %s", async (_what, type, body) => {
    lab = await startVisitorLab();
    const client = await connectRaw(lab.proxy.port);
    client.send(head("POST /.pillion/sessions", type, `Content-Length: ${body.length}`) + body);
    expect(outcome(await client.answer())).toEqual({ status: 400, code: "REQUEST_INVALID" });
    client.socket.destroy();
    expect(lab.sessions.opened).toEqual([]);
  });

  it("reads a body in chunks, and asks for one that waits to be asked", async () => {
    lab = await startVisitorLab();
    const client = await connectRaw(lab.proxy.port);
    const fields = ["Content-Type: application/json; charset=utf-8", "Transfer-Encoding: chunked"];
    client.send(head("POST /.pillion/sessions", ...fields, "Expect: 100-continue"));
    expect((await client.answer()).status).toBe(100);
    client.send('5\r\n{"cre\r\n10\r\ndential":"user"}\r\n0\r\n\r\n');
    expect((await client.answer()).status).toBe(201);
    client.send(head("GET /none/a"));
    expect((await client.answer()).status).toBe(200);
    client.socket.destroy();
  });

  it("gives up a body in chunks that does not end", async () => {
    lab = await startVisitorLab();
    const client = await connectRaw(lab.proxy.port);
    client.send(
      head("POST /.pillion/sessions", "Content-Type: application/json", "Transfer-Encoding: chunked"),
    );
    client.send(`4001\r\n${" ".repeat(0x4001)}\r\n`);
    expect(outcome(await client.answer())).toEqual({ status: 400, code: "REQUEST_INVALID" });
    client.socket.destroy();
  });
});

describe("POST /.pillion/sessions/callback", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it("completes the session with what came to the application's own page", async () => {
    lab = await startVisitorLab();
    const session = lab.sessions.add("user");
    const answer = await lab.post("/.pillion/sessions/callback", {
      session,
      code: "c&1",
      state: "s",
      iss: "https://id.test",
    });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ signed_in: true, credential: "user" });
    expect(answer.field("set-cookie")).toBeUndefined();
    const [completed] = lab.sessions.completed;
    expect(completed?.sessionId).toBe(session);
    expect(Object.fromEntries(new URLSearchParams(completed?.response))).toEqual({
      code: "c&1",
      state: "s",
      iss: "https://id.test",
    });
  });

  it("hands the provider's error over as well; a login that failed is a problem", async () => {
    lab = await startVisitorLab();
    lab.sessions.login = new ProxyError("LOGIN_FAILED", "The user refused.");
    const session = lab.sessions.add();
    const answer = await lab.post("/.pillion/sessions/callback", {
      session,
      error: "access_denied",
      state: "s",
    });
    expect(answer.field("content-type")).toBe("application/problem+json");
    expect(JSON.parse(answer.body)).toMatchObject({
      status: 400,
      code: "LOGIN_FAILED",
      detail: "The user refused.",
    });
    expect(lab.sessions.completed[0]?.response).toContain("error=access_denied");
  });

  it.each([
    ["no session", { code: "c", state: "s" }],
    ["no state", { session: "x", code: "c" }],
    ["neither code nor error", { session: "x", state: "s" }],
    ["both", { session: "x", state: "s", code: "c", error: "e" }],
    ["an unknown member", { session: "x", state: "s", code: "c", verifier: "v" }],
    ["a code that is no text", { session: "x", state: "s", code: 1 }],
  ])("refuses %s", async (_what, body) => {
    lab = await startVisitorLab();
    const answer = await lab.post("/.pillion/sessions/callback", body);
    expect(outcome(answer)).toEqual({ status: 400, code: "REQUEST_INVALID" });
    expect(lab.sessions.completed).toEqual([]);
  });
});

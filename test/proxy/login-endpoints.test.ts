import { afterEach, describe, expect, it } from "vitest";
import { ProxyError } from "../../src/core/errors.ts";
import { aVisitorCredential } from "../support/proxy-harness.ts";
import { fieldValues } from "../support/raw-client.ts";
import { aSessionId } from "../support/scripted-sessions.ts";
import { outcome, startVisitorLab, type VisitorLab } from "../support/visitor-lab.ts";

const BROWSER = aSessionId("browser");
const NAVIGATION = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];

describe("GET /.pillion/login/{credential}", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it("sends the browser to the provider and gives it the cookie that binds the login to it", async () => {
    lab = await startVisitorLab();
    const answer = await lab.ask("GET /.pillion/login/user?return_to=%2Fa%3Fb&login_hint=ada%40example.test");
    expect(answer.status).toBe(303);
    expect(answer.field("location")).toBe("https://id.test/authorize?state=s");
    expect(answer.field("set-cookie")).toBe(
      `pillion-login=${BROWSER}; Max-Age=600; Path=/; HttpOnly; SameSite=Lax`,
    );
    expect(answer.field("cache-control")).toBe("no-store");
    expect(answer.field("referrer-policy")).toBe("no-referrer");
    expect(lab.sessions.logins).toMatchObject([
      { credential: { name: "user" }, returnTo: "/a?b", loginHint: "ada@example.test" },
    ]);
  });

  it("tells who the visitor is, and which browser has begun a login before", async () => {
    lab = await startVisitorLab();
    const id = lab.sessions.add("anonymous");
    await lab.ask("GET /.pillion/login/user", `Cookie: pillion=${id}; pillion-login=before`);
    expect(lab.sessions.logins).toMatchObject([{ sessionId: id, browser: "before" }]);
  });

  it("takes a person who follows a link on another site", async () => {
    lab = await startVisitorLab();
    expect((await lab.ask("GET /.pillion/login/user", ...NAVIGATION)).status).toBe(303);
  });

  it.each(["nobody", "anonymous", "main", "user/", "", "__proto__", "user%2e"])(
    "of %j, which is no credential of grant user, is 404",
    async (name) => {
      lab = await startVisitorLab();
      const answer = await lab.ask(`GET /.pillion/login/${name}`);
      expect(outcome(answer)).toEqual({ status: 404, code: "ROUTE_NOT_FOUND" });
    },
  );

  it.each(["POST", "HEAD", "DELETE"])("takes no %s", async (method) => {
    lab = await startVisitorLab();
    const answer = await lab
      .ask(`${method} /.pillion/login/user`, "Connection: close")
      .catch(() => undefined);
    if (method !== "HEAD") {
      expect(answer?.status).toBe(405);
      expect(answer?.field("allow")).toBe("GET");
    }
    expect(lab.sessions.logins).toEqual([]);
  });

  it("goes to the public URL's name first where a person typed another name of this machine", async () => {
    lab = await startVisitorLab();
    const { port } = lab.proxy;
    const host = `Host: 127.0.0.1:${port}`;
    const page = ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    const target = "/.pillion/login/user?return_to=%2Fa";
    const moved = await lab.ask(`GET ${target}`, host, ...page);
    expect(moved.field("location")).toBe(`http://localhost:${port}${target}`);
    expect(moved.field("set-cookie")).toBeUndefined();
    // A program that keeps cookies itself is nobody's browser; and a host behind something else is left alone.
    expect((await lab.ask(`GET ${target}`, host)).field("location")).toMatch(/^https:\/\/id\.test\//);
    const there = await lab.ask(`GET ${target}`, `Host: localhost:${port}`, ...page);
    expect(there.field("location")).toMatch(/^https:\/\/id\.test\//);
  });

  it("while the store is down is a page for a person and a problem for a program", async () => {
    lab = await startVisitorLab();
    lab.sessions.isDown = true;
    const page = await lab.ask("GET /.pillion/login/user", ...NAVIGATION);
    expect(outcome(page)).toEqual({ status: 503, code: "STORE_UNAVAILABLE" });
    expect(page.field("content-type")).toBe("text/html; charset=utf-8");
    expect(page.field("retry-after")).toBe("2");
    const problem = await lab.ask("GET /.pillion/login/user");
    expect(JSON.parse(problem.body)).toMatchObject({ status: 503, code: "STORE_UNAVAILABLE" });
  });
});

describe("GET /.pillion/callback", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it("O05: ends the login: a new session, the old one dead, and on to where the visitor was", async () => {
    lab = await startVisitorLab();
    const old = lab.sessions.add("user");
    const id = aSessionId("after the login");
    lab.sessions.login = { sessionId: id, returnTo: "/user/a?b=c" };
    const answer = await lab.ask(
      "GET /.pillion/callback?code=c%2B1&state=s&iss=https%3A%2F%2Fid.test",
      `Cookie: pillion=${old}; pillion-login=${BROWSER}`,
      ...NAVIGATION,
    );
    expect(answer.status).toBe(303);
    expect(answer.field("location")).toBe("/user/a?b=c");
    expect(fieldValues(answer.headers, "set-cookie")).toEqual([
      `pillion=${id}; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax`,
    ]);
    expect(answer.field("cache-control")).toBe("no-store");
    expect(answer.field("referrer-policy")).toBe("no-referrer");
    expect(lab.sessions.completed).toEqual([
      { response: "code=c%2B1&state=s&iss=https%3A%2F%2Fid.test", browser: BROWSER, sessionId: old },
    ]);
    expect((await lab.ask("GET /user/a", `Cookie: pillion=${old}`)).status).toBe(401);
  });

  it("O06: on https sets a cookie that no other host and no page in the clear can set", async () => {
    lab = await startVisitorLab({
      session: { publicUrl: new URL("https://app.example/"), absoluteMs: 86_400_000 },
    });
    const answer = await lab.ask("GET /.pillion/callback?code=c&state=s", "Host: app.example");
    const [session] = fieldValues(answer.headers, "set-cookie");
    expect(session).toBe(
      `__Host-pillion=${aSessionId("after the login")}; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax; Secure`,
    );
  });

  it("of a server-side application's session sets no cookie", async () => {
    lab = await startVisitorLab();
    lab.sessions.login = { sessionId: undefined, returnTo: "/" };
    const answer = await lab.ask("GET /.pillion/callback?code=c&state=s");
    expect(answer.status).toBe(303);
    expect(answer.field("set-cookie")).toBeUndefined();
  });

  it.each(["//e", "/\\e", "/ /e", "/a\r\nX: y", "https:e", "http://h@e", "", "e", "/\u00e9"])(
    "O04: never goes to %j, even if that were asked of it",
    async (returnTo) => {
      lab = await startVisitorLab();
      lab.sessions.login = { sessionId: undefined, returnTo };
      const answer = await lab.ask("GET /.pillion/callback?code=c&state=s");
      expect(answer.field("location")).toBe("/");
      expect(answer.field("x")).toBeUndefined();
    },
  );

  it("that failed is a plain page that says what happened and what to do, and keeps the login's cookie", async () => {
    lab = await startVisitorLab();
    lab.sessions.login = new ProxyError("LOGIN_FAILED", '<script>alert(1)</script> & "it" isn\'t');
    const answer = await lab.ask(
      "GET /.pillion/callback?error=access_denied&state=s",
      "Accept: application/json",
    );
    expect(outcome(answer)).toEqual({ status: 400, code: "LOGIN_FAILED" });
    expect(answer.field("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.field("content-security-policy")).toMatch(/^default-src 'none';/);
    expect(answer.field("cache-control")).toBe("no-store");
    expect(answer.field("referrer-policy")).toBe("no-referrer");
    expect(answer.field("x-content-type-options")).toBe("nosniff");
    expect(answer.field("set-cookie")).toBeUndefined();
    expect(answer.body).toContain("LOGIN_FAILED");
    expect(answer.body).toContain("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;it&quot; isn&#39;t");
    expect(answer.body).toContain(`<a href="http://localhost:${lab.proxy.port}/.pillion/login/user">`);
    expect(answer.body).not.toMatch(/<(?:script|link|img|style|iframe)/i);
    expect(lab.proxy.told.events).toEqual(["rejected LOGIN_FAILED .pillion GET 400"]);
  });

  it("of several logins offers the one that failed, and none where it is not known which", async () => {
    lab = await startVisitorLab({ credentials: [aVisitorCredential("user", "user-2")] });
    lab.sessions.login = new ProxyError("LOGIN_FAILED", "No.");
    expect((await lab.ask("GET /.pillion/callback")).body).not.toContain("<a ");
    lab.sessions.login = new ProxyError("LOGIN_FAILED", "No.", { credential: "user-2" });
    expect((await lab.ask("GET /.pillion/callback")).body).toContain("/.pillion/login/user-2");
  });

  it("while the store is down is a page that says when to come back", async () => {
    lab = await startVisitorLab();
    lab.sessions.isDown = true;
    const answer = await lab.ask("GET /.pillion/callback?code=c&state=s");
    expect(outcome(answer)).toEqual({ status: 503, code: "STORE_UNAVAILABLE" });
    expect(answer.field("retry-after")).toBe("2");
    expect(answer.body).toContain("Wait a moment");
  });

  it("shows nothing of a fault of the proxy's", async () => {
    lab = await startVisitorLab();
    lab.sessions.completeLogin = () => Promise.reject(new Error("secret-canary"));
    const answer = await lab.ask("GET /.pillion/callback?code=c&state=s");
    expect(outcome(answer)).toEqual({ status: 500, code: "INTERNAL" });
    expect(answer.body).not.toContain("secret-canary");
  });

  it("leaves neither code nor state in the log", async () => {
    lab = await startVisitorLab();
    await lab.ask("GET /.pillion/callback?code=secret-canary&state=secret-canary");
    lab.sessions.login = new ProxyError("LOGIN_FAILED", "No.");
    await lab.ask("GET /.pillion/callback?code=secret-canary&state=secret-canary");
    const log = JSON.stringify(lab.proxy.told.log);
    expect(log).toContain("/.pillion/callback");
    expect(log).not.toContain("secret-canary");
  });
});

import { afterEach, describe, expect, it } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import { aVisitorCredential } from "../support/proxy-harness.ts";
import { connectRaw, head } from "../support/raw-client.ts";
import { outcome, startVisitorLab, type VisitorLab } from "../support/visitor-lab.ts";
import { HANDSHAKE } from "../support/websocket-upstream.ts";

const TOKEN = "Pillion-Access: open-sesame";
const REFUSED = { status: 403, code: "ACCESS_TOKEN_REQUIRED" };
const SAME_ORIGIN = "Sec-Fetch-Site: same-origin";
const NAVIGATION = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];

describe("where the proxy has an access token", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());
  const start = async () => {
    lab = await startVisitorLab({ accessToken: new Secret("open-sesame") });
    return {
      signedIn: `Cookie: pillion=${lab.sessions.add("user", "anonymous")}`,
      anonymous: `Cookie: pillion=${lab.sessions.add("anonymous")}`,
      other: `Cookie: pillion=${lab.sessions.add("user-2")}`,
    };
  };

  it("login and callback go without it", async () => {
    await start();
    expect((await lab.ask("GET /.pillion/login/user")).status).toBe(303);
    expect((await lab.ask("GET /.pillion/callback?code=c&state=s", ...NAVIGATION)).status).toBe(303);
  });

  it("a signed-in session's cookie is as good on the routes of its grant user", async () => {
    const { signedIn } = await start();
    expect((await lab.ask("GET /user/a", signedIn)).body).toBe("served");
    const posted = await lab.post("/user/a", { a: 1 }, signedIn, SAME_ORIGIN);
    expect(posted.body).toBe("served");
    expect(lab.tokens()).toEqual(["Bearer user-token-1", "Bearer user-token-1"]);
  });

  it("nowhere else", async () => {
    const { signedIn } = await start();
    const lines = ["/none/a", "/machine/a", "/anonymous/a", "/nowhere", "/.pillion/nowhere"];
    for (const path of lines)
      expect({ path, ...outcome(await lab.ask(`GET ${path}`, signedIn)) }).toEqual({ path, ...REFUSED });
    for (const path of ["/.pillion/sessions", "/.pillion/sessions/callback", "/.pillion/login/user"]) {
      const answer = await lab.post(path, { credential: "user" }, signedIn, SAME_ORIGIN);
      expect({ path, ...outcome(answer) }).toEqual({ path, ...REFUSED });
    }
    expect(lab.upstream.requests).toEqual([]);
    expect(lab.sessions.opened).toEqual([]);
  });

  it("no other session's is", async () => {
    const { anonymous, other } = await start();
    for (const fields of [[anonymous], [other], ["Cookie: pillion=garbage"], [], NAVIGATION])
      expect(outcome(await lab.ask("GET /user/a", ...fields))).toEqual(REFUSED);
  });

  it("nor is a session that Pillion-Session names, with or without a cookie beside it", async () => {
    const { signedIn } = await start();
    const id = signedIn.slice(signedIn.indexOf("=") + 1);
    expect(outcome(await lab.ask("GET /user/a", `Pillion-Session: ${id}`))).toEqual(REFUSED);
    expect(outcome(await lab.ask("GET /user/a", `Pillion-Session: ${id}`, signedIn))).toEqual(REFUSED);
    expect((await lab.ask("GET /user/a", `Pillion-Session: ${id}`, TOKEN)).status).toBe(200);
  });

  it("such a cookie opens its own session and its own logout, no other", async () => {
    const { signedIn, anonymous } = await start();
    expect(outcome(await lab.ask("GET /.pillion/session", anonymous))).toEqual(REFUSED);
    expect(outcome(await lab.ask("POST /.pillion/logout", anonymous, SAME_ORIGIN))).toEqual(REFUSED);
    expect(outcome(await lab.ask("GET /.pillion/session"))).toEqual(REFUSED);
    expect(JSON.parse((await lab.ask("GET /.pillion/session", signedIn)).body).signed_in).toBe(true);
    expect((await lab.ask("POST /.pillion/logout", signedIn, SAME_ORIGIN)).status).toBe(204);
    expect(outcome(await lab.ask("GET /.pillion/session", signedIn))).toEqual(REFUSED);
  });

  it("the cookie shows where its request comes from nevertheless", async () => {
    const { signedIn } = await start();
    const posted = await lab.post("/user/a", {}, signedIn);
    expect(outcome(posted)).toEqual({ status: 403, code: "ORIGIN_NOT_ALLOWED" });
    const handshake = await lab.ask("GET /user/a", ...HANDSHAKE, signedIn);
    expect(outcome(handshake)).toEqual({ status: 403, code: "ORIGIN_NOT_ALLOWED" });
  });

  it("whoever has it is served as ever", async () => {
    await start();
    for (const path of ["/none/a", "/machine/a", "/anonymous/a"])
      expect((await lab.ask(`GET ${path}`, TOKEN)).status).toBe(200);
    expect((await lab.ask("GET /.pillion/session", TOKEN)).status).toBe(200);
    expect((await lab.post("/.pillion/sessions", { credential: "user" }, TOKEN)).status).toBe(201);
    expect(outcome(await lab.ask("GET /user/a", TOKEN))).toEqual({ status: 401, code: "LOGIN_REQUIRED" });
  });

  it("a store that is down lets nobody in, and says so", async () => {
    const { signedIn } = await start();
    lab.sessions.isDown = true;
    expect(outcome(await lab.ask("GET /user/a", signedIn))).toEqual({
      status: 503,
      code: "STORE_UNAVAILABLE",
    });
  });

  it("nothing is begun for a caller who left while the session was looked up", async () => {
    const gone = Promise.withResolvers<void>();
    lab = await startVisitorLab({
      accessToken: new Secret("open-sesame"),
      refusal: ({ socket }) => void socket.once("close", gone.resolve),
    });
    const answered = Promise.withResolvers<boolean>();
    const asked = Promise.withResolvers<void>();
    lab.sessions.isSignedIn = () => {
      asked.resolve();
      return answered.promise;
    };
    const client = await connectRaw(lab.proxy.port);
    client.send(head("GET /user/a", `Cookie: pillion=${lab.sessions.add("user")}`));
    await asked.promise;
    client.socket.destroy();
    await gone.promise;
    answered.resolve(true);
    expect((await lab.ask("GET /none/b", TOKEN)).status).toBe(200);
    expect(lab.upstream.requests.map(({ url }) => url)).toEqual(["/b"]);
    expect(lab.proxy.told.events.filter((event) => event.includes("user"))).toEqual([]);
  });

  it("a wrong one is not mended by being repeated as a bearer token", async () => {
    const { signedIn } = await start();
    expect(outcome(await lab.ask("GET /machine/a", "Pillion-Access: x", signedIn))).toEqual(REFUSED);
    expect((await lab.ask("GET /user/a", "Authorization: Bearer x", signedIn)).status).toBe(200);
  });
});

describe("a person who follows a link on another site", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it.each([
    ["/none/a", 200],
    ["/anonymous/a", 200],
    ["/user/a", 401],
    ["/.pillion/login/user", 303],
    ["/.pillion/callback?code=c&state=s", 303],
    ["/machine/a", 403],
    ["/.pillion/session", 403],
    ["/.pillion/logout", 403],
    ["/.pillion/else", 403],
    ["/nowhere", 403],
  ])("to %s gets %i", async (path, status) => {
    lab = await startVisitorLab();
    expect((await lab.ask(`GET ${path}`, ...NAVIGATION)).status).toBe(status);
  });

  it("is served as the visitor whose cookie comes along", async () => {
    lab = await startVisitorLab();
    const answer = await lab.ask("GET /user/a", `Cookie: pillion=${lab.sessions.add("user")}`, ...NAVIGATION);
    expect(answer.status).toBe(200);
  });

  it.each([
    ["a frame", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"]],
    ["an image", ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"]],
    ["a script", ["Origin: https://evil.example"]],
  ])("is no %s", async (_what, fields) => {
    lab = await startVisitorLab();
    for (const path of ["/none/a", "/user/a", "/.pillion/login/user", "/.pillion/callback"])
      expect(outcome(await lab.ask(`GET ${path}`, ...fields)).code).toBe("ORIGIN_NOT_ALLOWED");
  });
});

describe("the public URL", () => {
  let lab: VisitorLab;
  afterEach(() => lab[Symbol.asyncDispose]());

  it("names a Host that is served and an Origin that is this one's own", async () => {
    lab = await startVisitorLab({ session: { publicUrl: new URL("https://app.example/") } });
    expect((await lab.ask("GET /none/a", "Host: app.example")).status).toBe(200);
    expect(outcome(await lab.ask("GET /none/a", "Host: evil.example")).code).toBe("HOST_NOT_ALLOWED");
    const own = "Origin: https://app.example";
    for (const path of ["/none/a", "/machine/a", "/anonymous/a"])
      expect((await lab.ask(`POST ${path}`, "Content-Length: 0", own)).status).toBe(200);
    expect((await lab.ask("GET /none/a", own, "Sec-Fetch-Site: cross-site")).status).toBe(403);
    expect((await lab.ask("GET /none/a", "Origin: https://app.example.evil")).status).toBe(403);
    // Its own page needs no grant, so it gets none.
    expect((await lab.ask("GET /none/a", own)).field("access-control-allow-origin")).toBeUndefined();
  });
});

describe("a listed origin", () => {
  it("is told what it may ask of an endpoint, and can read the answer", async () => {
    await using lab = await startVisitorLab({
      access: { origins: ["https://listed.example"] },
      accessToken: new Secret("open-sesame"),
      credentials: [aVisitorCredential("user", "user-2")],
    });
    const origin = "Origin: https://listed.example";
    const preflight = await lab.ask(
      "OPTIONS /.pillion/sessions",
      origin,
      "Access-Control-Request-Method: POST",
    );
    expect(preflight.status).toBe(204);
    expect(preflight.field("access-control-allow-origin")).toBe("https://listed.example");
    expect(preflight.field("access-control-allow-methods")).toBe("POST");
    const answer = await lab.post("/.pillion/sessions", { credential: "user-2" }, origin, TOKEN);
    expect(answer.status).toBe(201);
    expect(answer.field("access-control-allow-origin")).toBe("https://listed.example");
  });
});

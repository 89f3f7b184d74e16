/** K01 over whole logins: whatever a visitor's tokens, codes and ids are, they are nowhere but where they belong. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCanaries } from "../support/canaries.ts";
import { fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { granted } from "../support/token-endpoint.ts";
import {
  cookiesOf,
  provide,
  SAME_ORIGIN,
  type SessionLab,
  sessionOf,
  startSessionLab,
} from "./session-lab.ts";

const CANARIES: Record<string, string> = {
  client: "canary-of-client~secret",
  key: Buffer.from("canary-of-the-key-that-seals-all").toString("base64"),
  access: "canary.of.access-1",
  renewed: "canary.of.access-2",
  refresh: "canary.of/refresh+1=",
  rotated: "canary.of/refresh+2=",
  anonymous: "canary.of.anonymous-1",
  app: "canary.of.app-1",
  code: "canary-of-code/1",
  badCode: "canary-of-code/2",
  description: "canary-of-description",
};

let lab: SessionLab;
/** What was answered, but for the two places where a browser gets what is its own: `Location` and `Set-Cookie`. */
let answers = "";
/** Where the tokens and ids went that they belong to. */
let wire = "";
beforeAll(async () => {
  lab = await startSessionLab({
    extra:
      "log: { level: debug, access: true }\nstore: { sqlite: state/sessions.db, encryption_keys: [{ env: STORE_KEY }] }",
    env: { SECRET: CANARIES["client"] ?? "", STORE_KEY: CANARIES["key"] ?? "" },
    files: { "state/.keep": "" },
    args: ["--log-level", "debug"],
  });
  const ask = async (line: string, ...fields: readonly string[]) => {
    const answer = await lab.ask(line, ...fields);
    const shown = answer.headers.filter((_, index, all) => {
      const name = all[index - (index % 2)]?.toLowerCase() ?? "";
      return name !== "location" && name !== "set-cookie";
    });
    answers += `${shown.join("\n")}\n${answer.body}\n`;
    return answer;
  };
  const { client, key, access, renewed, refresh, rotated, anonymous, app, code, badCode, description } =
    CANARIES;
  const usual = provide();
  lab.provider.answer((request, count) => {
    const body = request.body.startsWith("{") ? JSON.parse(request.body) : {};
    if (request.path.endsWith("anonymous-user")) return granted({ access_token: anonymous })(request, count);
    if (body.grant_type === "client_credentials") return granted({ access_token: app })(request, count);
    if (body.code === badCode)
      return {
        status: 400,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          error: "invalid_grant",
          error_description: `${badCode} with ${body.code_verifier} of ${client}`,
        }),
      };
    if (body.grant_type === "authorization_code")
      return granted({ access_token: access, refresh_token: refresh, expires_in: 1 })(request, count);
    if (body.refresh_token === refresh)
      return granted({ access_token: renewed, refresh_token: rotated, expires_in: 1 })(request, count);
    if (body.refresh_token === rotated)
      return {
        status: 500,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ error: "server_error", error_description: `no ${rotated} ${renewed}` }),
      };
    return usual(request, count);
  });

  // Searches as nobody, signs in with a detour, is served, is refreshed, fails to be refreshed, signs out.
  const visitor = sessionOf(await ask("GET /anonymous/x"));
  await ask("GET /user/x", `Cookie: pillion=${visitor}`);
  const login = await ask("GET /.pillion/login/user?login_hint=x", `Cookie: pillion=${visitor}`);
  const state = new URL(login.field("location") ?? "").searchParams.get("state") ?? "";
  const browser = cookiesOf(login);
  await ask(`GET /.pillion/callback?code=${encodeURIComponent(code ?? "")}&state=${state}`);
  const denied = await lab.begin("", `Cookie: ${browser}`);
  await ask(
    `GET /.pillion/callback?error=access_denied&error_description=of%20${state}&state=${denied.state}&iss=x`,
    `Cookie: ${browser}`,
  );
  const bad = await lab.begin("", `Cookie: ${browser}`);
  const refusedCode = await ask(
    `GET /.pillion/callback?code=${encodeURIComponent(badCode ?? "")}&state=${bad.state}&error_uri=${description}`,
    `Cookie: ${browser}`,
  );
  expect(refusedCode.status).toBe(400);
  const back = await ask(
    `GET /.pillion/callback?code=${encodeURIComponent(code ?? "")}&state=${state}`,
    `Cookie: ${browser}; pillion=${visitor}`,
  );
  const session = sessionOf(back);
  const cookie = `Cookie: pillion=${session}`;
  await ask("GET /user/x", cookie);
  await ask("GET /anonymous/x", cookie);
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  await ask("GET /user/x", cookie);
  await ask("GET /.pillion/session", cookie);
  const opened = JSON.parse((await lab.post("/.pillion/sessions", '{"credential":"user"}')).body);
  await ask(`GET /.pillion/callback?code=${encodeURIComponent(code ?? "")}&state=${opened.state}`);
  await ask("GET /user/x", `Pillion-Session: ${opened.session}`);
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  await ask("GET /user/x", cookie);
  await ask("GET /.pillion/session", cookie);
  Object.assign(CANARIES, {
    visitor,
    session,
    opened: opened.session,
    state,
    openedState: opened.state,
    browser: browser.split("=")[1] ?? "",
  });
  for (const { body } of lab.grants("authorization_code"))
    Object.assign(CANARIES, { [`verifier ${body.length} ${body}`]: JSON.parse(body).code_verifier });
  wire = JSON.stringify([lab.messages().map(({ headers }) => headers), lab.provider.requests]);
  // For the search below nothing may have been cleared away yet; the sign-out is looked at as well.
  onDisk = filesOnDisk();
  await ask("POST /.pillion/logout", cookie, SAME_ORIGIN, "Content-Length: 0");
  await ask("GET /user/x", cookie);
  void key;
});
afterAll(async () => await lab[Symbol.asyncDispose]());

let onDisk: ReadonlyMap<string, string> = new Map();

/** Everything in the process's folder but what a person put there. */
function filesOnDisk(): ReadonlyMap<string, string> {
  const { directory } = lab.pillion.workspace;
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return new Map(
    names
      .map((name): [string, string] => [name, lab.pillion.workspace.path(name)])
      .filter(
        ([name, path]) => statSync(path).isFile() && !name.startsWith("tls/") && name !== "pillion.yaml",
      )
      .map(([name, path]) => [name, readFileSync(path, "latin1")]),
  );
}

describe("a whole login with planted tokens, codes and ids", () => {
  it("K01 has them on the wire where they belong, so that the search below means something", () => {
    const seen = findCanaries(wire, CANARIES);
    for (const name of ["access", "renewed", "refresh", "rotated", "anonymous", "app", "code", "badCode"])
      expect(seen).toContain(CANARIES[name]);
  });

  it("K01 gives an upstream the one token that is its visitor's, and nothing else", () => {
    const { access = "", renewed = "", anonymous = "", ...others } = CANARIES;
    const user = JSON.stringify(lab.recorder("user").messages);
    expect(findCanaries(user, { access, renewed })).toEqual(expect.arrayContaining([access, renewed]));
    expect(findCanaries(user, { ...others, anonymous })).toEqual([]);
    const visitor = JSON.stringify(lab.recorder("anonymous").messages);
    expect(findCanaries(visitor, { ...others, access, renewed })).toEqual([]);
  });

  it("K01 shows none in its answers and pages", () => {
    expect(answers).toContain("LOGIN_FAILED");
    expect(answers).toContain("TOKEN_UNAVAILABLE");
    expect(findCanaries(answers, CANARIES)).toEqual([]);
  });

  it("K01 shows none in its metrics, its status and its page", async () => {
    for (const path of ["/", "/status.json", "/metrics", "/readyz", "/startupz", "/livez"]) {
      const { headers, body } = await roundTrip(lab.adminPort, head(`GET ${path}`));
      expect(body, path).not.toBe("");
      expect(findCanaries(`${headers.join()}${body}`, CANARIES), path).toEqual([]);
    }
  });

  it("K01 has none readable in the store's files, nor anywhere else on the disk", () => {
    const present = filesOnDisk();
    expect([...onDisk.keys()].filter((name) => name.startsWith("state/sessions.db")).length).toBeGreaterThan(
      0,
    );
    expect([...onDisk.values()].join().length).toBeGreaterThan(4_096);
    for (const [name, text] of [...onDisk, ...present]) {
      expect(findCanaries(text, CANARIES), name).toEqual([]);
      expect(text, name).not.toMatch(/Bearer|refresh_token|access_token|\/user\/x|external\.appointment/);
    }
    for (const [name] of present) {
      if (!name.startsWith("state/sessions.db")) continue;
      expect(statSync(lab.pillion.workspace.path(name)).mode & 0o077, name).toBe(0);
    }
  });

  it("K01 leaves none in its logs at debug level, nor on its command line", () => {
    const { child } = lab.pillion;
    const logs = lab.pillion.stdout() + lab.pillion.stderr();
    for (const event of [
      "session_signed_in",
      "session_login_failed",
      "session_refreshed",
      "session_refresh_failed",
      "session_ended",
      "request",
    ])
      expect(logs).toContain(`"event":"${event}"`);
    expect(findCanaries(logs, CANARIES)).toEqual([]);
    expect(findCanaries(readFileSync(`/proc/${child.pid}/cmdline`, "utf8"), CANARIES)).toEqual([]);
  });

  it("K01 tells no page where a person goes next what it was: no code, no state", async () => {
    const { state, cookie } = await lab.begin();
    const answer = await lab.callback(`code=x&state=${state}`, `Cookie: ${cookie}`);
    expect(fieldValues(answer.headers, "referrer-policy")).toEqual(["no-referrer"]);
    expect(answer.field("cache-control")).toBe("no-store");
    expect(answer.field("location")).toBe("/");
  });
});

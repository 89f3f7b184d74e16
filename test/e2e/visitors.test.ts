import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signIn } from "../support/emulator-user.ts";
import { runPillion, type StartedProcess, spawnPillion } from "../support/pillion-process.ts";
import { type Reply, send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import { FREE_PORTS, serve } from "./support/serve.ts";
import { createWorkspace } from "./support/workspace.ts";

const APPOINTMENTS = "/zocdoc-user/v1/appointments";
const KEY = Buffer.alloc(32, 7).toString("base64");

/** The cookies that an answer set and did not clear, as a browser would send them. */
function cookiesOf({ headers }: Reply): string {
  const set = headers["set-cookie"] ?? [];
  return set
    .filter((cookie) => !cookie.includes("Max-Age=0"))
    .map((cookie) => cookie.split(";", 1)[0])
    .join("; ");
}

describe("a visitor of a real process", () => {
  let state: string;
  let dev: StartedProcess;
  let origin: string;
  let adminOrigin: string;
  beforeAll(async () => {
    state = mkdtempSync(join(tmpdir(), "pillion-visitors-"));
    dev = spawnPillion(["dev", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"], {
      env: { XDG_STATE_HOME: state },
    });
    origin = `http://${(await dev.printed(/listen=(127\.0\.0\.1:\d+)/))[1]}`;
    adminOrigin = `http://${(await dev.printed(/admin=(127\.0\.0\.1:\d+)/))[1]}`;
  });
  afterAll(async () => {
    await dev.stop();
    rmSync(state, { recursive: true });
  });

  it("searches as nobody, signs in, is served as that user, and signs out", async () => {
    const searched = await send(`${origin}/zocdoc-anonymous/v1/specialties`);
    expect(searched.status).toBe(200);
    const anonymous = cookiesOf(searched);
    expect(anonymous).toMatch(/^pillion=[\w-]{43}$/);

    const refused = await send(origin + APPOINTMENTS, { headers: { Cookie: anonymous } });
    expect(refused.status).toBe(401);
    expect(refused.json).toMatchObject({ code: "LOGIN_REQUIRED" });
    const loginUrl = new URL(refused.json.login_url);
    expect(loginUrl.origin).toBe(origin.replace("127.0.0.1", "localhost"));
    expect(refused.headers["set-cookie"]).toBeUndefined();

    const login = await send(origin + loginUrl.pathname + loginUrl.search, {
      headers: { Cookie: anonymous },
    });
    expect(login.status).toBe(303);
    const authorize = new URL(login.headers.location ?? "");
    expect(authorize.searchParams.get("anonymous_token")).not.toBeNull();
    const back = await signIn(authorize.href);
    const callback = `${origin}${back.pathname}${back.search}`;
    const elsewhere = await send(callback);
    expect(elsewhere.status).toBe(400);
    expect(elsewhere.text).toContain("LOGIN_FAILED");
    const returned = await send(callback, {
      headers: { Cookie: `${anonymous}; ${cookiesOf(login)}` },
    });
    expect(returned.status).toBe(303);
    expect(returned.headers.location).toBe(APPOINTMENTS);
    const user = cookiesOf(returned);
    expect(user).toMatch(/^pillion=[\w-]{43}$/);
    expect(user).not.toBe(anonymous);

    const shown = await send(`${origin}/.pillion/session`, { headers: { Cookie: user } });
    expect(shown.json).toMatchObject({ signed_in: true, credential: "zocdoc-user" });
    expect(Object.keys(shown.json)).toEqual([
      "signed_in",
      "credential",
      "scope",
      "access_token_expires_in",
      "session_expires_in",
    ]);
    expect((await send(origin + APPOINTMENTS, { headers: { Cookie: user } })).status).toBe(200);
    const stranger = await send(origin + APPOINTMENTS, { headers: { Cookie: anonymous } });
    expect(stranger.status).toBe(401);

    const metrics = await scrape(adminOrigin);
    expect(metrics.total("pillion_sessions", { credential: "zocdoc-user" })).toBe(1);
    expect(
      metrics.total("pillion_token_requests_total", { grant: "user", outcome: "success" }),
    ).toBeGreaterThanOrEqual(1);
    expect(metrics.total("pillion_rejected_total", { reason: "LOGIN_REQUIRED" })).toBe(2);
    expect(metrics.total("pillion_rejected_total", { reason: "LOGIN_FAILED" })).toBe(1);
    expect(metrics.total("pillion_store_operations_total", { outcome: "success" })).toBeGreaterThan(0);
    expect(metrics.total("pillion_store_operations_total", { outcome: "unavailable" })).toBe(0);
    const status = await send(`${adminOrigin}/status.json`);
    expect(status.json).toMatchObject({
      store: { kind: "sqlite", available: true },
      sessions: { "zocdoc-user": 1 },
    });
    expect(status.text).not.toContain(user.slice("pillion=".length));

    const logout = { method: "POST", headers: { Cookie: user, "Sec-Fetch-Site": "same-origin" } };
    expect((await send(`${origin}/.pillion/logout`, logout)).status).toBe(204);
    expect((await send(origin + APPOINTMENTS, { headers: { Cookie: user } })).status).toBe(401);
  });

  it("of a server-side application is signed in on that application's word", async () => {
    const headers = { "Content-Type": "application/json" };
    const opened = await send(`${origin}/.pillion/sessions`, {
      method: "POST",
      headers,
      body: JSON.stringify({ credential: "zocdoc-user", return_to: "/done" }),
    });
    expect(opened.status).toBe(201);
    const session = { "Pillion-Session": opened.json.session };
    expect((await send(origin + APPOINTMENTS, { headers: session })).status).toBe(401);
    const back = await signIn(opened.json.authorize_url);
    expect(back.searchParams.get("state")).toBe(opened.json.state);
    const returned = await send(`${origin}${back.pathname}${back.search}`);
    expect(returned.headers.location).toBe("/done");
    expect(cookiesOf(returned)).toBe("");
    expect((await send(origin + APPOINTMENTS, { headers: session })).status).toBe(200);
  });
});

describe("the store of a real process", () => {
  const configuration = (store: string): string => `store:
  sqlite: ${store}
  encryption_keys: [{ env: STORE_KEY }]
routes:
  - { name: none, path: /none/, upstream: "http://127.0.0.1:9/", credential: none }
`;

  it("that cannot be opened keeps it from starting, with one line that says why", async () => {
    using workspace = createWorkspace();
    workspace.write("other.txt", "no database ".repeat(100));
    const file = workspace.write("pillion.yaml", `${FREE_PORTS}${configuration("other.txt")}`);
    const { exitCode, stderr } = await runPillion(["run", "-c", file], { env: { STORE_KEY: KEY } });
    expect(exitCode).toBe(2);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain("other.txt");
  });

  it("stays the one that was opened, and a reload that names another says so", async () => {
    await using pillion = await serve(configuration("first.db"), { env: { STORE_KEY: KEY } });
    pillion.configure(configuration("second.db"));
    pillion.signal("SIGHUP");
    await pillion.logged("config_reloaded");
    const warning = await pillion.logged("restart_needed");
    expect(warning["detail"]).toContain("store");
    const status = await send(`${pillion.adminOrigin}/status.json`);
    expect(status.json.store).toEqual({ kind: "sqlite", available: true });
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findCanaries } from "../support/canaries.ts";
import { runPillion } from "../support/pillion-process.ts";
import {
  type Answer,
  type ReceivedRequest,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { eventually } from "./support/eventually.ts";
import { exchangeRaw, send } from "./support/http-client.ts";
import { FREE_PORTS, type Serving, serve } from "./support/serve.ts";
import { answerOk, startUpstream, type Upstream } from "./support/upstream.ts";
import { createWorkspace, type Workspace } from "./support/workspace.ts";

/** Plainly fake, and full of what encodings change. */
const SECRETS = {
  rejected: 'canary+rejected/é"1=',
  malformed: "canary malformed:2&",
  tenant: "canary%tenant?3",
  fixed: "canary~fixed;4",
  access: "canary-access-5",
  rotated: "canary+rotated/6",
  plain: "canary-plain-7",
};
const TOKENS = { good: "canary-token.good~+/8", query: "canary-query-9", caller: "canary-caller-10" };

function leaksIn(text: string): readonly string[] {
  return findCanaries(text, { ...SECRETS, ...TOKENS });
}

describe("K01 K02 no secret and no token comes out, of whatever a server echoes", () => {
  let tokenEndpoint: ScriptedTokenEndpoint;
  let upstream: Upstream;
  let workspace: Workspace;
  let pillion: Serving;
  let config: string;
  /** All that the process gave to anybody. */
  const seen: string[] = [];

  /** Throws everything back at whoever asks, as careless servers do. */
  function echo(request: ReceivedRequest): Answer {
    const basic = request.headers.authorization ?? "";
    const plain = Buffer.from(basic.slice(6), "base64").toString();
    const said = `${basic} ${plain} ${decodeURIComponent(plain)} ${request.body}`;
    if (plain.includes("rejected") || request.body.includes("rejected")) {
      return {
        status: 401,
        headers: { "content-type": "application/json", "www-authenticate": said.replace(/[^ -~]/g, "") },
        body: JSON.stringify({
          error: "invalid_client",
          error_description: `wrong: ${said}`,
          error_uri: said,
        }),
      };
    }
    if (plain.includes("malformed")) {
      return { status: 200, body: JSON.stringify({ access_token: TOKENS.good, token_type: said }) };
    }
    return {
      status: 200,
      body: JSON.stringify({
        access_token: TOKENS.good,
        token_type: "Bearer",
        expires_in: 3_600,
        scope: said,
      }),
    };
  }

  beforeAll(async () => {
    tokenEndpoint = await startTokenEndpoint();
    tokenEndpoint.answer(echo);
    upstream = await startUpstream();
    workspace = createWorkspace();
    workspace.write("tenants/isb/client_id", "c");
    workspace.write("tenants/isb/client_secret", SECRETS.tenant);
    workspace.write("secrets/rotating", SECRETS.fixed);
    const oauth2 = (secret: string): string =>
      `{ provider: oauth2, token_url: "${tokenEndpoint.url}", client_id: c, client_secret: { env: ${secret} } }`;
    config = `access: { token: { env: ACCESS } }
log: { level: debug, access: true }
credentials:
  rejected: ${oauth2("REJECTED")}
  malformed: ${oauth2("MALFORMED")}
  json: { provider: oauth2, client_auth: json, token_url: "${tokenEndpoint.url}", client_id: c, client_secret: { env: REJECTED } }
  tenants: { provider: qmatic, region: eu-west-1, token_url: "${tokenEndpoint.url}", token_requests_per_second: 100, tenants_directory: tenants }
  fixed: { provider: static, header: X-API-Key, value: { file: secrets/rotating } }
routes:
  - { name: rejected, path: /rejected/, credential: rejected, upstream: "${upstream.origin}/" }
  - { name: malformed, path: /malformed/, credential: malformed, upstream: "${upstream.origin}/" }
  - { name: json, path: /json/, credential: json, upstream: "${upstream.origin}/" }
  - { name: tenants, path: "/tenants/{tenant}/", credential: tenants, upstream: "${upstream.origin}/" }
  - { name: fixed, path: /fixed/, credential: fixed, upstream: "${upstream.origin}/" }
  - { name: down, path: /down/, credential: fixed, upstream: "http://127.0.0.1:9/" }
`;
    pillion = await serve(config, {
      workspace,
      args: ["--log-level", "debug"],
      env: { REJECTED: SECRETS.rejected, MALFORMED: SECRETS.malformed, ACCESS: SECRETS.access },
    });
  });
  afterAll(async () => {
    await pillion.stop();
    await upstream.close();
    await tokenEndpoint.close();
  });

  async function ask(path: string, headers: Readonly<Record<string, string>> = {}, method = "GET") {
    const reply = await send(`${pillion.origin}${path}?api_key=${TOKENS.query}`, {
      method,
      headers: { "Pillion-Access": SECRETS.access, "X-API-Key": TOKENS.caller, ...headers },
    });
    seen.push(reply.rawHeaders.join("\n"), reply.text);
    return reply.status;
  }

  it("recognises what it looks for", () => {
    const basic = Buffer.from(`c:${encodeURIComponent(SECRETS.rejected)}`).toString("base64");
    expect(leaksIn(`Basic ${basic}`)).not.toEqual([]);
    for (const value of [...Object.values(SECRETS), ...Object.values(TOKENS)]) {
      expect(leaksIn(`x${value}y`)).toContain(value);
      expect(leaksIn(encodeURIComponent(value))).not.toEqual([]);
    }
  });

  it("in answers to requests that succeed or fail in every way", async () => {
    expect(await ask("/rejected/x")).toBe(502);
    expect(await ask("/json/x")).toBe(502);
    expect(await ask("/malformed/x")).toBe(503);
    expect(await ask("/tenants/isb/x")).toBe(200);
    expect(await ask("/tenants/other/x")).toBe(404);
    expect(await ask("/fixed/x")).toBe(200);
    expect(await ask("/down/x")).toBe(502);
    expect(await ask("/nowhere/x")).toBe(404);
    expect(await ask("/fixed/x", {}, "TRACE")).toBe(405);
    expect(await ask("/fixed/x", { Host: "evil.example" })).toBe(403);
    expect(await ask("/fixed/x", { "Pillion-Access": TOKENS.caller })).toBe(403);
    expect(await ask("/fixed/x", { "Pillion-Access": "", Authorization: `Bearer ${TOKENS.caller}` })).toBe(
      403,
    );
    const raw = `GET /fixed/x HTTP/1.1\r\nHost: localhost\r\nPillion-Access: ${SECRETS.access}\r\nBroken ${TOKENS.caller}\r\n\r\n`;
    seen.push(await exchangeRaw(pillion.origin, raw));
    upstream.respond((_request, response) => response.writeHead(401).end());
    expect(await ask("/tenants/isb/x")).toBe(401);
    upstream.respond((_request, response) => response.destroy());
    expect(await ask("/tenants/isb/x")).toBe(502);
    upstream.respond(answerOk);
    expect(seen.flatMap(leaksIn)).toEqual([]);
  });

  it("in what a reload says of secrets that rotate, and of a configuration that holds one in plain sight", async () => {
    workspace.write("secrets/rotating", SECRETS.rotated);
    await pillion.logged("secret_reloaded");
    workspace.write("secrets/rotating", `${SECRETS.rotated}\ninner line\n`);
    await pillion.logged("secret_reload_failed");
    let failures = 0;
    for (const value of [
      `"${SECRETS.plain}"`,
      `"${SECRETS.plain}`,
      `{ env: "${SECRETS.plain}`,
      `!x ${SECRETS.plain}`,
    ]) {
      pillion.configure(config.replace("{ env: REJECTED }", value));
      await pillion.logged("config_reload_failed", failures);
      failures += 1;
    }
  });

  it("on the admin listener", async () => {
    for (const path of ["/status.json", "/metrics", "/readyz", "/elsewhere"]) {
      const { text } = await send(pillion.adminOrigin + path);
      seen.push(text);
      expect(leaksIn(text)).toEqual([]);
    }
  });

  it("in the logs, on neither output", async () => {
    await eventually("the last request is logged", async () =>
      pillion.lines.some(({ event, route }) => event === "request" && route === "tenants"),
    );
    pillion.signal("SIGTERM");
    expect(await pillion.exited()).toBe(0);
    expect(pillion.lines.length).toBeGreaterThan(20);
    expect(leaksIn(pillion.stdout())).toEqual([]);
    expect(leaksIn(pillion.stderr())).toEqual([]);
  });

  it("from the other commands, at debug level too", async () => {
    workspace.write("secrets/rotating", SECRETS.fixed);
    const file = workspace.write("pillion.yaml", FREE_PORTS + config);
    const env = { REJECTED: SECRETS.rejected, MALFORMED: SECRETS.malformed };
    for (const args of [
      ["check", "--secrets"],
      ["token", "rejected"],
      ["token", "malformed"],
      ["token", "tenants", "--tenant", "isb"],
      ["token", "tenants", "--tenant", "isb", "--json"],
      ["healthcheck"],
    ]) {
      const { stdout, stderr } = await runPillion([...args, "-c", file, "--log-level", "debug"], { env });
      expect(leaksIn(stdout + stderr), args.join(" ")).toEqual([]);
    }
  });
});

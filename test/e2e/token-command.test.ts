import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { type CommandResult, runPillion } from "../support/pillion-process.ts";
import { send } from "./support/http-client.ts";
import { createWorkspace } from "./support/workspace.ts";

describe("pillion token", () => {
  const workspace = createWorkspace();
  let emulator: Emulator;
  beforeAll(async () => {
    emulator = createEmulator({ expiresInSeconds: 1_800 });
    await emulator.start();
    const zocdoc = emulator.endpoints["zocdoc/sandbox"];
    const qmatic = emulator.endpoints["qmatic/eu-west-1"];
    workspace.write(
      "pillion.yaml",
      `credentials:
  zocdoc: { provider: zocdoc, environment: sandbox, token_url: "${zocdoc.tokenUrl}", client_id: zocdoc-sandbox-client, client_secret: { env: ZOCDOC } }
  wrong: { provider: zocdoc, environment: sandbox, token_url: "${zocdoc.tokenUrl}", client_id: zocdoc-sandbox-client, client_secret: { env: WRONG } }
  down: { provider: oauth2, token_url: "http://127.0.0.1:9/", client_id: c, client_secret: { env: WRONG } }
  missing: { provider: oauth2, token_url: "http://127.0.0.1:9/", client_id: c, client_secret: { env: NOWHERE } }
  key: { provider: static, header: X-API-Key, value: { env: WRONG } }
  qmatic:
    provider: qmatic
    region: eu-west-1
    token_url: ${qmatic.tokenUrl}
    scopes: [book, cancel]
    tenants:
      isb: { client_id: qmatic-isb-client, client_secret: { env: ISB } }
`,
    );
  });
  afterAll(async () => {
    await emulator.stop();
    workspace.remove();
  });

  function token(...args: string[]): Promise<CommandResult> {
    return runPillion(["token", ...args], {
      cwd: workspace.directory,
      env: {
        ZOCDOC: "fake-zocdoc-sandbox-secret",
        ISB: "fake-qmatic-isb-secret",
        WRONG: "fake-wrong-secret",
      },
    });
  }

  it("says what the token is, and not the token", async () => {
    const { exitCode, stdout, stderr } = await token("qmatic", "--tenant", "isb");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/Bearer/i);
    expect(stdout).toMatch(/1800 s/);
    expect(stdout).toMatch(/external\.appointment\.book/);
    expect(stdout).not.toMatch(/eyJ/);
  });

  it("--raw prints the bare token alone, good for curl", async () => {
    const { exitCode, stdout, stderr } = await token("zocdoc", "--raw");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^\S+\n$/);
    const { apiUrl } = emulator.endpoints["zocdoc/sandbox"];
    const headers = { Authorization: `Bearer ${stdout.trim()}` };
    expect((await send(`${apiUrl}v1/specialties`, { headers })).status).toBe(200);
  });

  it("--json says the same for programs, without the token", async () => {
    const { exitCode, stdout } = await token("zocdoc", "--json");
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ token_type: "Bearer", expires_in: 1_800 });
    expect(stdout).not.toMatch(/eyJ|access_token/);
  });

  it.each([
    ["a server that refuses the client", ["wrong"], 1, /access_denied|invalid_client/],
    ["a server that is down", ["down"], 1, /127\.0\.0\.1:9.*ECONNREFUSED/],
    ["an unknown credential", ["zocdok"], 2, /zocdok \(did you mean "zocdoc"\?\)/],
    ["an unknown tenant", ["qmatic", "--tenant", "isc"], 2, /isc.*isb/],
    ["a tenant left out", ["qmatic"], 2, /--tenant/],
    ["a tenant too many", ["zocdoc", "--tenant", "isb"], 2, /tenant/],
    ["a fixed header", ["key"], 2, /key/],
    ["a secret that is not there", ["missing"], 2, /NOWHERE/],
    ["two formats at once", ["zocdoc", "--raw", "--json"], 2, /--raw.*--json/],
  ])("for %s gives one line and its exit code", async (_name, args, code, message) => {
    const { exitCode, stdout, stderr } = await token(...args);
    expect(exitCode).toBe(code);
    expect(stdout).toBe("");
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^[^\n]+\n$/);
  });
});

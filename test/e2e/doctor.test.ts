import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { devConfiguration } from "../../src/emulator/dev-configuration.ts";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { findCanaries } from "../support/canaries.ts";
import { type CommandResult, runPillion } from "../support/pillion-process.ts";
import { readProjectFile } from "../support/project.ts";
import {
  type Answer,
  type ReceivedRequest,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { serve } from "./support/serve.ts";
import { createWorkspace } from "./support/workspace.ts";

describe("pillion doctor", () => {
  const workspace = createWorkspace();
  let emulator: Emulator;
  let example: ReturnType<typeof devConfiguration>;
  beforeAll(async () => {
    emulator = createEmulator();
    await emulator.start();
    example = devConfiguration(emulator, { listen: "127.0.0.1:8080", admin: "127.0.0.1:9090" });
    workspace.write("pillion.yaml", example.text);
  });
  afterAll(async () => {
    await emulator.stop();
    workspace.remove();
  });

  const doctor = (
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> => runPillion(["doctor", ...args], { cwd: workspace.directory, env });

  it("finds nothing to complain of in the configuration that emulate prints, also beside one that serves", async () => {
    const settings = example.text.replaceAll(/^(?:listen|admin|log):.*\n/gm, "");
    await using serving = await serve(settings, { env: example.env });
    const { exitCode, stdout, stderr } = await doctor(["-c", serving.configFile], example.env);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    expect(lines.slice(0, -1).filter((line) => !line.startsWith("ok    "))).toEqual([]);
    expect(lines.map((line) => /^ok {4}(credential [^:]+|upstream)/.exec(line)?.[1]).filter(Boolean)).toEqual(
      [
        "credential zocdoc",
        "credential zocdoc-user",
        "credential zocdoc-anonymous",
        "credential qmatic, tenant isb",
        "credential qmatic, tenant riverside",
        "upstream",
      ],
    );
    expect(lines.at(-1)).toMatch(/^\d+ examined: \d+ ok$/);
    for (const unwanted of ["\u001b", "\r", "eyJ"]) expect(stdout).not.toContain(unwanted);
    expect(findCanaries(stdout, example.env)).toEqual([]);
  });

  it("finds nothing to complain of in the example of users' logins, led to the emulator", async () => {
    const { tokenUrl, apiUrl, authorizeUrl } = emulator.endpoints["zocdoc/sandbox"];
    const keys = { token_url: tokenUrl, api_url: apiUrl, authorize_url: authorizeUrl };
    const standIns = Object.entries(keys).map(([key, url]) => `\n    ${key}: ${url}`);
    const text = readProjectFile("config/examples/zocdoc-users.yaml");
    workspace.write(
      "users.yaml",
      text.replaceAll("environment: sandbox", `environment: sandbox${standIns.join("")}`),
    );
    workspace.write("secrets/store-key", Buffer.alloc(32, "k").toString("base64"));
    workspace.write("secrets/zocdoc-client-secret", "fake-zocdoc-sandbox-secret\n");
    const { exitCode, stdout } = await doctor(["-c", "users.yaml"], {
      ZOCDOC_CLIENT_ID: "zocdoc-sandbox-client",
      ZOCDOC_USER_CLIENT_ID: "zocdoc-sandbox-user-client",
    });
    expect(stdout).toMatch(/^(?:ok .*\n)+\d+ examined: \d+ ok\n$/);
    expect(exitCode).toBe(0);
  });

  it("exits with 1 when something fails, and says the same as JSON", async () => {
    const { exitCode, stdout, stderr } = await doctor(["--json", "--timeout", "2s"], {
      ...example.env,
      ZOCDOC_CLIENT_SECRET: "fake-zocdoc-production-secret",
    });
    expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: "" });
    const report = JSON.parse(stdout);
    expect(report.ok).toBe(false);
    expect(report.findings.find(({ name }: { name: string }) => name === "credential zocdoc")).toMatchObject({
      kind: "credential",
      credential: "zocdoc",
      status: "failure",
      reason: expect.stringMatching(/access_denied/),
      hint: expect.stringMatching(/production/),
    });
  });

  it.each<[string, readonly string[], readonly string[], number]>([
    ["one credential, all of its tenants", ["qmatic"], ["qmatic, tenant isb", "qmatic, tenant riverside"], 2],
    ["one tenant", ["qmatic", "--tenant", "isb"], ["qmatic, tenant isb"], 1],
    ["one that no other's missing secret concerns", ["zocdoc-user"], ["zocdoc-user"], 0],
  ])("keeps to %s, and the upstreams of its routes", async (_what, args, names, tokens) => {
    const { ZOCDOC_CLIENT_SECRET: _missing, ...env } = example.env;
    const before = emulator.stats().tokenEndpoints["qmatic/eu-west-1"].issued;
    const { exitCode, stdout } = await doctor(args, env);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => /^ok {4}credential ([^:]+): /.exec(line)?.[1]).filter(Boolean)).toEqual(names);
    expect(lines.filter((line) => /^ok {4}upstream /.test(line))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith("FAIL"))).toEqual([]);
    expect(exitCode).toBe(0);
    expect(emulator.stats().tokenEndpoints["qmatic/eu-west-1"].issued - before).toBe(tokens);
  });

  it("goes on with the rest where a secret is missing, at its place in the file", async () => {
    workspace.write(
      "missing.yaml",
      `credentials:
  gone: { provider: oauth2, token_url: "http://127.0.0.1:9/", client_id: c, client_secret: { env: NOWHERE } }
  key: { provider: static, header: X-Key, value: { env: KEY } }
`,
    );
    const { exitCode, stdout } = await doctor(["-c", "missing.yaml"], { KEY: "fake-key" });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^FAIL {2}configuration: missing\.yaml:2:\d+ credentials\.gone\.client_secret: .*NOWHERE.*Hint:/m,
    );
    expect(stdout).toMatch(/^FAIL {2}credential gone: environment variable NOWHERE.*Hint: set NOWHERE/m);
    expect(stdout).toMatch(/^ok {4}credential key: /m);
    expect(stdout).toMatch(/^warn {2}configuration: missing\.yaml:\d+:\d+ credentials\.\w+/m);
  });

  it("touches no secret while somebody could watch", async () => {
    const asked = emulator.stats();
    const { exitCode, stdout } = await doctor([], { ...example.env, NODE_DEBUG: "http" });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(
      /^FAIL {2}environment: NODE_DEBUG is set.*Hint: run would refuse to start.*\n1 examined: 0 ok, 1 failed\n$/,
    );
    expect(emulator.stats()).toEqual(asked);
  });

  it.each([
    ["a configuration that is wrong", ["-c", "wrong.yaml"], /wrong\.yaml:1:1 credentails/],
    ["a timeout without a unit", ["--timeout", "10"], /duration/],
    ["an unknown credential", ["qmatik"], /qmatik \(did you mean "qmatic"\?\); there are zocdoc, /],
    [
      "an unknown tenant",
      ["qmatic", "--tenant", "isc"],
      /isc \(did you mean "isb"\?\); there are isb, riverside/,
    ],
    ["a tenant of nobody", ["--tenant", "isb"], /doctor CREDENTIAL --tenant/],
    ["a tenant too many", ["zocdoc", "--tenant", "isb"], /no tenants; leave --tenant out/],
  ])("exits with 2 for %s", async (_name, args, message) => {
    workspace.write("wrong.yaml", "credentails: {}\n");
    const { exitCode, stdout, stderr } = await doctor(args, example.env);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });
});

describe("K01 K02 no secret and no token comes out of doctor, whatever a server echoes", () => {
  const SECRETS = {
    A: 'canary+rejected/é"1=',
    B: "canary malformed:2&",
    C: "canary-good.3~",
    D: "canary-redirect-4",
    E: "canary-page-5",
  };
  const TOKENS = { good: "canary-token.good~+/8" };
  const workspace = createWorkspace();
  let server: ScriptedTokenEndpoint;
  beforeAll(async () => {
    server = await startTokenEndpoint();
    server.answer(echo);
  });
  afterAll(async () => {
    await server.close();
    workspace.remove();
  });

  /** Throws everything back at whoever asks, as careless servers do. */
  function echo({ headers, body, path }: ReceivedRequest): Answer {
    const basic = headers.authorization ?? "";
    const said = `${basic} ${Buffer.from(basic.slice(6), "base64").toString()} ${body}`;
    const json = { "content-type": "application/json" };
    switch (path) {
      case "/a":
        return {
          status: 401,
          headers: json,
          body: JSON.stringify({ error: "invalid_client", error_description: `wrong: ${said}` }),
        };
      case "/b":
        return {
          status: 200,
          headers: json,
          body: JSON.stringify({ access_token: TOKENS.good, token_type: said }),
        };
      case "/d":
        return { status: 302, headers: { location: `/x/${SECRETS.D}?q=${SECRETS.D}` } };
      case "/e":
        return { status: 403, headers: { "content-type": "text/html" }, body: `<html>${said}</html>` };
      default:
        return {
          status: 200,
          headers: json,
          body: JSON.stringify({
            access_token: TOKENS.good,
            token_type: "Bearer",
            expires_in: 3_600,
            scope: said,
          }),
        };
    }
  }

  it.each([[["--json"]], [["--log-level", "debug"]]])("with %j", async (args) => {
    const lines = Object.keys(SECRETS).map(
      (name) =>
        `  ${name}: { provider: oauth2, token_url: "${server.url.origin}/${name.toLowerCase()}", client_id: c, client_secret: { env: ${name} } }`,
    );
    const file = workspace.write("pillion.yaml", `credentials:\n${lines.join("\n")}\n`);
    const { stdout, stderr } = await runPillion(["doctor", "-c", file, ...args], { env: SECRETS });
    expect(stdout).toMatch(/credential A/);
    expect(findCanaries(stdout + stderr, { ...SECRETS, ...TOKENS })).toEqual([]);
  });
});

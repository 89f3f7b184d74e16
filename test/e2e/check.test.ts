import { afterAll, describe, expect, it } from "vitest";
import { type CommandResult, runPillion } from "../support/pillion-process.ts";
import { createWorkspace } from "./support/workspace.ts";

const SIX_FAULTS = `listen: 127.0.0.1
lgo: { level: info }
credentials:
  zocdoc:
    provider: zocdoc
    environment: sandbox
    client_id: my-client
    client_secret: fake-plain-secret
  billing:
    provider: oauth2
    token_url: http://id.example.com/token
    client_id: my-client
    client_secret: { file: secrets/billing }
routes:
  - name: zocdoc
    path: /zocdoc/
    credential: zocdok
  - name: billing
    path: /billing/
    credential: billing
    upstream: https://api.example.com/
    timeouts: { headers: 30 }
`;

const GOOD = `credentials:
  billing:
    provider: oauth2
    token_url: https://id.example.com/token
    client_id: { env: BILLING_CLIENT_ID }
    client_secret: { file: secrets/billing }
  unused:
    provider: static
    header: X-API-Key
    value: { env: API_KEY }
routes:
  - name: billing
    path: /billing/
    credential: billing
    upstream: https://api.example.com/
`;

describe("pillion check", () => {
  const workspace = createWorkspace();
  afterAll(() => workspace.remove());

  function check(text: string, ...args: string[]): Promise<CommandResult> {
    workspace.write("pillion.yaml", text);
    return runPillion(["check", "-c", "pillion.yaml", ...args], {
      cwd: workspace.directory,
      env: { API_KEY: "fake-api-key" },
    });
  }

  it("prints every fault on a line of its own, with its place, and ends with 2", async () => {
    const { exitCode, stdout, stderr } = await check(SIX_FAULTS);
    const lines = stderr.trimEnd().split("\n");
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(lines).toHaveLength(6);
    for (const line of lines) expect(line).toMatch(/^pillion\.yaml:\d+:\d+ [\w.[\]]+: .+$/);
    expect(lines.map((line) => line.split(": ", 1)[0])).toEqual([
      "pillion.yaml:1:9 listen",
      "pillion.yaml:2:1 lgo",
      "pillion.yaml:8:20 credentials.zocdoc.client_secret",
      "pillion.yaml:11:16 credentials.billing.token_url",
      "pillion.yaml:17:17 routes[0].credential",
      "pillion.yaml:22:26 routes[1].timeouts.headers",
    ]);
  });

  it("ends each with the section of errors.md that explains its kind", async () => {
    const { stderr } = await check(SIX_FAULTS);
    expect([...stderr.matchAll(/ \[errors\.md#([a-z-]+)\]$/gm)].map(([, kind]) => kind)).toEqual([
      "wrong-form",
      "unknown-key",
      "secret-in-file",
      "plain-http",
      "unknown-name",
      "no-unit",
    ]);
  });

  it("says what would be right", async () => {
    const { stderr } = await check(SIX_FAULTS);
    expect(stderr).toMatch(/lgo: .*did you mean "?log"?/);
    expect(stderr).toMatch(/zocdok.*did you mean "?zocdoc"?/);
    expect(stderr).toMatch(/client_secret: .*\{ ?(env|file):/);
    expect(stderr).toMatch(/timeouts\.headers: .*30s/);
  });

  it("does not echo a secret that was written into the file", async () => {
    const { stdout, stderr } = await check(SIX_FAULTS);
    expect(stdout + stderr).not.toContain("fake-plain-secret");
  });

  it("ends with 0 for a good file whose secrets are elsewhere, and warns of what is not used", async () => {
    const { exitCode, stderr } = await check(GOOD);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^warning: pillion\.yaml:\d+:\d+ credentials\.unused: .+\n$/);
  });

  it("finds the file by PILLION_CONFIG, and pillion.yaml by itself", async () => {
    workspace.write("elsewhere.yaml", "routes: 3\n");
    workspace.write("pillion.yaml", GOOD);
    const cwd = workspace.directory;
    const byVariable = await runPillion(["check"], { cwd, env: { PILLION_CONFIG: "elsewhere.yaml" } });
    expect(byVariable.stderr).toMatch(/^elsewhere\.yaml:1:9 routes: .+\n$/);
    expect((await runPillion(["check"], { cwd })).exitCode).toBe(0);
  });

  it("--secrets finds every secret that cannot be had at its place, and shows no value", async () => {
    const { exitCode, stderr } = await check(GOOD, "--secrets");
    expect(exitCode).toBe(2);
    expect(stderr).not.toContain("fake-api-key");
    expect(stderr.split("\n").filter((line) => !line.startsWith("warning:"))).toEqual([
      "pillion.yaml:5:16 credentials.billing.client_id: environment variable BILLING_CLIENT_ID: it is not set [errors.md#unreadable]",
      `pillion.yaml:6:20 credentials.billing.client_secret: secret file ${workspace.path("secrets/billing")}: no such file or directory [errors.md#unreadable]`,
      "",
    ]);
  });
});

describe("a wrong command line", () => {
  it.each([
    ["an unknown command", ["chek"]],
    ["an unknown option", ["check", "--secret"]],
    ["a missing argument", ["token"]],
    ["an argument too many", ["version", "now"]],
    ["a value out of range", ["emulate", "--port", "70000"]],
    ["an unknown log level", ["run", "--log-level", "loud"]],
  ])("(%s) ends with 2 and a line on standard error", async (_name, args) => {
    const { exitCode, stdout, stderr } = await runPillion(args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^error: .+\n/);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

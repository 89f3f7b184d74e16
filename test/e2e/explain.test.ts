import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandResult, runPillion } from "../support/pillion-process.ts";
import { createWorkspace } from "./support/workspace.ts";

// Not one of the secrets is there.
const TEXT = `listen: 0.0.0.0:8080
access: { token: { file: secrets/access } }
store:
  sqlite: state/sessions.db
  encryption_keys: [{ file: secrets/key }]
credentials:
  qmatic:
    provider: qmatic
    region: eu-west-1
    client_id: { env: NO_SUCH_CLIENT_ID }
    client_secret: { file: secrets/none }
    tenants_directory: tenants
  zocdoc:
    provider: zocdoc
    environment: sandbox
    client_id: { env: NO_SUCH_CLIENT_ID }
    client_secret: { env: NO_SUCH_CLIENT_SECRET }
routes:
  - name: qmatic
    path: /qmatic/{tenant}/
    upstream: https://api.eu-west-1.qmatic.io/base/
    credential: qmatic
    tls: { ca: no-such.pem }
    request_headers: { remove: [X-Debug] }
  - name: zocdoc
    path: /zocdoc/
    credential: zocdoc
    deny: ["GET /v1/none"]
`;

const CALLERS_TOKEN = "fake-callers-own-token";
const ACCESS = ["-H", `Pillion-Access: ${CALLERS_TOKEN}`];

describe("pillion explain", () => {
  const workspace = createWorkspace();
  const outputs: string[] = [];
  beforeAll(() => {
    workspace.write("pillion.yaml", TEXT);
    workspace.write("tenants/isb/tenant_id", "1001\n");
    workspace.write("empty.yaml", "routes: [}");
  });
  afterAll(() => workspace.remove());

  async function explain(...args: string[]): Promise<CommandResult> {
    const result = await runPillion(["explain", ...args], { cwd: workspace.directory });
    outputs.push(result.stdout + result.stderr);
    return result;
  }

  it("says in lines, and as JSON, where a request would go", async () => {
    const asked = [
      "GET",
      "http://localhost:8080/qmatic/isb/branches?a=%7C",
      ...[
        ...ACCESS,
        "-H",
        `Authorization: Bearer ${CALLERS_TOKEN}`,
        "-H",
        "X-Debug: 1",
        "-H",
        "X-Forwarded-For: 10.0.0.9",
      ],
      ...["-H", "Connection: X-Hop", "-H", "X-Hop: 1"],
    ];
    const [text, json] = await Promise.all([explain(...asked), explain(...asked, "--json")]);
    expect({ ...text, stdout: "" }).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    expect(text.stdout).toMatch(/^ok route +qmatic: .* {2}\[pillion\.yaml:\d+:5 routes\[0\]\]$/m);
    expect(text.stdout).toMatch(/^ok headers +set Host, .*Authorization, X-TENANT-ID$/m);
    expect(text.stdout).toMatch(
      /^forwarded: route qmatic, tenant isb, credential qmatic, upstream https:\/\/api\.eu-west-1\.qmatic\.io\/base\/branches\?a=%7C$/m,
    );
    expect(text.stdout).not.toContain("\x1b");
    const document = JSON.parse(json.stdout) as Record<string, unknown>;
    expect(document).toMatchObject({
      allowed: true,
      status: null,
      code: null,
      route: "qmatic",
      tenant: "isb",
      credential: "qmatic",
      grant: "client_credentials",
      upstream: "https://api.eu-west-1.qmatic.io/base/branches?a=%7C",
      headers: {
        set: ["Host", "Via", "X-Request-Id", "Authorization", "X-TENANT-ID"],
        removed: ["Pillion-Access", "Authorization", "X-Debug", "X-Forwarded-For", "Connection", "X-Hop"],
      },
      assumptions: ["the access token that the request shows is the right one"],
    });
    expect(document).not.toHaveProperty("change");
    expect(document["steps"]).toContainEqual({
      step: "tenant",
      ok: true,
      detail: "isb, by its segment of the path",
      at: "pillion.yaml:20:11 routes[0].path",
    });
  });

  it("says why a request is refused, and where that would be changed", async () => {
    const rotate = ["POST", "http://localhost:8080/zocdoc/v1/credentials/rotate", ...ACCESS];
    const [byDefault, json, unknown] = await Promise.all([
      explain(...rotate),
      explain("GET", "/zocdoc/v1/none", ...ACCESS, "--json"),
      explain("GET", "/qmatic/isbb/x", ...ACCESS),
    ]);
    for (const { exitCode, stderr } of [byDefault, json, unknown])
      expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: "" });
    expect(byDefault.stdout).toMatch(/^refused: OPERATION_DENIED 403/m);
    expect(byDefault.stdout).toMatch(/^change: pillion\.yaml:\d+:5 routes\[1\]\.allow .*by default/m);
    expect(byDefault.stdout).toMatch(/^NO operation/m);
    expect(JSON.parse(json.stdout)).toMatchObject({
      ...{ allowed: false, status: 403, code: "OPERATION_DENIED", route: "zocdoc", upstream: null },
      change: { path: "routes[1].deny[0]", file: "pillion.yaml", line: 28, column: 12 },
    });
    expect(unknown.stdout).toMatch(
      /^change: pillion\.yaml:12:24 credentials\.qmatic\.tenants_directory: .*did you mean isb/m,
    );
  });

  it("judges the target as it would be on the wire, and takes the Host from the URL, a field or the listener", async () => {
    const [dots, foreign, named, bare] = await Promise.all([
      explain("GET", "http://localhost:8080/zocdoc/../x", ...ACCESS),
      explain("GET", "http://evil.example/zocdoc/x", ...ACCESS),
      explain("GET", "http://evil.example/zocdoc/x", ...ACCESS, "-H", "host: localhost"),
      explain("GET", "/zocdoc/x", ...ACCESS),
    ]);
    expect(dots.stdout).toMatch(
      /^refused: TARGET_INVALID 400.*\nnothing in the configuration changes that: /m,
    );
    expect(foreign.stdout).toMatch(/^refused: HOST_NOT_ALLOWED 403/m);
    expect([dots, foreign, named, bare].map(({ exitCode }) => exitCode)).toEqual([1, 1, 0, 0]);
    expect(bare.stdout).toMatch(/^ok request .*GET \/zocdoc\/x, Host localhost:8080$/m);
  });

  it("ends with 2 where the command line or the configuration is wrong, without a stack trace", async () => {
    const results = await Promise.all([
      explain("GET", "/x", "-H", CALLERS_TOKEN),
      explain("G ET", "/x"),
      explain("GET"),
      explain("GET", "/x", "-c", "empty.yaml"),
    ]);
    for (const { exitCode, stdout, stderr } of results) {
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
      expect(stderr).toMatch(/\w/);
      expect(stderr).not.toMatch(/^ {4}at /m);
    }
  });

  it("shows no field's value", () => {
    expect(outputs.length).toBeGreaterThan(9);
    for (const output of outputs) expect(output).not.toContain(CALLERS_TOKEN);
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runPillion, spawnPillion } from "../support/pillion-process.ts";
import { readProjectFile } from "../support/project.ts";
import { send } from "./support/http-client.ts";
import { FREE_PORTS, type Serving, serve } from "./support/serve.ts";
import { createWorkspace } from "./support/workspace.ts";

describe("pillion healthcheck", () => {
  const workspace = createWorkspace();
  let pillion: Serving;
  beforeAll(async () => {
    pillion = await serve("drain: { delay: 5s }\n");
  });
  afterAll(async () => {
    await pillion.stop();
    workspace.remove();
  });

  async function healthcheck(admin: string): Promise<{ exitCode: number; stderr: string }> {
    const file = workspace.write("pillion.yaml", "credentials: {}\n");
    return runPillion(["healthcheck", "-c", file], { env: { PILLION_ADMIN: admin } });
  }

  it("ends with 0 while the process is ready, and with 1 and the reason once it drains", async () => {
    const admin = pillion.adminOrigin.replace("http://", "");
    expect(await healthcheck(admin)).toMatchObject({ exitCode: 0, stderr: "" });
    pillion.signal("SIGTERM");
    await pillion.logged("shutting_down");
    const { exitCode, stderr } = await healthcheck(admin);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^pillion: .*drain.*\n$/);
  });

  it("ends with 1 when nobody answers", async () => {
    const { exitCode, stderr } = await healthcheck("127.0.0.1:9");
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^pillion: .+\n$/);
  });
});

describe("other commands", () => {
  it("schema prints the JSON Schema that lies in the project, to the byte", async () => {
    const { exitCode, stdout } = await runPillion(["schema"]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe(readProjectFile("config/pillion.schema.json"));
  });

  it("version prints the version of the package", async () => {
    const { version } = JSON.parse(readProjectFile("package.json")) as { version: string };
    const { exitCode, stdout } = await runPillion(["version"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(version);
    expect(stdout).toMatch(/^[^\n]+\n$/);
  });

  it("--help lists every command, and ends with 0", async () => {
    const { exitCode, stdout } = await runPillion(["--help"]);
    expect(exitCode).toBe(0);
    for (const command of ["run", "dev", "emulate", "check", "token", "schema", "healthcheck", "version"]) {
      expect(stdout).toMatch(new RegExp(`^\\s+${command}\\b`, "m"));
    }
  });
});

describe("pillion emulate", () => {
  it("prints addresses and clients, and a configuration that works with them as it stands", async () => {
    await using emulate = spawnPillion(["emulate", "--port", "0", "--expires-in", "60"]);
    const [, yaml = ""] = await emulate.printed(/^(listen: [\s\S]*X-Tenant \}\n)/m);
    const env = Object.fromEntries(
      [...emulate.stdout().matchAll(/^ *export (\w+)=(\S+)$/gm)].map(([, name, value]) => [name, value]),
    ) as Record<string, string>;
    expect(Object.keys(env)).toHaveLength(3);
    const text = yaml.replace(/^(listen|admin|log): .*\n/gm, "");
    expect(FREE_PORTS + text).toContain("routes:");
    await using pillion = await serve(text, { env });
    for (const path of ["/zocdoc/v1/specialties", "/qmatic/isb/services", "/qmatic/riverside/services"]) {
      expect((await send(pillion.origin + path)).status).toBe(200);
    }
    const [token] = (await send(`${pillion.adminOrigin}/status.json`)).json.tokens;
    expect(token.lifetime_seconds).toBe(60);
    emulate.signal("SIGTERM");
    expect(await emulate.exited()).toBe(0);
  });
});

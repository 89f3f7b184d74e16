import { afterAll, describe, expect, it } from "vitest";
import { type CommandResult, runPillion } from "../support/pillion-process.ts";
import { send } from "./support/http-client.ts";
import { FREE_PORTS, serve } from "./support/serve.ts";
import { createWorkspace } from "./support/workspace.ts";

const ONE_KEY = `${FREE_PORTS}credentials:
  key: { provider: static, header: X-API-Key, value: { file: secrets/key } }
routes:
  - { name: key, path: /, credential: key, upstream: "http://127.0.0.1:9/" }
`;

describe("C09: pillion run does not start", () => {
  const workspace = createWorkspace();
  afterAll(() => workspace.remove());

  function run(text: string | undefined, ...args: string[]): Promise<CommandResult> {
    if (text !== undefined) workspace.write("pillion.yaml", text);
    const file = text === undefined ? "missing.yaml" : "pillion.yaml";
    return runPillion(["run", "-c", file, ...args], { cwd: workspace.directory });
  }

  it("with a secret that cannot be read: 2, naming the file and the reason", async () => {
    const { exitCode, stderr } = await run(ONE_KEY);
    expect(exitCode).toBe(2);
    expect(stderr).toBe(
      `pillion.yaml:4:54 credentials.key.value: secret file ${workspace.path("secrets/key")}: no such file or directory [errors.md#unreadable]\n`,
    );
  });

  it.each([
    ["is empty", "\n", "it is empty"],
    ["holds an inner line break", "fake\r\nX-Injected: 1", "it holds more than one line"],
  ])("with a secret that %s: 2, without its value", async (_name, content, reason) => {
    workspace.write("secrets/bad", content);
    const { exitCode, stderr } = await run(ONE_KEY.replace("secrets/key", "secrets/bad"));
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${workspace.path("secrets/bad")}: ${reason}`);
    expect(stderr).not.toContain("X-Injected");
  });

  it.each([
    ["that is not there", undefined, "no such file or directory"],
    ["that holds something else", "no certificate", "it holds no certificate in PEM"],
  ])("with a CA file %s: 2, naming the file and the reason", async (_name, content, reason) => {
    const ca = content === undefined ? workspace.path("absent.pem") : workspace.write("other.pem", content);
    const { exitCode, stderr } = await run(`${FREE_PORTS}routes:
  - { name: tls, path: /, credential: none, upstream: "https://localhost:9/", tls: { ca: ${ca} } }
`);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^pillion\.yaml:4:\d+ routes\[0\]\.tls\.ca: .+\n$/);
    expect(stderr).toContain(`PEM file ${ca}: ${reason}`);
  });

  it("without its configuration: 2, naming the file", async () => {
    const { exitCode, stderr } = await run(undefined);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^pillion: .*missing\.yaml: no such file or directory.*\n$/);
  });

  it("with a faulty configuration: 2, one line per fault", async () => {
    const { exitCode, stderr } = await run("listen: 127.0.0.1:0\nadmin: nowhere\nroutes: {}\n");
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^pillion\.yaml:2:8 admin: .+\npillion\.yaml:3:9 routes: .+\n$/);
  });

  it("on an address that others reach, unless access is restricted or open in so many words", async () => {
    const open = "listen: 0.0.0.0:0\nadmin: 127.0.0.1:0\n";
    const { exitCode, stderr } = await run(open);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^pillion\.yaml:1:9 listen: .*access\.token.*open: true.*\n$/);
  });

  it("and shows a stack trace with --log-level debug only", async () => {
    const { stderr } = await run(undefined);
    expect(stderr).not.toMatch(/\n\s+at /);
    const debug = await run(undefined, "--log-level", "debug");
    expect(debug.exitCode).toBe(2);
    expect(debug.stderr).toMatch(/\n\s+at /);
  });
});

describe("pillion run", () => {
  it("logs `listening` with the real ports once it serves", async () => {
    await using pillion = await serve("routes: []\n");
    const line = await pillion.logged("listening");
    expect(line["listen"]).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    expect(line["admin"]).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    expect((await send(`${pillion.origin}/`)).json).toMatchObject({ code: "ROUTE_NOT_FOUND" });
    expect((await send(`${pillion.adminOrigin}/livez`)).status).toBe(200);
  });

  it("serves beyond loopback when access is open in so many words", async () => {
    using workspace = createWorkspace();
    workspace.write("token", "fake-access-token");
    await using pillion = await serve("access: { token: { file: token } }\n", {
      workspace,
      env: { PILLION_LISTEN: "0.0.0.0:0" },
    });
    const { port } = new URL(pillion.origin);
    const url = `http://127.0.0.1:${port}/`;
    expect((await send(url)).json).toMatchObject({ code: "ACCESS_TOKEN_REQUIRED", status: 403 });
    const headers = { "Pillion-Access": "fake-access-token" };
    expect((await send(url, { headers })).json).toMatchObject({ code: "ROUTE_NOT_FOUND" });
    const bearer = { Authorization: "Bearer fake-access-token" };
    expect((await send(url, { headers: bearer })).json).toMatchObject({ code: "ROUTE_NOT_FOUND" });
  });

  it("takes addresses and the log level from the environment first", async () => {
    await using pillion = await serve("log: { level: info }\n", {
      env: { PILLION_LISTEN: "127.0.0.1:0", PILLION_ADMIN: "[::1]:0", PILLION_LOG_LEVEL: "debug" },
    });
    expect(pillion.adminOrigin).toMatch(/^http:\/\/\[::1\]:\d+$/);
    await send(`${pillion.origin}/nowhere`);
    expect(await pillion.logged("request_refused")).toMatchObject({ level: "debug" });
  });

  it("listens on a Unix socket", async () => {
    using workspace = createWorkspace();
    const socketPath = workspace.path("p.sock");
    await using pillion = await serve("routes: []\n", {
      workspace,
      env: { PILLION_LISTEN: `unix:${socketPath}` },
    });
    expect(await pillion.logged("listening")).toMatchObject({ listen: `unix:${socketPath}` });
  });
});

/**
 * The catalogue's rows on secrets that are seen from outside (K): planted values are looked for wherever the process
 * leaves anything. Answers, logs and metrics under servers that echo: test/e2e/no-secret-leaks.test.ts.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../e2e/support/eventually.ts";
import { send } from "../e2e/support/http-client.ts";
import { FREE_PORTS, type Serving, serve } from "../e2e/support/serve.ts";
import { startUpstream, type Upstream } from "../e2e/support/upstream.ts";
import { createWorkspace, type Workspace } from "../e2e/support/workspace.ts";
import { findCanaries } from "../support/canaries.ts";
import { findConfinement } from "../support/confinement.ts";
import { runPillion } from "../support/pillion-process.ts";
import { granted, type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";

const CANARIES = {
  env: "canary-of-env/1+é",
  file: "canary-of-file~2",
  access: "canary-of-access-3",
  token: "canary.of.token-4",
  query: "canary-of-query-5",
  body: "canary-of-body-6",
  field: "canary-of-field-7",
  url: "canary-of-url-8",
};
const SECRET_ENV = { ENV_SECRET: CANARIES.env, ACCESS: CANARIES.access };

let tokenEndpoint: ScriptedTokenEndpoint;
let upstream: Upstream;
beforeAll(async () => {
  tokenEndpoint = await startTokenEndpoint();
  tokenEndpoint.answer(granted({ access_token: CANARIES.token }));
  upstream = await startUpstream();
});
afterAll(async () => {
  await upstream.close();
  await tokenEndpoint.close();
});

function configText(): string {
  return `access: { token: { env: ACCESS } }
log: { level: debug, access: true }
credentials:
  main: { provider: oauth2, token_url: "${tokenEndpoint.url}", client_id: c, client_secret: { env: ENV_SECRET } }
  fixed: { provider: static, header: X-API-Key, value: { file: secrets/fixed } }
routes:
  - { name: main, path: /main/, credential: main, upstream: "${upstream.origin}/" }
  - { name: fixed, path: /fixed/, credential: fixed, upstream: "${upstream.origin}/" }
`;
}

function createHome(): Workspace {
  const workspace = createWorkspace();
  workspace.write("secrets/fixed", CANARIES.file);
  mkdirSync(workspace.path("tmp"));
  return workspace;
}

/** Everything the process could write to lies in one folder: where it stands, its home, its temporary files. */
function start(
  workspace: Workspace,
  env: Readonly<Record<string, string>> = {},
  through: readonly string[] = [],
): Promise<Serving> {
  const { directory } = workspace;
  return serve(configText(), {
    workspace,
    through,
    cwd: directory,
    env: { ...SECRET_ENV, HOME: directory, TMPDIR: workspace.path("tmp"), ...env },
    args: ["--log-level", "debug"],
  });
}

async function use(pillion: Serving): Promise<string> {
  const replies = ["/main/x", "/fixed/x", "/nowhere"].map((path) =>
    send(`${pillion.origin}${path}?code=${CANARIES.query}`, {
      method: "POST",
      headers: { "Pillion-Access": CANARIES.access, "X-Mine": CANARIES.field },
      body: CANARIES.body,
    }),
  );
  const answered = await Promise.all(replies);
  expect(answered.map(({ status }) => status)).toEqual([200, 200, 404]);
  return answered.map(({ rawHeaders, text }) => `${rawHeaders.join("\n")}\n${text}`).join("\n");
}

function leaksIn(text: string): readonly string[] {
  return findCanaries(text, CANARIES);
}

/** Every file below a folder but those that a person put the secrets into. */
function filesIn(workspace: Workspace): readonly string[] {
  return readdirSync(workspace.directory, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(workspace.path(name)).isFile())
    .filter((name) => !name.startsWith("secrets/") && name !== "pillion.yaml");
}

describe("a process that handles planted secrets at debug level", () => {
  let workspace: Workspace;
  let pillion: Serving;
  let answers: string;
  beforeAll(async () => {
    workspace = createHome();
    pillion = await start(workspace);
    answers = await use(pillion);
  });
  afterAll(() => pillion.stop());

  it("K01 has them on the wire to the token endpoint and the upstream, so that the search below means something", () => {
    expect(leaksIn(JSON.stringify(upstream.requests.map(({ rawHeaders }) => rawHeaders)))).toContain(
      CANARIES.token,
    );
    expect(leaksIn(String(tokenEndpoint.requests[0]?.headers.authorization))).not.toEqual([]);
  });

  it("K01 shows none in its answers, its metrics, its status and its page", async () => {
    expect(leaksIn(answers)).toEqual([]);
    for (const path of ["/", "/status.json", "/metrics", "/readyz", "/startupz", "/livez"]) {
      const { text } = await send(pillion.adminOrigin + path);
      expect(text).not.toBe("");
      expect(leaksIn(text), path).toEqual([]);
    }
  });

  it("K01 shows none in what other users can read of a process: its command line and its name", () => {
    const { pid } = pillion.child;
    for (const file of ["cmdline", "comm"])
      expect(leaksIn(readFileSync(`/proc/${pid}/${file}`, "utf8")), file).toEqual([]);
  });

  it("K01 keeps no file open that it has written to", () => {
    const { pid } = pillion.child;
    const open = readdirSync(`/proc/${pid}/fd`).map((fd) => {
      const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))?.[1] ?? "0";
      return { path: readlinkSync(`/proc/${pid}/fd/${fd}`), writable: (Number.parseInt(flags, 8) & 3) !== 0 };
    });
    const written = open.filter(({ path, writable }) => writable && path.startsWith("/"));
    expect(written.filter(({ path }) => path !== "/dev/null")).toEqual([]);
  });

  it("K01 leaves none in its logs, and no file behind", async () => {
    await eventually(
      "every request is logged",
      async () => pillion.lines.filter(({ event }) => event === "request").length >= 3,
    );
    pillion.signal("SIGTERM");
    expect(await pillion.exited()).toBe(0);
    expect(leaksIn(pillion.stdout() + pillion.stderr())).toEqual([]);
    expect(filesIn(workspace)).toEqual([]);
  });
});

describe("K02 a URL with a user name and a password in a configuration", () => {
  it.each([
    ["token_url", (url: string) => configText().replace(String(tokenEndpoint.url), url)],
    ["upstream", (url: string) => configText().replace(`${upstream.origin}/`, url)],
    [
      "http_proxy",
      (url: string) => configText().replace("client_id: c,", `client_id: c, http_proxy: "${url}",`),
    ],
  ])("is refused as %s, and not shown", async (key, configure) => {
    using workspace = createHome();
    const url = `https://user:${CANARIES.url}@id.example.com/`;
    const file = workspace.write("pillion.yaml", FREE_PORTS + configure(url));
    for (const command of ["check", "run"]) {
      const { exitCode, stdout, stderr } = await runPillion([command, "-c", file, "--log-level=debug"], {
        env: SECRET_ENV,
      });
      expect(exitCode).toBe(2);
      expect(stderr).toContain(key);
      expect(leaksIn(stdout + stderr)).toEqual([]);
    }
  });
});

describe("K04 what a dying or a signalled process leaves behind", () => {
  it("is a core dump without a page of memory", async () => {
    using workspace = createHome();
    const pillion = await start(workspace);
    const { pid } = pillion.child;
    expect(readFileSync(`/proc/${pid}/coredump_filter`, "utf8").trim()).toBe("00000000");
    // So that there is a dump to look into, where the limits of whoever runs the tests allow one.
    spawnSync("prlimit", [`--pid=${pid}`, "--core=unlimited:"]);
    await use(pillion);
    pillion.signal("SIGABRT");
    expect(await pillion.exited()).toBe(134);
    for (const name of filesIn(workspace)) {
      expect(leaksIn(readFileSync(workspace.path(name), "latin1")), name).toEqual([]);
    }
    expect(leaksIn(pillion.stdout() + pillion.stderr())).toEqual([]);
  });

  it("is a diagnostic report without the environment, where one was asked for by flags", async () => {
    using workspace = createHome();
    const flags = `--report-on-signal --report-exclude-env --report-directory=${workspace.directory}`;
    const pillion = await start(workspace, { NODE_OPTIONS: flags });
    await use(pillion);
    pillion.signal("SIGUSR2");
    const report = await eventually("a report is written", async () => {
      const name = filesIn(workspace).find((file) => file.endsWith(".json"));
      const text = name === undefined ? "" : readFileSync(workspace.path(name), "utf8");
      return text.trimEnd().endsWith("}") && text;
    });
    await pillion.stop();
    expect(report).toContain("javascriptHeap");
    expect(report).not.toContain("environmentVariables");
    expect(leaksIn(report)).toEqual([]);
  });

  it("is no debugger's port after SIGUSR1", async () => {
    using workspace = createHome();
    await using pillion = await start(workspace);
    const before = listeningSockets(pillion.child.pid);
    expect(before).toHaveLength(2);
    pillion.signal("SIGUSR1");
    // Signals arrive in order: once the later one has acted, the earlier one has been taken.
    pillion.signal("SIGHUP");
    await pillion.logged("config_reloaded");
    await use(pillion);
    expect(listeningSockets(pillion.child.pid)).toEqual(before);
    expect(pillion.stderr()).not.toContain("Debugger");
  });

  it.each([["run"], ["dev", "--ephemeral", "--listen=127.0.0.1:0", "--admin=127.0.0.1:0"]])(
    "is nothing where a door stands open: %s does not start, and says why in a line each",
    async (...args) => {
      using workspace = createHome();
      const file = workspace.write("pillion.yaml", FREE_PORTS + configText());
      const command = args[0] === "run" ? [...args, "-c", file] : args;
      const env = {
        ...SECRET_ENV,
        NODE_TLS_REJECT_UNAUTHORIZED: "0",
        NODE_DEBUG: "fake-section",
        SSLKEYLOGFILE: workspace.path("keys"),
        NODE_OPTIONS: "--inspect=127.0.0.1:0 --heapsnapshot-signal=SIGUSR2 --insecure-http-parser",
      };
      const { exitCode, stdout, stderr } = await runPillion(command, { env });
      expect(exitCode).toBe(2);
      const lines = stderr.split("\n").filter((line) => line.startsWith("pillion: "));
      expect(lines.map((line) => /^pillion: ([\w-]+)/.exec(line)?.[1])).toEqual([
        "NODE_TLS_REJECT_UNAUTHORIZED",
        "NODE_DEBUG",
        "SSLKEYLOGFILE",
        "--inspect",
        "--heapsnapshot-signal",
        "--insecure-http-parser",
      ]);
      expect(stdout).toBe("");
    },
  );

  it("is no traffic through a proxy that the environment names", async () => {
    await using elsewhere = await startUpstream();
    using workspace = createHome();
    const proxies = Object.fromEntries(
      ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].map((name) => [
        name,
        elsewhere.origin,
      ]),
    );
    const tokenRequests = tokenEndpoint.requests.length;
    await using pillion = await start(workspace, { ...proxies, NO_PROXY: "", no_proxy: "" });
    await use(pillion);
    expect(tokenEndpoint.requests).toHaveLength(tokenRequests + 1);
    expect(elsewhere.requests).toEqual([]);
  });
});

describe("K09 confined as a container is, as strictly as this machine allows", () => {
  it("serves, drains and writes nothing: another user, no capabilities, a root that cannot be written to", async () => {
    using workspace = createHome();
    chmodSync(workspace.directory, 0o755);
    const confinement = findConfinement();
    await using pillion = await start(workspace, {}, confinement.command);
    await use(pillion);
    const status = readFileSync(`/proc/${pillion.child.pid}/status`, "utf8");
    expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).toBe(String(confinement.uid));
    expect(/^CapEff:\s+(\w+)$/m.exec(status)?.[1]).toBe(confinement.capabilities);
    pillion.signal("SIGTERM");
    expect(await pillion.exited()).toBe(0);
    expect(filesIn(workspace)).toEqual([]);
  });
});

/** Sockets of this process that listen, by the kernel's own table. */
function listeningSockets(pid: number | undefined): readonly string[] {
  const own = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [/^socket:\[(\d+)\]$/.exec(readlinkSync(join(`/proc/${pid}/fd`, fd)))?.[1] ?? ""];
      } catch {
        return []; // Closed since the folder was read.
      }
    }),
  );
  const LISTEN = "0A";
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === LISTEN && own.has(fields[9] ?? ""))
      .map((fields) => fields[1] ?? ""),
  );
}

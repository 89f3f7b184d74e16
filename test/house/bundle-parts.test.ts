import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Script } from "node:vm";
import { afterAll, describe, expect, it } from "vitest";
import { FUNCTIONS } from "../../src/admin/status-page/script.ts";
import { send } from "../e2e/support/http-client.ts";
import { serve } from "../e2e/support/serve.ts";
import { createWorkspace } from "../e2e/support/workspace.ts";
import { buildBundle } from "../support/built-bundle.ts";
import { createCertificates } from "../support/certificates.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { spawnPillion } from "../support/pillion-process.ts";
import { startRedisServer } from "../support/redis-server.ts";

const bundle = buildBundle();
afterAll(() => bundle.remove());

/** The bundle leaves out of packages what is not used; what is used must not be among it. */
describe("parts of the bundle that are loaded when they are needed", () => {
  it("connect to Redis, as a user with a password", async () => {
    await using redis = await startRedisServer({
      user: { name: "pillion", password: "secret" },
      password: "nobody-knows",
    });
    const workspace = createWorkspace();
    workspace.write("key", Buffer.alloc(32, 7).toString("base64"));
    await using pillion = await serve(
      "store:\n  redis: { url: { env: REDIS_URL } }\n  encryption_keys: [{ file: key }]\n",
      { workspace, entry: bundle.file, env: { REDIS_URL: redis.url } },
    );
    await pillion.logged("store_connected");
  });

  it("keep sessions in SQLite", async () => {
    const workspace = createWorkspace();
    workspace.write("key", Buffer.alloc(32, 7).toString("base64"));
    await using pillion = await serve("store: { sqlite: sessions.db, encryption_keys: [{ file: key }] }\n", {
      workspace,
      entry: bundle.file,
    });
    expect((await send(`${pillion.adminOrigin}/readyz`)).status).toBe(200);
    expect(readFileSync(workspace.path("sessions.db"), "latin1")).toMatch(/^SQLite format 3/);
  });

  it("speak HTTP/2 to an upstream", async () => {
    const workspace = createWorkspace();
    const { caFile, server } = createCertificates(workspace.path("tls"));
    await using upstream = await startHttp2Upstream(
      { cert: readFileSync(server.certFile), key: readFileSync(server.keyFile) },
      (stream) => {
        stream.respond({ ":status": 200 });
        stream.end("by HTTP/2");
      },
    );
    await using pillion = await serve(
      `routes:\n  - { name: main, path: /, upstream: "${upstream.origin.href}", credential: none, http2: true, tls: { ca: ${JSON.stringify(caFile)} } }\n`,
      { workspace, entry: bundle.file },
    );
    const { status, body } = await send(`${pillion.origin}/anything`);
    expect({ status, body: String(body) }).toEqual({ status: 200, body: "by HTTP/2" });
    expect(upstream.requests).toHaveLength(1);
  });

  /** Its functions reach the browser as their own text, which a bundler renames where two modules have one of a name. */
  it("show the status page, whose script and style are those that its policy allows", async () => {
    await using pillion = await serve("log: { level: info }\n", { entry: bundle.file });
    const { status, headers, text } = await send(`${pillion.adminOrigin}/`);
    expect(status).toBe(200);
    const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(text) ?? [];
    const [, script = ""] = /<script type="module">([\s\S]*?)<\/script>/.exec(text) ?? [];
    const hash = (content: string): string =>
      `'sha256-${createHash("sha256").update(content).digest("base64")}'`;
    expect(String(headers["content-security-policy"]).split("; ")).toEqual(
      expect.arrayContaining([`script-src ${hash(script)}`, `style-src ${hash(style)}`]),
    );
    expect(() => new Script(script)).not.toThrow();
    // A name that two modules have is numbered, where it is declared and where it is called.
    const declared = [...script.matchAll(/^function (\w+)\(/gm)].map(([, name = ""]) => name);
    const names = FUNCTIONS.map(({ name }) => name);
    expect(declared.map((name) => name.replace(/\d+$/, ""))).toEqual(["__name", ...names]);
    const called = script.matchAll(new RegExp(`(?<![.\\w])(?:${names.join("|")})\\d*(?=\\()`, "g"));
    const known = new Set([...script.matchAll(/\b(?:function|const|let) (\w+)/g)].map(([, name]) => name));
    expect([...called].map(([name]) => name).filter((name) => !known.has(name))).toEqual([]);
    const [, carried = ""] = /<script type="application\/json" id="status">(.*?)<\/script>/.exec(text) ?? [];
    expect(JSON.parse(carried)).toMatchObject({ ready: true, version: expect.stringMatching(/^\d/) });
  });

  it("run the emulator", async () => {
    const ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--port", "0"];
    await using dev = spawnPillion(["dev", "--ephemeral", ...ports], { entry: bundle.file });
    const [, url = ""] = await dev.printed(/curl '(http:\S+\/zocdoc\/\S+)'/);
    expect((await send(url)).status).toBe(200);
  });
});

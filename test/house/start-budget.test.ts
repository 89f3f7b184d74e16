import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { buildBundle } from "../support/built-bundle.ts";

/** What a process loaded: modules of the bundle by their path, and Node's own. */
interface Loaded {
  readonly modules: readonly string[];
  readonly builtins: readonly string[];
}

const bundle = buildBundle();
afterAll(() => bundle.remove());

/** esbuild's two wrappers, in which a module waits until it is first asked for. */
const WRAPPERS = [
  { head: "function __init(){", waits: "fn" },
  { head: "function __require2(){", waits: "!mod&&cb" },
];

const REPORT = `globalThis.evaluated=[];process.on("exit",()=>process.stderr.write("LOADED "+JSON.stringify({modules:globalThis.evaluated,builtins:process.moduleLoadList})+"\\n"));`;

/** The bundle as it is, but that it says in the end what of it was evaluated. */
function instrumented(): string {
  let { text } = bundle;
  for (const { head, waits } of WRAPPERS) {
    if (text.split(head).length !== 2)
      throw new Error(`esbuild has other wrappers now; this looks for ${head}`);
    text = text.replace(
      head,
      `${head}{const waiting=${waits};if(waiting)globalThis.evaluated.push(Object.keys(waiting)[0])}`,
    );
  }
  const file = join(bundle.directory, "instrumented.js");
  writeFileSync(file, text.replace("\n", `\n${REPORT}\n`));
  return file;
}

function loaded(stderr: string): Loaded {
  const line = /^LOADED (.*)$/m.exec(stderr)?.[1];
  if (line === undefined) throw new Error(`nothing was reported:\n${stderr}`);
  return JSON.parse(line) as Loaded;
}

const file = instrumented();
const configuration = join(bundle.directory, "pillion.yaml");
writeFileSync(
  configuration,
  `listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: { format: json }
credentials:
  main:
    provider: oauth2
    token_url: http://127.0.0.1:9/token
    client_id: client
    client_secret: { env: CLIENT_SECRET }
routes:
  - { name: main, path: /api/, upstream: "https://127.0.0.1:9/", credential: main }
`,
);

async function served(): Promise<Loaded> {
  const child = spawn(process.execPath, [file, "run", "-c", configuration], {
    env: { CLIENT_SECRET: "not-a-secret" },
  });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  await once(child, "close");
  return loaded(stderr);
}

function commanded(...args: string[]): Loaded {
  const env = { PILLION_ADMIN: "127.0.0.1:9" };
  return loaded(spawnSync(process.execPath, [file, ...args], { encoding: "utf8", env }).stderr);
}

const matching = (names: readonly string[], pattern: RegExp): readonly string[] =>
  names.filter((name) => pattern.test(name));

describe("the size of the bundle", () => {
  it("is at most 2.1 MB: what is larger is read, and kept, at every start", () => {
    expect(bundle.text.length).toBeLessThan(2_100_000);
  });
});

describe("what `run` with one machine credential loads", async () => {
  const { modules, builtins } = await served();

  it("is what serves", () => {
    expect(modules).toContain("src/sidecar.ts");
    expect(modules).toContain("src/config/parse.ts");
    expect(matching(builtins, /^NativeModule https?$/)).not.toEqual([]);
  });

  it.each([
    ["the emulator", /^src\/emulator\//],
    ["SQLite and Redis", /^src\/store\/.*(sqlite|redis)|node_modules\/@redis\//],
    ["explain and doctor", /^src\/(explanation|diagnosis)\//],
    [
      "another command",
      /^cmd\/(check|completion|dev|doctor|emulate|explain|healthcheck|init|schema|token)\b/,
    ],
    ["lines for a terminal", /pino-pretty|pretty-destination/],
    ["zod's messages in other languages", /zod\/v4\/locales\/(?!en\.|index\.)/],
    ["undici beyond its connector", /undici\/(?!lib\/(core|util)\/)/],
  ])("is nothing of %s", (_what, pattern) => {
    expect(matching(modules, pattern)).toEqual([]);
  });

  it("is nothing of Node that it may never use", () => {
    const unused = /undici|^NativeModule (assert|http2|sqlite|readline|tls|internal\/http2\/)/;
    expect(matching(builtins, unused)).toEqual([]);
  });
});

describe("short commands", () => {
  it("version loads the command line alone", () => {
    const { modules } = commanded("version");
    expect(matching(modules, /^src\//)).toEqual(
      expect.arrayContaining(["src/config/fault.ts", "src/core/units.ts"]),
    );
    expect(matching(modules, /^src\//).length).toBeLessThanOrEqual(5);
    expect(matching(modules, /zod|yaml|undici|pino|prom-client/)).toEqual([]);
  });

  it("healthcheck, which runs every few seconds, loads neither the schema nor what serves", () => {
    const { modules } = commanded("healthcheck");
    expect(modules).toContain("cmd/healthcheck.ts");
    expect(
      matching(modules, /zod|undici|pino|prom-client|^src\/(proxy|token|session|store|admin)\//),
    ).toEqual([]);
  });
});

import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CommandError } from "../../cmd/exit-code.ts";
import { type InitOptions, init } from "../../cmd/init.ts";
import { type RawAnswers, readAnswers } from "../../cmd/init-answers.ts";
import { initialConfiguration } from "../../cmd/init-text.ts";
import { formatFault } from "../../src/config/fault.ts";
import { systemFiles } from "../../src/config/files.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { createSidecar } from "../../src/index.ts";
import { providers } from "../../src/provider/index.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pillion-init-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
}

/** `typed` stands for a person at a terminal. */
async function run(
  options: Partial<InitOptions>,
  typed?: string,
  configVariable?: string,
): Promise<Ran & { readonly asked: string }> {
  let stdout = "";
  let stderr = "";
  let asked = "";
  const input = new PassThrough();
  const output = new PassThrough().on("data", (chunk: Buffer) => {
    asked += chunk.toString();
  });
  if (typed !== undefined) input.end(typed);
  await init(
    { output: join(directory, "pillion.yaml"), force: false, ...options },
    {
      terminal: typed === undefined ? undefined : { input, output, interrupt() {} },
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      configVariable,
    },
  );
  return { stdout, stderr, asked };
}

function faultsOf(text: string): readonly string[] {
  const options = { file: "pillion.yaml", directory, providers, env: {}, files: systemFiles };
  const { faults, warnings } = parseConfig(text, options);
  return [...faults, ...warnings].map(formatFault);
}

const URL_OF = {
  oauth2: { tokenUrl: "https://id.example.com/token", upstream: "https://api.example.com/v1/" },
};

describe("every combination of answers", () => {
  const tenant = fc.oneof(
    fc.constantFrom("isb", "null", "true", "1001", "1e3", "0x1f", "a.b", "a-b", "A.B", "yes", "no"),
    fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
  );
  const path = fc.constantFrom(
    undefined,
    "/",
    "/a",
    "/a/b/",
    "/%7e/",
    "/#no/",
    "/yes: no/",
    "/'a\"/",
    "/null/",
  );
  const answers = fc.record(
    {
      provider: fc.constantFrom("zocdoc" as const, "qmatic" as const, "oauth2" as const, "static" as const),
      secrets: fc.constantFrom("env" as const, "file" as const),
      tenants: fc
        .uniqueArray(tenant, { maxLength: 4, comparator: "IsStrictlyEqual" })
        .map((all) => all.join(",")),
      path,
      header: fc.constantFrom(undefined, "X-Key", "Authorization"),
    },
    { requiredKeys: ["provider"] },
  );

  it("gives a configuration that check accepts without a word, or is refused with one", () => {
    let accepted = 0;
    fc.assert(
      fc.property(answers, ({ provider, header, ...others }) => {
        const raw = {
          provider,
          ...others,
          ...(provider === "oauth2" ? URL_OF.oauth2 : {}),
          ...(provider === "static" ? { upstream: URL_OF.oauth2.upstream, header } : {}),
        } as RawAnswers;
        let read: ReturnType<typeof readAnswers>;
        try {
          read = readAnswers(raw);
        } catch (error) {
          expect(error).toBeInstanceOf(CommandError);
          return;
        }
        accepted += 1;
        const { text, needed } = initialConfiguration(read);
        expect(faultsOf(text)).toEqual([]);
        expect(new Set(needed.map(({ where }) => where)).size).toBe(needed.length);
      }),
      { numRuns: 400 },
    );
    expect(accepted).toBeGreaterThan(100);
  });
});

describe("what is written serves, once its secrets are in place", () => {
  let api: Server;
  let apiOrigin: string;
  let emulator: Emulator;
  beforeAll(async () => {
    api = createServer((request, response) => {
      const basic = `Basic ${Buffer.from("the-id:the-secret").toString("base64")}`;
      const { authorization } = request.headers;
      response.setHeader("content-type", "application/json");
      if (request.url === "/token") {
        response.statusCode = authorization === basic ? 200 : 401;
        response.end('{"access_token":"a-token","token_type":"Bearer","expires_in":3600}');
        return;
      }
      const isIn = authorization === "Bearer a-token" || request.headers["x-api-key"] === "the-value";
      response.writeHead(isIn ? 200 : 401).end("{}");
    });
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    apiOrigin = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  });
  afterAll(() => api.close());
  // A new one each time, since it takes one token request a second.
  beforeEach(async () => {
    emulator = createEmulator({ port: 0 });
    await emulator.start();
  });
  afterEach(() => emulator.stop());

  type Api =
    | "zocdoc/sandbox"
    | "zocdoc/production"
    | "qmatic/eu-west-1"
    | "qmatic/us-east-1"
    | "oauth2"
    | "static";

  function flagsOf(target: Api): RawAnswers {
    if (target === "oauth2")
      return { provider: "oauth2", tokenUrl: `${apiOrigin}/token`, upstream: apiOrigin };
    if (target === "static") return { provider: "static", upstream: apiOrigin };
    const { tokenUrl, apiUrl } = emulator.endpoints[target];
    const standIns = { tokenUrl, upstream: apiUrl };
    const [provider, place] = target.split("/");
    if (provider === "qmatic")
      return { provider, ...(place === "us-east-1" ? { region: place } : {}), ...standIns };
    return { provider: "zocdoc", ...(place === "production" ? { environment: place } : {}), ...standIns };
  }

  function secretFor(what: string, target: Api): string {
    const client = emulator.clients.find(({ service }) => service === target);
    if (what.startsWith("the header's value")) return "the-value";
    if (what.startsWith("the client's id")) return client?.clientId ?? "the-id";
    return client?.clientSecret ?? "the-secret";
  }

  const OPERATION = { zocdoc: "v1/providers?npis=9000000001", qmatic: "services", oauth2: "x", static: "x" };
  const cases = (
    [
      ["zocdoc/sandbox", "isb,riverside"],
      ["zocdoc/production", ""],
      ["zocdoc/production", "only"],
      ["zocdoc/sandbox", ""],
      ["qmatic/eu-west-1", "isb=1001,other=x"],
      ["qmatic/us-east-1", "harbor=2001"],
      ["oauth2", ""],
      ["oauth2", "a.b,a-b"],
      ["static", ""],
      ["static", "first,second"],
    ] as const
  ).flatMap(([target, tenants]) =>
    (["env", "file"] as const).flatMap((secrets) =>
      [undefined, "/my/api"].map((path) => [target, tenants, secrets, path] as const),
    ),
  );

  it.each(cases)("%s, tenants %j, secrets in %s, path %s", async (target, tenants, secrets, path) => {
    const flags = { ...flagsOf(target), tenants, secrets, ...(path === undefined ? {} : { path }) };
    const { stdout } = await run(flags);
    const configFile = join(directory, "pillion.yaml");
    const { needed } = initialConfiguration(readAnswers(flags));
    const env: Record<string, string> = { PILLION_LISTEN: "127.0.0.1:0", PILLION_ADMIN: "127.0.0.1:0" };
    for (const { where, what } of needed) {
      expect(stdout).toContain(where);
      if (secrets === "env") env[where] = secretFor(what, target);
      else {
        mkdirSync(dirname(join(directory, where)), { recursive: true });
        writeFileSync(join(directory, where), `${secretFor(what, target)}\n`);
      }
    }
    // The emulated client of that region was given two scopes of the three.
    const written = readFileSync(configFile, "utf8");
    if (target === "qmatic/us-east-1")
      writeFileSync(configFile, written.replace("book, reschedule,", "book,"));
    await using sidecar = createSidecar({ configFile, env });
    const { listen } = await sidecar.start();
    const prefix = path === undefined ? `/${/^ {2}- name: (\w+)$/m.exec(written)?.[1]}/` : `${path}/`;
    const first = tenants === "" ? "" : `${tenants.split(/[,=]/)[0]}/`;
    const response = await fetch(`http://${listen}${prefix}${first}${OPERATION[flags.provider]}`);
    expect([response.status, await response.text()]).toEqual([200, expect.anything()]);
  });
});

describe("the file", () => {
  it("is not overwritten, unless that is said", async () => {
    const file = join(directory, "pillion.yaml");
    writeFileSync(file, "mine");
    await expect(run({ provider: "zocdoc" })).rejects.toThrow(
      `${file} is there already; --force overwrites it`,
    );
    expect(readFileSync(file, "utf8")).toBe("mine");
    const asked = await run({}, "\n\n\n\n").catch((error: unknown) => error);
    expect(asked).toMatchObject({ message: expect.stringContaining("is there already") });
    await run({ provider: "zocdoc", force: true });
    expect(readFileSync(file, "utf8")).toContain("provider: zocdoc");
  });

  it("goes to standard output for -, and everything else elsewhere", async () => {
    const { stdout, stderr } = await run({ provider: "zocdoc", output: "-" });
    expect(faultsOf(stdout)).toEqual([]);
    expect(stderr).toMatch(/^Next:/);
  });

  it("lies in a folder that is there", async () => {
    await expect(run({ provider: "zocdoc", output: join(directory, "no/where.yaml") })).rejects.toThrow(
      "no such file or directory",
    );
  });

  it("is named in the next steps where `run` would look for another one", async () => {
    const named = await run({ provider: "zocdoc", output: join(directory, "my file.yaml") });
    expect(named.stdout).toContain(`pillion check -c '${join(directory, "my file.yaml")}'`);
    const elsewhere = await run({ provider: "zocdoc", force: true }, undefined, "/etc/pillion/pillion.yaml");
    expect(elsewhere.stdout).toContain(`pillion run -c ${join(directory, "pillion.yaml")}`);
  });

  it("is left alone when it cannot be written", async () => {
    const file = join(directory, "pillion.yaml");
    mkdirSync(file);
    chmodSync(directory, 0o700);
    await expect(run({ provider: "zocdoc", force: true })).rejects.toThrow("it is a directory");
  });
});

describe("flags", () => {
  it.each([
    [{}, "say which API: --provider zocdoc, qmatic, oauth2 or static"],
    [{ path: "/x/" }, "say which API"],
    [{ provider: "qmatic" }, "--tenants: name at least one tenant"],
    [{ provider: "qmatic", tenants: "a b,a" }, "--tenants: a tenant is named twice"],
    [{ provider: "zocdoc", tenants: "ok,../x" }, '--tenants: not a tenant\'s name: "../x"'],
    [{ provider: "zocdoc", tenants: "isb=1001" }, "ids of tenants are for qmatic only; write isb"],
    [{ provider: "qmatic", tenants: "isb=" }, "isb= lacks the tenant's id"],
    [{ provider: "zocdoc", path: "zocdoc" }, "--path: must begin with /"],
    [
      { provider: "zocdoc", path: "/x/{tenant}/" },
      "--path: {tenant} is for several tenants, and there are none",
    ],
    [{ provider: "zocdoc", path: "/.pillion/" }, "--path: /.pillion is reserved"],
    [{ provider: "zocdoc", region: "eu-west-1" }, "--region is for --provider qmatic only"],
    [
      { provider: "qmatic", environment: "sandbox", tenants: "a" },
      "--environment is for --provider zocdoc only",
    ],
    [{ provider: "zocdoc", header: "X" }, "--header is for --provider static only"],
    [{ provider: "oauth2" }, "--token-url is missing"],
    [{ provider: "oauth2", tokenUrl: "https://a/" }, "--upstream is missing"],
    [
      { provider: "oauth2", tokenUrl: "id.example.com", upstream: "https://a/" },
      "--token-url: expected a URL that begins with https://",
    ],
    [{ provider: "oauth2", tokenUrl: "https://a/", upstream: "http://api.example.com/" }, "--upstream: "],
    [{ provider: "static", upstream: "https://a/", header: "Host" }, "--header: cannot be Host"],
    [
      { provider: "static", upstream: "https://a/", tokenUrl: "https://a/" },
      "--token-url is not for --provider static",
    ],
  ] as [Partial<InitOptions>, string][])("%j: %s", async (flags, message) => {
    const error = await run(flags).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CommandError);
    expect(error).toMatchObject({ message: expect.stringContaining(message), exitCode: 2 });
    expect(existsSync(join(directory, "pillion.yaml"))).toBe(false);
  });
});

describe("questions", () => {
  it("are four, and Enter takes what is in brackets", async () => {
    const { asked } = await run({}, "\n\n\n\n");
    expect(asked.match(/\d\. /g)).toHaveLength(4);
    const text = readFileSync(join(directory, "pillion.yaml"), "utf8");
    expect(text).toContain("environment: sandbox");
    expect(faultsOf(text)).toEqual([]);
  });

  it("are asked again where an answer cannot be right", async () => {
    const { asked } = await run({}, "9\n4\n\nharbor\nqmatic\n/q/\nfiles\nfile\n");
    expect(asked).toContain("expected a number from 1 to 6");
    expect(asked).toContain("name at least one tenant");
    expect(asked).toContain("must begin with /");
    expect(asked).toContain("expected env or file");
    const text = readFileSync(join(directory, "pillion.yaml"), "utf8");
    expect(text).toContain("region: us-east-1");
    expect(text).toContain("path: /q/{tenant}/");
  });

  it.each([
    [
      "5\nhttps://id.example.com/token\nhttps://api.example.com/\n\n\n\n",
      "token_url: https://id.example.com/token",
    ],
    ["6\n\nhttps://api.example.com/\n\n\n\n", "header: X-API-Key"],
  ])("ask for the addresses of an API that is not known", async (typed, line) => {
    await run({}, typed);
    expect(readFileSync(join(directory, "pillion.yaml"), "utf8")).toContain(line);
  });

  it("end with nothing written when the person leaves", async () => {
    await expect(run({}, "1\n")).rejects.toThrow("ended before the last answer; nothing was written");
    expect(existsSync(join(directory, "pillion.yaml"))).toBe(false);
  });

  it("end at Ctrl-C as any command does, with nothing written", async () => {
    let shown = "";
    const input = new PassThrough();
    // Only of a terminal is Ctrl-C read as a key.
    const output = Object.assign(new PassThrough(), { isTTY: true });
    output.on("data", (chunk: Buffer) => {
      shown += chunk.toString();
    });
    const shownAtTheEnd = new Promise<string>((resolve) => {
      const terminal = { input, output, interrupt: () => setImmediate(() => resolve(shown)) };
      const options = { output: join(directory, "pillion.yaml"), force: false };
      // A process would be gone before this ends.
      init(options, { terminal, stdout: output, stderr: output, configVariable: undefined }).catch(() => {});
    });
    input.write("1\r\u0003");
    expect(await shownAtTheEnd).toMatch(/Which API.*\nNothing was written\.\n/s);
    expect(existsSync(join(directory, "pillion.yaml"))).toBe(false);
  });
});

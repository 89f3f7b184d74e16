import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { describe as describeEmulator } from "../../src/emulator/describe.ts";
import { devConfiguration } from "../../src/emulator/dev-configuration.ts";
import { PASSWORD, USERS } from "../../src/emulator/users.ts";
import { type Bench, startBench } from "./harness.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.emulator.stop());

describe("the built-in configuration of dev", () => {
  it.each(["127.0.0.1:8080", "[::1]:0", "unix:/run/pillion.sock"])("listens on %s", (listen) => {
    const { text } = devConfiguration(bench.emulator, { listen, admin: "127.0.0.1:0" });
    expect(parse(text)).toMatchObject({ listen, admin: "127.0.0.1:0", log: { format: "pretty" } });
  });

  it("leads every route and credential to the emulator", () => {
    const { text } = devConfiguration(bench.emulator, { listen: "127.0.0.1:0", admin: "127.0.0.1:0" });
    const { credentials, routes } = parse(text);
    const urls = [
      ...[credentials.zocdoc.token_url, credentials.zocdoc.api_url, credentials.qmatic.token_url],
      ...["authorize_url", "token_url", "revocation_url", "api_url"].map(
        (key) => credentials["zocdoc-user"][key] as string,
      ),
      credentials["zocdoc-anonymous"].api_url,
      ...routes.flatMap(({ upstream }: { upstream?: string }) => (upstream === undefined ? [] : [upstream])),
    ];
    for (const url of urls) expect(url.startsWith(`${bench.emulator.origin}/`)).toBe(true);
    expect(routes.map((route: { path: string }) => route.path)).toEqual([
      "/zocdoc/",
      "/zocdoc-anonymous/",
      "/zocdoc-user/",
      "/demo/",
      "/qmatic/{tenant}/",
      "/appointments/",
    ]);
    expect(Object.keys(credentials.qmatic.tenants)).toEqual(["isb", "riverside"]);
  });

  it("keeps sessions where it is told, and otherwise in memory", () => {
    const addresses = { listen: "127.0.0.1:0", admin: "127.0.0.1:0" };
    const store = { file: "/var/lib/a b/dev.sqlite", keyFile: "/var/lib/a b/dev.key" };
    expect(parse(devConfiguration(bench.emulator, { ...addresses, store }).text).store).toEqual({
      sqlite: store.file,
      encryption_keys: [{ file: store.keyFile }],
    });
    expect(parse(devConfiguration(bench.emulator, addresses).text)).not.toHaveProperty("store");
  });

  it("says where browsers come in when it listens on a socket that they cannot reach", () => {
    const { text } = devConfiguration(bench.emulator, { listen: "unix:/run/p.sock", admin: "127.0.0.1:0" });
    expect(parse(text).session).toEqual({ public_url: "http://localhost:8080" });
  });

  it("writes no secret out, and gives the value of every variable it names", () => {
    const { text, env } = devConfiguration(bench.emulator, { listen: "127.0.0.1:0", admin: "127.0.0.1:0" });
    const named = [...text.matchAll(/client_secret: \{ env: (\w+) \}/g)].map((match) => match[1]);
    expect(named.sort()).toEqual(Object.keys(env).sort());
    expect(text).not.toMatch(/fake-/);
    const secrets = bench.emulator.clients.map(({ clientSecret }) => clientSecret);
    for (const value of Object.values(env)) expect(secrets).toContain(value);
  });
});

describe("what emulate prints", () => {
  it("holds every address and every credential", () => {
    const text = describeEmulator(bench.emulator);
    for (const { tokenUrl, apiUrl } of Object.values(bench.emulator.endpoints)) {
      expect(text).toContain(tokenUrl);
      expect(text).toContain(apiUrl);
    }
    for (const { clientId, clientSecret } of bench.emulator.clients) {
      expect(text).toMatch(new RegExp(`${clientId} +${clientSecret} `));
    }
    for (const { clientId } of bench.emulator.userClients) expect(text).toContain(` ${clientId} `);
    for (const redirectUri of bench.emulator.redirectUris) expect(text).toContain(`    ${redirectUri}\n`);
    for (const { email } of USERS) expect(text).toContain(`  ${email}\n`);
    expect(text).toContain(PASSWORD);
  });

  it("ends with a configuration that can be copied", () => {
    const text = describeEmulator(bench.emulator);
    expect(parse(text.slice(text.indexOf("listen:"))).credentials.zocdoc.provider).toBe("zocdoc");
    expect(text).toContain("export QMATIC_ISB_CLIENT_SECRET=fake-qmatic-isb-secret");
  });
});

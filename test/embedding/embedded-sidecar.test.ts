import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { EmulatedClient } from "../../src/emulator/clients.ts";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import {
  ConfigError,
  createSidecar,
  type EmbeddedSidecar,
  type LogFields,
  type SidecarOptions,
} from "../../src/index.ts";

let emulator: Emulator;
let client: EmulatedClient;
let env: Record<string, string>;
let directory: string;
const made: EmbeddedSidecar[] = [];

beforeAll(async () => {
  emulator = createEmulator({ port: 0 });
  await emulator.start();
  client = emulator.clients.find(({ name }) => name === "zocdoc-sandbox") as EmulatedClient;
  env = { SECRET: client.clientSecret };
});
afterAll(() => emulator.stop());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pillion-embedded-"));
});
afterEach(async () => {
  await Promise.all(made.splice(0).map((each) => each.stop()));
  rmSync(directory, { recursive: true });
});

function make(options: SidecarOptions): EmbeddedSidecar {
  const sidecar = createSidecar(options);
  made.push(sidecar);
  return sidecar;
}

function configuration(path = "/zocdoc/", secret: unknown = { env: "SECRET" }): Record<string, unknown> {
  const { tokenUrl, apiUrl } = emulator.endpoints["zocdoc/sandbox"];
  return {
    listen: "127.0.0.1:0",
    admin: "127.0.0.1:0",
    credentials: {
      zocdoc: {
        provider: "zocdoc",
        environment: "sandbox",
        client_id: client.clientId,
        client_secret: secret,
        token_url: tokenUrl,
        api_url: apiUrl,
      },
    },
    routes: [{ name: "zocdoc", path, credential: "zocdoc" }],
  };
}

async function status(listen: string, path = "/zocdoc/"): Promise<number> {
  const response = await fetch(`http://${listen}${path}v1/providers?npis=9000000001`);
  await response.arrayBuffer();
  return response.status;
}

function faultsOf(act: () => unknown): ConfigError["faults"] {
  try {
    act();
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe("an embedded sidecar", () => {
  it("serves an object", async () => {
    const { listen, admin } = await make({ config: configuration(), env }).start();
    expect(await status(listen)).toBe(200);
    expect(await (await fetch(`http://${admin}/metrics`)).text()).toContain("pillion_build_info{version=");
  });

  it("serves a text, whose secret files lie in `directory`", async () => {
    writeFileSync(join(directory, "secret"), client.clientSecret);
    const configText = JSON.stringify(configuration("/zocdoc/", { file: "secret" }));
    const { listen } = await make({ configText, directory }).start();
    expect(await status(listen)).toBe(200);
  });

  it("serves a file, whose secret files lie beside it, and reads it again", async () => {
    const configFile = join(directory, "pillion.yaml");
    writeFileSync(join(directory, "secret"), client.clientSecret);
    const write = (path: string): void =>
      writeFileSync(configFile, JSON.stringify(configuration(path, { file: "secret" })));
    write("/zocdoc/");
    const sidecar = make({ configFile });
    const { listen } = await sidecar.start();
    write("/moved/");
    sidecar.reload();
    expect(await status(listen, "/moved/")).toBe(200);
    expect(await status(listen, "/zocdoc/")).toBe(404);
  });

  it("takes another configuration, and keeps the one it has when that is wrong", async () => {
    const sidecar = make({ config: configuration(), env });
    const { listen } = await sidecar.start();
    sidecar.reload({ config: configuration("/moved/") });
    expect(await status(listen, "/moved/")).toBe(200);
    expect(faultsOf(() => sidecar.reload({ config: { routes: "none" } }))).not.toEqual([]);
    expect(await status(listen, "/moved/")).toBe(200);
    sidecar.reload();
    expect(await status(listen, "/moved/")).toBe(200);
  });

  it("tells its events to the logger that is handed in", async () => {
    const events: [string, LogFields | undefined][] = [];
    const note = (event: string, fields?: LogFields): void => void events.push([event, fields]);
    const log = { error: note, warn: note, info: note, debug: note };
    const addresses = await make({ config: configuration(), env, log }).start();
    expect(events).toContainEqual(["listening", addresses]);
  });
});

describe("a wrong configuration", () => {
  it("is a ConfigError with every fault and its place", () => {
    const faults = faultsOf(() => make({ config: { listn: "127.0.0.1:0", drain: { delay: 30 } } }));
    expect(faults).toMatchObject([
      { file: "config", path: "listn", message: 'unknown key (did you mean "listen"?)' },
      { file: "config", path: "drain.delay", line: 4, message: expect.stringContaining("write 30s") },
    ]);
  });

  it("is one whose secret is not there, named where it is referred to", () => {
    const faults = faultsOf(() => make({ config: configuration() }));
    expect(faults).toMatchObject([{ path: "credentials.zocdoc.client_secret" }]);
    expect(faults[0]?.line).toBeGreaterThan(1);
  });

  it("is none at all, or two at once", () => {
    const words = "give exactly one of config, configText and configFile";
    expect(() => make({} as SidecarOptions)).toThrow(words);
    expect(() => make({ configText: "", configFile: "pillion.yaml" })).toThrow(words);
  });

  it("is a file that is not there", () => {
    const configFile = join(directory, "missing.yaml");
    expect(() => make({ configFile })).toThrow(/cannot read the configuration .*missing\.yaml/);
  });
});

describe("the life of an embedded sidecar", () => {
  it("ends with its block", async () => {
    let listen: string;
    {
      await using sidecar = createSidecar({ config: configuration(), env });
      ({ listen } = await sidecar.start());
    }
    await expect(status(listen)).rejects.toThrow();
  });

  it("may be stopped before it began, and more than once; it does not begin again", async () => {
    const sidecar = make({ config: configuration(), env });
    await sidecar.stop();
    await sidecar.stop();
    await expect(sidecar.start()).rejects.toThrow("a sidecar is started once");
  });

  it("drains once, whoever asks, and says what was cut", async () => {
    const sidecar = make({ config: configuration(), env });
    const { listen } = await sidecar.start();
    expect(await Promise.all([sidecar.drain(), sidecar.drain()])).toEqual([0, 0]);
    await sidecar.stop();
    await expect(status(listen)).rejects.toThrow();
  });

  it("rejects with Node's error when its address is taken, and can be stopped then", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    const sidecar = make({ config: { ...configuration(), listen: `127.0.0.1:${port}` }, env });
    await expect(sidecar.start()).rejects.toMatchObject({ code: "EADDRINUSE" });
    await sidecar.stop();
    other.close();
  });

  it("leaves the process as it was: no signal handler, no environment, nothing on standard output", async () => {
    const signals = ["SIGTERM", "SIGINT", "SIGHUP", "uncaughtException", "exit"];
    const listeners = (): number[] => signals.map((signal) => process.listenerCount(signal));
    const before = listeners();
    const written: unknown[] = [];
    const write = process.stdout.write.bind(process.stdout);
    process.stdout.write = (chunk: unknown) => written.push(chunk) > 0;
    process.env["PILLION_LISTEN"] = "127.0.0.1:1";
    try {
      const sidecar = make({ config: configuration(), env });
      const { listen } = await sidecar.start();
      expect(await status(listen)).toBe(200);
      expect(listeners()).toEqual(before);
      await sidecar.stop();
    } finally {
      process.stdout.write = write;
      delete process.env["PILLION_LISTEN"];
    }
    expect(written).toEqual([]);
  });
});

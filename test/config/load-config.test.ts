import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError } from "../../src/config/fault.ts";
import { systemFiles } from "../../src/config/files.ts";
import { type LoadedConfig, loadConfig } from "../../src/config/load.ts";
import { providers } from "../../src/provider/index.ts";

let cwd = "";
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "pillion-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const load = (file: string): LoadedConfig =>
  loadConfig(file, { cwd, providers, env: {}, files: systemFiles });

function messageOf(file: string): string {
  try {
    load(file);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("no error");
}

describe("a configuration file", () => {
  it("is found from the working directory; its own paths start where it lies", () => {
    mkdirSync(join(cwd, "etc"));
    writeFileSync(join(cwd, "etc/pillion.yaml"), "access: { token: { file: secrets/token } }");
    const { config, warnings } = load("etc/pillion.yaml");
    expect(config.file).toBe(join(cwd, "etc/pillion.yaml"));
    expect(config.access.token).toEqual({ kind: "file", path: join(cwd, "etc/secrets/token") });
    expect(warnings).toHaveLength(1);
  });

  it("that is a link into a mounted ConfigMap keeps the place of the link", () => {
    mkdirSync(join(cwd, "..data"));
    writeFileSync(join(cwd, "..data/pillion.yaml"), "access: { token: { file: token } }");
    symlinkSync("..data/pillion.yaml", join(cwd, "pillion.yaml"));
    expect(load("pillion.yaml").config.access.token).toEqual({ kind: "file", path: join(cwd, "token") });
  });

  it("with faults: one line each, with the file as it was named", () => {
    writeFileSync(join(cwd, "a.yaml"), "lisen: x\ndrain: { delay: 3 }");
    expect(messageOf("./a.yaml").split("\n")).toEqual([
      './a.yaml:1:1 lisen: unknown key (did you mean "listen"?) [errors.md#unknown-key]',
      expect.stringMatching(/^\.\/a\.yaml:2:17 drain\.delay: expected a duration/),
    ]);
  });

  it.each([
    ["missing.yaml", "no such file or directory"],
    [".", "it is a directory"],
    ["binary.yaml", "it is not UTF-8 text"],
  ])("%s cannot be read: one line that says why and what to do", (file, reason) => {
    writeFileSync(join(cwd, "binary.yaml"), new Uint8Array([0xff, 0xfe, 0x00]));
    expect(messageOf(file)).toBe(
      `cannot read the configuration ${file}: ${reason}; name another file with --config FILE or PILLION_CONFIG`,
    );
  });

  it.each([
    ["EACCES", "permission denied"],
    ["ELOOP", "its symbolic links go in a circle"],
    ["EIO", "it cannot be read (EIO)"],
  ])("%s is put in words", (code, reason) => {
    const fail = (): never => {
      throw Object.assign(new Error("not shown"), { code });
    };
    const files = { readFile: fail, readDirectory: fail };
    const loading = (): LoadedConfig => loadConfig("a.yaml", { cwd, providers, env: {}, files });
    expect(loading).toThrow(`cannot read the configuration a.yaml: ${reason}; name`);
  });
});

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { projectDirectory, readProjectFile } from "../support/project.ts";

/** The flags of the image's entry point; what runs there has to run with them. */
function imageFlags(): readonly string[] {
  const entryPoint = /^ENTRYPOINT (\[.*\])$/m.exec(readProjectFile("Dockerfile"))?.[1] ?? "[]";
  return (JSON.parse(entryPoint) as string[]).filter((argument) => argument.startsWith("--"));
}

describe("the one-file bundle", () => {
  const outdir = mkdtempSync(join(tmpdir(), "pillion-bundle-"));
  const elsewhere = mkdtempSync(join(tmpdir(), "pillion-alone-"));
  afterAll(() => {
    rmSync(outdir, { recursive: true });
    rmSync(elsewhere, { recursive: true });
  });
  const built = spawnSync(process.execPath, ["esbuild.config.ts", "--outdir", outdir], {
    cwd: projectDirectory,
    encoding: "utf8",
  });
  const bundle = join(elsewhere, "pillion.js");
  if (built.status === 0) copyFileSync(join(outdir, "pillion.js"), bundle);
  const { version } = JSON.parse(readProjectFile("package.json")) as { version: string };

  it("builds without a warning", () => {
    expect({ status: built.status, stderr: built.stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("runs from an empty folder, where nothing is installed, with the flags of the image", () => {
    const run = spawnSync(process.execPath, [...imageFlags(), bundle, "version"], {
      cwd: elsewhere,
      encoding: "utf8",
    });
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: "" });
    expect(run.stdout).toContain(version);
  });

  it("is executable by itself", () => {
    expect(statSync(bundle).mode & 0o111).not.toBe(0);
    expect(readFileSync(bundle, "utf8").startsWith("#!/usr/bin/env node\n")).toBe(true);
  });

  it("is ASCII, of which V8 keeps one byte a character instead of two", () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
    const others = readFileSync(bundle, "utf8").match(/.{0,20}[^\x00-\x7f].{0,20}/g);
    expect(others).toBeNull();
  });

  it("refuses a Node that can be smuggled through, before anything else of it runs", () => {
    const source = `Object.defineProperty(process.versions, "node", { value: "24.18.0" });`;
    const run = spawnSync(
      process.execPath,
      ["--import", `data:text/javascript,${encodeURIComponent(source)}`, bundle, "version"],
      { cwd: elsewhere, encoding: "utf8" },
    );
    expect(run.stderr).toMatch(/^pillion: Node 24\.18\.0 [^\n]*\n$/);
    expect({ status: run.status, stdout: run.stdout }).toEqual({ status: 2, stdout: "" });
  });

  it("leaves the dependencies of the library entry outside", () => {
    const entry = readFileSync(join(outdir, "index.js"), "utf8");
    expect(entry).toMatch(/from "undici"/);
    expect(entry).toMatch(/export \{[^}]*createSidecar/s);
  });

  it("brings the licences of what is inside it", () => {
    const licences = readFileSync(join(outdir, "THIRD-PARTY-LICENSES.txt"), "utf8");
    for (const name of ["undici", "pino", "prom-client", "yaml", "zod", "commander", "lru-cache"]) {
      expect(licences).toMatch(new RegExp(`^${name} \\d`, "m"));
    }
    expect(licences).not.toContain("(no licence file in the package)");
  });
});

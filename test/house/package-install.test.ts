import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { projectDirectory, readProjectFile } from "../support/project.ts";

/** What stands in the guide is what is run and compiled. */
const examples = [...readProjectFile("docs/embedding.md").matchAll(/^```ts\n(.*?)^```/gms)].map(
  ([, text = ""]) => text,
);

const manifest = z
  .object({
    version: z.string(),
    bin: z.record(z.string(), z.string()),
    dependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(readProjectFile("package.json")));

const root = mkdtempSync(join(tmpdir(), "pillion-package-"));
const application = join(root, "application");
const modules = join(application, "node_modules");
afterAll(() => rmSync(root, { recursive: true }));

/** Builds beside the checkout, packs, and lays the package out as `npm install` does, without asking a registry. */
beforeAll(() => {
  const source = join(root, "source");
  mkdirSync(source);
  for (const entry of ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "config"])
    symlinkOrCopy(entry, source);
  const tool = (name: string): string => join(projectDirectory, "node_modules/.bin", name);
  const inProject = { cwd: projectDirectory, stdio: "ignore" } as const;
  execFileSync(process.execPath, ["esbuild.config.ts", "--outdir", join(source, "dist")], inProject);
  // Unchecked: faults of types are for `npm run types` to tell.
  const types = ["-p", "tsconfig.build.json", "--noCheck", "--outDir", join(source, "dist/types")];
  execFileSync(tool("tsc"), types, inProject);
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", root], {
    cwd: source,
    stdio: "ignore",
  });
  const [tarball = ""] = readdirSync(root).filter((name) => name.endsWith(".tgz"));
  const installed = join(modules, "pillion");
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", join(root, tarball), "--strip-components=1", "-C", installed]);
  for (const name of [...Object.keys(manifest.dependencies), "@types/node"]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(projectDirectory, "node_modules", name), join(modules, name));
  }
  mkdirSync(join(modules, ".bin"));
  for (const [name, file] of Object.entries(manifest.bin)) {
    symlinkSync(join("../pillion", file), join(modules, ".bin", name));
    chmodSync(join(installed, file), 0o755);
  }
  writeFileSync(join(application, "package.json"), '{ "private": true, "type": "module" }\n');
  for (const [index, text] of examples.entries())
    writeFileSync(join(application, `example-${index}.ts`), text);
}, 60_000);

/** npm packs no symbolic links; the files are few and small. */
function symlinkOrCopy(entry: string, directory: string): void {
  execFileSync("cp", ["-R", join(projectDirectory, entry), directory]);
}

function runExample(index: number): ReturnType<typeof spawnSync> {
  return spawnSync(process.execPath, [`example-${index}.ts`], {
    cwd: application,
    encoding: "utf8",
    timeout: 30_000,
  });
}

describe("the package, once it is installed", { timeout: 40_000 }, () => {
  it("has the command: npx pillion version", () => {
    const run = spawnSync("npx", ["--no-install", "pillion", "version"], {
      cwd: application,
      encoding: "utf8",
    });
    expect({ status: run.status, stdout: run.stdout }).toEqual({
      status: 0,
      stdout: `pillion ${manifest.version} (Node ${process.versions.node})\n`,
    });
  });

  it("brings types that a strict application compiles with: every example of docs/embedding.md", () => {
    expect(examples).toHaveLength(3);
    const compilerOptions = {
      target: "es2024",
      lib: ["es2024", "esnext.disposable"],
      module: "nodenext",
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      skipLibCheck: false,
    };
    const files = examples.map((_, index) => `example-${index}.ts`);
    writeFileSync(join(application, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const compiled = spawnSync(join(projectDirectory, "node_modules/.bin/tsc"), ["-p", application], {
      encoding: "utf8",
    });
    expect(compiled.stdout).toBe("");
    expect(compiled.status).toBe(0);
  });

  it("runs the example of a test to its end, and leaves nothing behind that keeps the process", () => {
    const run = runExample(1);
    expect({ status: run.status, stderr: run.stderr }).toEqual({ status: 0, stderr: "" });
  });

  it("says what is wrong in the words that the guide shows", () => {
    const run = runExample(2);
    const shown = /\/\/ (listn: .*)$/m.exec(examples[2] ?? "")?.[1];
    expect({ status: run.status, stdout: run.stdout }).toEqual({ status: 0, stdout: `${shown}\n` });
  });
});

/** The catalogue's row K08: what is installed, from where, and what of it runs on the way. */
import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { projectDirectory, projectFiles, readProjectFile } from "../support/project.ts";

const lockfile = z
  .object({
    packages: z.record(
      z.string(),
      z.object({
        resolved: z.string().optional(),
        link: z.boolean().optional(),
        integrity: z.string().optional(),
        hasInstallScript: z.boolean().optional(),
        dev: z.boolean().optional(),
      }),
    ),
  })
  .parse(JSON.parse(readProjectFile("package-lock.json")));
const locked = Object.entries(lockfile.packages).filter(([path]) => path !== "");

const manifest = z
  .object({
    dependencies: z.record(z.string(), z.string()),
    scripts: z.record(z.string(), z.string()),
    allowScripts: z.record(z.string(), z.boolean()),
  })
  .parse(JSON.parse(readProjectFile("package.json")));

describe("K08 the supply chain", () => {
  it("has an integrity hash for every package", () => {
    expect(locked.length).toBeGreaterThan(50);
    expect(locked.filter(([, { integrity }]) => !/^sha512-/.test(integrity ?? ""))).toEqual([]);
  });

  it("takes every package from the registry, none from a repository, an address or a file", () => {
    // Without `resolved` it is the registry's, whichever one is configured: the hash decides what is taken.
    const elsewhere = locked.filter(([, { resolved, link }]) => resolved !== undefined || link === true);
    expect(elsewhere.map(([path]) => path)).toEqual([]);
  });

  it("runs install scripts of tools only, and only of those that are allowed by name", () => {
    const withScripts = locked.filter(([, { hasInstallScript }]) => hasInstallScript === true);
    const names = withScripts.map(([path]) => path.replace(/^.*node_modules\//, ""));
    const allowed = Object.entries(manifest.allowScripts).filter(([, yes]) => yes);
    expect(new Set(names)).toEqual(new Set(allowed.map(([name]) => name)));
    expect(withScripts.filter(([, { dev }]) => dev !== true)).toEqual([]);
  });

  it("runs nothing where Pillion itself is installed", () => {
    const own = ["preinstall", "install", "postinstall", "prepare"].filter(
      (name) => name in manifest.scripts,
    );
    expect(own).toEqual([]);
  });

  it.each(["cyclonedx", "spdx"])("can be written out as a bill of materials: %s", (format) => {
    // With `--omit=dev` npm leaves out what a tool wants too (yaml, an optional peer of vite), so all of it is listed.
    const text = execFileSync("npm", ["sbom", `--sbom-format=${format}`, "--package-lock-only"], {
      cwd: projectDirectory,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const named = z.array(z.object({ name: z.string() })).optional();
    const { components, packages } = z.object({ components: named, packages: named }).parse(JSON.parse(text));
    const names = (components ?? packages ?? []).map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)));
    expect(names.length).toBeGreaterThan(50);
  });
});

describe("K10 workflows", () => {
  it("there are none, so none has rights of its own; what is run elsewhere is .ci/run", () => {
    expect(projectFiles().filter((path) => /^\.(?:github|gitlab|circleci|buildkite)/.test(path))).toEqual([]);
    expect(readProjectFile(".ci/run")).toContain("npm ci");
  });
});

import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readProjectFile } from "../support/project.ts";

const versions = z.record(z.string(), z.string());
const manifest = z
  .object({ dependencies: versions, devDependencies: versions })
  .parse(JSON.parse(readProjectFile("package.json")));
const lockfile = z
  .object({
    lockfileVersion: z.literal(3),
    packages: z.record(
      z.string(),
      z.object({
        version: z.string().optional(),
        integrity: z.string().optional(),
        dependencies: versions.optional(),
        optionalDependencies: versions.optional(),
      }),
    ),
  })
  .parse(JSON.parse(readProjectFile("package-lock.json")));

const declared = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
const locked = Object.entries(lockfile.packages).filter(([path]) => path !== "");

describe("dependencies", () => {
  it.each(declared)("%s is pinned to exactly one version (%s), the one in the lockfile", (name, version) => {
    expect(version).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    expect(lockfile.packages[`node_modules/${name}`]?.version).toBe(version);
  });

  it("are all locked by a sha512 integrity hash", () => {
    expect(locked.length).toBeGreaterThan(declared.length);
    const unhashed = locked.filter(([, { integrity }]) => integrity?.startsWith("sha512-") !== true);
    expect(unhashed.map(([path]) => path)).toEqual([]);
  });

  it("are locked together with all that they ask for, on every platform, or `npm ci` would refuse the lockfile", () => {
    const names = new Set(locked.map(([path]) => path.replace(/^.*node_modules\//, "")));
    const asked = locked.flatMap(([, each]) =>
      Object.keys({ ...each.dependencies, ...each.optionalDependencies }),
    );
    expect(asked.length).toBeGreaterThan(declared.length);
    expect([...new Set(asked)].filter((name) => !names.has(name))).toEqual([]);
  });

  it("keep http-proxy, which smuggles requests, out of what is installed with Pillion", () => {
    expect(Object.keys(manifest.dependencies)).not.toContain("http-proxy");
  });
});

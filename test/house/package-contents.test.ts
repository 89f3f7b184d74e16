import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { projectDirectory } from "../support/project.ts";

/** What may be published. A new kind of file is added here on purpose, never by accident. */
const ALLOWED = [
  /^package\.json$/,
  /^(README|CHANGELOG|SECURITY)\.md$/,
  /^LICENSE$/,
  /^dist\/(pillion|index)\.js$/,
  /^dist\/THIRD-PARTY-LICENSES\.txt$/,
  /^dist\/types\/[\w/-]+\.d\.ts$/,
  /^config\/[\w/.-]+\.(yaml|yml|json|md|service)$/,
];

const packed = z.object({ files: z.array(z.object({ path: z.string() })) });

/** npm prints an array, since version 12 an object by package name. */
function packedFiles(output: string): readonly string[] {
  const results: unknown = JSON.parse(output);
  const [first] = Object.values(z.union([z.array(packed), z.record(z.string(), packed)]).parse(results));
  return first?.files.map((file) => file.path) ?? [];
}

describe("the published package", () => {
  const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: projectDirectory,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const files = packedFiles(output);

  it("holds its manifest, its licence and its schema", () => {
    expect(files).toEqual(expect.arrayContaining(["package.json", "LICENSE", "config/pillion.schema.json"]));
  });

  it("holds nothing that is not on the list: no sources, tests, secrets or local files", () => {
    expect(files.filter((file) => !ALLOWED.some((pattern) => pattern.test(file)))).toEqual([]);
  });
});

import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { buildBundle } from "../support/built-bundle.ts";
import { readProjectFile } from "../support/project.ts";

/** The arguments of Node in an instruction of the Dockerfile, without the program's own. */
function flagsOf(pattern: RegExp): readonly string[] {
  const command = pattern.exec(readProjectFile("Dockerfile"))?.[1] ?? "[]";
  return (JSON.parse(command) as string[]).filter((argument) => argument.startsWith("--"));
}

const bundle = buildBundle();
afterAll(() => bundle.remove());
const cache = join(bundle.directory, "compile-cache");
mkdirSync(cache);

function version(flags: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, bundle.file, "version"], {
    encoding: "utf8",
    env: { NODE_COMPILE_CACHE: cache, NODE_DEBUG_NATIVE: "COMPILE_CACHE" },
  });
  expect(status).toBe(0);
  return `${stdout}${stderr}`;
}

describe("the compile cache of the image", () => {
  const build = flagsOf(/^RUN (\["node".*"\/opt\/pillion\/pillion\.js", "version"\])$/m);
  version(build);

  it.each([
    ["the service", flagsOf(/^ENTRYPOINT (\[.*\])$/m)],
    ["the health check", flagsOf(/CMD (\[.*"healthcheck"\])$/m)],
  ])("is made with flags under which %s can use it", (_who, flags) => {
    expect(flags.length).toBeGreaterThan(0);
    expect(version(flags)).toMatch(/V8 code cache for ESM file:\S+pillion\.js was accepted/);
  });
});

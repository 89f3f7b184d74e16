import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Absolute path of the checkout. */
export const projectDirectory = resolve(import.meta.dirname, "../..");

export function readProjectFile(path: string): string {
  return readFileSync(join(projectDirectory, path), "utf8");
}

/** Paths of all files that are, or with the next commit would be, part of the project. */
export function projectFiles(): readonly string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: projectDirectory,
    encoding: "utf8",
  });
  const files = listed.split("\0").filter((path) => path !== "");
  return files.filter((path) => existsSync(join(projectDirectory, path)));
}

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectDirectory, projectFiles, readProjectFile } from "../support/project.ts";

/** Folders whose paths the documents name; anything else in back-ticks is code, a command or an upstream path. */
const FOLDERS = "cmd|src|config|test|bench|docs|\\.ci";
const BACKTICKED = new RegExp(`\`((?:${FOLDERS})/[\\w./{},*-]*)\``, "g");

/** `src/token/{a,b}.ts` → both; `src/proxy/*.ts` → the folder; a path as it is. */
function pathsNamedIn(text: string): readonly string[] {
  return [...text.matchAll(BACKTICKED)].flatMap(([, path = ""]) => {
    const braces = /^(.*)\{([^}]*)\}(.*)$/.exec(path);
    const [, before = "", choices = "", after = ""] = braces ?? [];
    const expanded =
      braces === null ? [path] : choices.split(",").map((choice) => before + choice.trim() + after);
    return expanded.map((each) => (each.includes("*") ? dirname(each) : each));
  });
}

describe("paths in back-ticks", () => {
  it("are found in running text, with braces and stars resolved", () => {
    const text =
      "See `src/core/`, `GET /v1/x`, `npm test` and `src/token/{a,b}.ts`, or `docs/decisions/*.md`.";
    expect(pathsNamedIn(text)).toEqual(["src/core/", "src/token/a.ts", "src/token/b.ts", "docs/decisions"]);
  });

  it("ARCHITECTURE.md names some", () => {
    expect(pathsNamedIn(readProjectFile("ARCHITECTURE.md")).length).toBeGreaterThan(5);
  });

  it.each(projectFiles().filter((file) => file.endsWith(".md")))("exist: %s", (document) => {
    // `dist/` is made by the build, so it is not asked for.
    const missing = pathsNamedIn(readProjectFile(document)).filter(
      (path) => !existsSync(join(projectDirectory, path)),
    );
    expect(missing).toEqual([]);
  });
});

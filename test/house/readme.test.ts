import { describe, expect, it } from "vitest";
import { welcome } from "../../cmd/dev.ts";
import { createProgram } from "../../cmd/program.ts";
import { formatFault } from "../../src/config/fault.ts";
import { systemFiles } from "../../src/config/files.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { providers } from "../../src/provider/index.ts";
import { projectDirectory, readProjectFile } from "../support/project.ts";

const readme = readProjectFile("README.md");

function blocks(language: string): readonly string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(
    ([, text = ""]) => text,
  );
}

describe("the README", () => {
  it("shows configurations that are valid", () => {
    const configurations = blocks("yaml");
    expect(configurations).not.toHaveLength(0);
    for (const text of configurations) {
      const { faults } = parseConfig(text, {
        file: "README.md",
        directory: projectDirectory,
        providers,
        env: {},
        files: systemFiles,
      });
      expect(faults.map(formatFault)).toEqual([]);
    }
  });

  it("shows the very lines to copy that `pillion dev` prints", () => {
    const printed = welcome({ listen: "127.0.0.1:8080", admin: "127.0.0.1:9090" }, "http://127.0.0.1:1");
    const lines = blocks("sh").flatMap((block) =>
      block.split("\n").filter((line) => line.startsWith("curl")),
    );
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(printed).toContain(`  ${line}\n`);
  });

  it("names npm scripts that exist", () => {
    const { scripts } = JSON.parse(readProjectFile("package.json")) as { scripts: Record<string, string> };
    const named = [...readme.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, name = ""]) => name);
    const known = new Set([...Object.keys(scripts), "ci"]);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  it("lists every command, and none that is not there", () => {
    const listed = [...readme.matchAll(/^\| `pillion ([a-z]+)/gm)].map(([, name]) => name);
    const commands = createProgram(() => {}).commands.map((command) => command.name());
    expect([...listed].sort()).toEqual([...commands].sort());
  });
});

import { describe, expect, it } from "vitest";
import { parseDocument } from "yaml";
import { formatFault } from "../../src/config/fault.ts";
import { systemFiles } from "../../src/config/files.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { providers } from "../../src/provider/index.ts";
import { type Fence, fencesOf } from "../support/markdown.ts";
import { projectDirectory, projectFiles, readProjectFile } from "../support/project.ts";

/** Marks YAML that is not one whole configuration of Pillion. */
const PART = "part";

const blocks = projectFiles()
  .filter((file) => /^(?:README|docs\/[\w-]+)\.md$/.test(file))
  .flatMap((file) => fencesOf(readProjectFile(file)).map((fence) => ({ ...fence, file })))
  .filter(({ language }) => language === "yaml");

/** As `pillion check` judges it: warnings count, since a reader would see them. */
function faultsOf({ text, line, file }: Fence & { readonly file: string }): readonly string[] {
  const { faults, warnings } = parseConfig(text, {
    file: `${file}, block at ${line}`,
    directory: projectDirectory,
    providers,
    env: {},
    files: systemFiles,
    checkOnly: true,
  });
  return [...faults, ...warnings].map(formatFault).filter((fault) => !fault.includes("tenants_directory"));
}

describe("YAML in the documents", () => {
  it.each(blocks.filter(({ info }) => info !== PART))("is a configuration: $file line $line", (block) => {
    expect(faultsOf(block)).toEqual([]);
  });

  it.each(blocks.filter(({ info }) => info === PART))("is YAML: $file line $line", ({ text }) => {
    expect(parseDocument(text).errors).toEqual([]);
  });

  it("is judged as `pillion check` does", () => {
    const text = "routes: [{ name: a, path: /a/, credentials: none }]\n";
    expect(faultsOf({ language: "yaml", info: "", text, line: 1, file: "x.md" }).join()).toMatch(
      /credential/,
    );
  });
});

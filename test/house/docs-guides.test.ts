import { describe, expect, it } from "vitest";
import { fencesOf } from "../support/markdown.ts";
import { projectFiles, readProjectFile } from "../support/project.ts";

/** What a reader wants to know before the first step; further down it comes too late. */
const TOP_LINES = 12;

/** Tables cannot be wrapped, and links should not be. */
const LONGEST_LINE = 160;

const guides = projectFiles().filter((file) => /^docs\/[\w-]+\.md$/.test(file) && file !== "docs/README.md");

function topOf(text: string): string {
  return text.split("\n").slice(0, TOP_LINES).join(" ");
}

function lastHeadingOf(text: string): string | undefined {
  return text.match(/^## .*$/gm)?.at(-1);
}

/** Lines of running text that a reader of the bare file has to scroll sideways for. */
function longLinesOf(text: string): readonly string[] {
  const inFences = new Set(
    fencesOf(text).flatMap(({ line, text: block }) => block.split("\n").map((_each, index) => line + index)),
  );
  return text.split("\n").flatMap((line, index) => {
    const prose = !/^\s*\||\]\(|^<|^#/.test(line) && !inFences.has(index + 1);
    return prose && line.length > LONGEST_LINE ? [`${index + 1}: ${line.length} characters`] : [];
  });
}

describe("a guide", () => {
  it.each(guides)("says at its top how long it takes: %s", (file) => {
    expect(topOf(readProjectFile(file))).toMatch(/\*\*it\s+takes\*\*/i);
  });

  it.each(guides)("ends with what comes next: %s", (file) => {
    expect(lastHeadingOf(readProjectFile(file))).toBe("## Next");
  });

  it.each([...guides, "README.md", "docs/README.md"])("has lines that fit a window: %s", (file) => {
    expect(longLinesOf(readProjectFile(file))).toEqual([]);
  });

  it("is held to that", () => {
    expect(lastHeadingOf("# A\n\n## Next\n\n## Afterthought\n")).toBe("## Afterthought");
    expect(longLinesOf(`# A\n\n${"word ".repeat(40)}\n| ${"cell ".repeat(40)}|\n`)).toEqual([
      "3: 200 characters",
    ]);
  });
});

describe("example configurations", () => {
  it("stand in the guide that needs them", () => {
    const links = ["README.md", "docs/README.md", ...guides].map((file) => readProjectFile(file)).join("\n");
    const examples = projectFiles().filter((file) =>
      /^config\/(?:examples|compose|systemd)\/[\w-]+\./.test(file),
    );
    expect(examples).not.toHaveLength(0);
    expect(examples.filter((file) => !links.includes(`(../${file})`))).toEqual([]);
  });
});

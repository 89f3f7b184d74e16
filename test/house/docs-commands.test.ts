import { afterAll, describe, expect, it } from "vitest";
import { createGuideRunner } from "../support/guide-run.ts";
import { type GuideStep, missingFrom, stepsOf } from "../support/guide-steps.ts";
import { projectFiles, readProjectFile } from "../support/project.ts";

const pages = projectFiles().filter((file) => /^(?:README|docs\/[\w-]+)\.md$/.test(file));
const guides = pages
  .map((file) => ({ file, steps: stepsOf(readProjectFile(file)) }))
  .filter(({ steps }) => steps.some(({ kind }) => kind === "command" || kind === "background"))
  // Vitest follows five at a time: the longest first, so that none is left to the end alone.
  .sort((one, other) => other.steps.length - one.steps.length);

const runner = createGuideRunner();
afterAll(() => runner.remove());

async function follow(steps: readonly GuideStep[]): Promise<void> {
  const guide = await runner.start();
  try {
    for (const step of steps) await guide.follow(step);
  } finally {
    await guide.stop();
  }
}

describe("commands in the documents", () => {
  it("are those of the guides, too", () => {
    expect(guides.map(({ file }) => file)).toEqual(
      expect.arrayContaining(["docs/getting-started-zocdoc.md", "docs/getting-started-qmatic.md"]),
    );
  });

  it.concurrent.each(guides)(
    "do what $file says",
    async ({ steps }) => {
      await follow(steps);
    },
    120_000,
  );
});

describe("a guide that is followed", () => {
  const block = (info: string, ...lines: string[]) => [`\`\`\`${info}`, ...lines, "```", ""].join("\n");

  it("keeps variables and the directory from block to block", async () => {
    const text = [
      block("sh", "mkdir inner", "cd inner", "NAME=value"),
      block("yaml sub/pillion.yaml", "listen: 127.0.0.1:8080"),
      block("sh", "echo $NAME; basename $PWD; cat sub/pillion.yaml"),
      block("text output", "val…e", "inner", "listen: 127.0.0.1:"),
    ].join("\n");
    await follow(stepsOf(text));
  });

  it.each([
    ["a command fails", block("sh", "false")],
    ["a command in a pipe fails", block("sh", "false | cat")],
    ["a command should fail and does not", block("sh exit 2", "true")],
    ["the output is another", block("sh", "echo one") + block("text output", "two")],
    ["the server ends", block("sh background", "true")],
  ])("fails when %s", async (_case, text) => {
    await expect(follow(stepsOf(text))).rejects.toThrow(/^line \d+: /);
  });

  it("cannot have a block left out by a slip of the pen", () => {
    expect(() => stepsOf(block("sh notrun: why", "x"))).toThrow('line 1: "notrun: why"');
    expect(stepsOf(block("sh not-run: needs an account", "x"))).toEqual([]);
  });

  it("shows its output shortened", () => {
    expect(missingFrom("a b c\nd e", "a…c\nd")).toEqual([]);
    expect(missingFrom("a b c\nd e", "c…a")).toEqual(["a"]);
  });
});

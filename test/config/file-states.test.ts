import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFileStates } from "../../src/config/file-state.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "pillion-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const LATER_MS = 3_600_000;

describe("the state of a file", () => {
  it("stays equal while nothing is written, and follows links", () => {
    const states = createFileStates(() => Date.now() + LATER_MS);
    writeFileSync(join(root, "a"), "1");
    symlinkSync("a", join(root, "link"));
    expect(states.ofFile(join(root, "a"))).toBe(states.ofFile(join(root, "a")));
    expect(states.ofFile(join(root, "link"))).toBe(states.ofFile(join(root, "a")));
  });

  it("is that of nothing where there is no file, or no way to it", () => {
    const states = createFileStates(Date.now);
    writeFileSync(join(root, "a"), "1");
    symlinkSync("loop", join(root, "loop"));
    expect(states.ofFile(join(root, "missing"))).toBe(states.ofFile(join(root, "missing/too")));
    expect(states.ofFile(join(root, "a/below"))).not.toBe(states.ofFile(join(root, "a")));
    expect(states.ofFile(join(root, "loop"))).toBe(states.ofFile(join(root, "loop")));
  });

  it("does not count as settled within a step of the file clock, since a second write would look the same", () => {
    let wallMs = 0;
    const states = createFileStates(() => wallMs);
    const path = join(root, "a");
    writeFileSync(path, "1");
    const writtenAtMs = statSync(path).ctimeMs;
    wallMs = writtenAtMs + 1;
    const young = states.ofFile(path);
    expect(states.ofFile(path)).toBe(young);
    wallMs = writtenAtMs + 1_000;
    expect(states.ofFile(path)).not.toBe(young);
  });
});

describe("the state of a directory of folders", () => {
  function look(): { readonly state: string; readonly folders: readonly string[] } {
    const steps = createFileStates(() => Date.now() + LATER_MS).ofFolders(root, new Map());
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  it("knows its folders; files beside them and hidden ones do not count", () => {
    mkdirSync(join(root, "isb"));
    mkdirSync(join(root, ".hidden"));
    writeFileSync(join(root, "README"), "1");
    expect(look().folders).toEqual([join(root, "isb")]);
  });

  it.each([
    ["a file in a folder is written", () => writeFileSync(join(root, "isb/account"), "22")],
    ["a file comes", () => writeFileSync(join(root, "isb/tenant_id"), "1")],
    ["a folder comes", () => mkdirSync(join(root, "lhr"))],
    ["a folder goes", () => rmSync(join(root, "isb"), { recursive: true })],
    ["all go", () => rmSync(root, { recursive: true })],
  ])("changes when %s", (_, change) => {
    mkdirSync(join(root, "isb"));
    writeFileSync(join(root, "isb/account"), "1");
    const before = look().state;
    expect(look().state).toBe(before);
    change();
    expect(look().state).not.toBe(before);
  });
});

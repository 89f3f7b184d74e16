import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SecretReference } from "../../src/config/config.ts";
import { ConfigError } from "../../src/config/fault.ts";
import { systemFiles } from "../../src/config/files.ts";
import { createSecretSource, type SecretSource } from "../../src/config/secret-source.ts";
import type { LogFields, Logger } from "../../src/core/log.ts";

const SECRET = "not-a-real-secret";
let directory = "";
let env: Record<string, string>;
let outcomes: string[];
let events: (readonly [string, LogFields | undefined])[];
let source: SecretSource;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "pillion-"));
  env = { GOOD: SECRET, EMPTY: "", NEWLINE: `${SECRET}\n`, LINES: "a\nb" };
  outcomes = [];
  events = [];
  const log = (event: string, fields?: LogFields): void => void events.push([event, fields]);
  const logger: Logger = { error: log, warn: log, info: log, debug: log };
  source = createSecretSource({
    env,
    files: systemFiles,
    log: logger,
    onReload: (outcome) => outcomes.push(outcome),
  });
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, content?: string): SecretReference & { readonly path: string } {
  const path = join(directory, name);
  if (content !== undefined) writeFileSync(path, content);
  return { kind: "file", path };
}

const variable = (name: string): SecretReference => ({ kind: "env", name });

describe("read", () => {
  it.each([
    ["as it is", SECRET],
    ["without one trailing newline", `${SECRET}\n`],
    ["without one trailing CR LF", `${SECRET}\r\n`],
  ])("gives a file's content %s", (_, content) => {
    expect(source.read(file("a", content)).reveal()).toBe(SECRET);
  });

  it.each(["GOOD", "NEWLINE"])("gives the environment variable %s", (name) => {
    expect(source.read(variable(name)).reveal()).toBe(SECRET);
  });

  it("keeps blanks: they may belong to the secret", () => {
    expect(source.read(file("a", " x \n")).reveal()).toBe(" x ");
  });

  it("gives the same object until the value changes, whichever reference asks", () => {
    const reference = file("a", SECRET);
    const first = source.read(reference);
    expect(source.read(reference)).toBe(first);
    expect(source.read({ ...reference })).toBe(first);
    writeFileSync(reference.path, "changed");
    expect(source.read(reference)).toBe(first);
  });

  it.each([
    [variable("MISSING"), "environment variable MISSING: it is not set"],
    [variable("EMPTY"), "environment variable EMPTY: it is empty"],
    [variable("LINES"), "environment variable LINES: it holds more than one line"],
  ])("%j cannot be had", (reference, message) => {
    expect(() => source.read(reference)).toThrow(expect.objectContaining({ name: "ConfigError", message }));
  });

  it.each([
    ["", "it is empty"],
    ["\n", "it is empty"],
    ["a\nb\n", "it holds more than one line"],
    ["a\rb", "it holds more than one line"],
    ["a\n\n", "it holds more than one line"],
    ["x".repeat(65_537), "it is larger than 65536 bytes"],
    [undefined, "no such file or directory"],
  ])("a file holding %j cannot be had", (content, reason) => {
    const reference = file("a", content);
    expect(() => source.read(reference)).toThrow(
      expect.objectContaining({ name: "ConfigError", message: `secret file ${reference.path}: ${reason}` }),
    );
  });

  it("a directory or a named pipe is refused, and not waited for", () => {
    const pipe = file("pipe");
    execFileSync("mkfifo", [pipe.path]);
    expect(() => source.read(pipe)).toThrow("it is not a regular file");
    expect(() => source.read({ kind: "file", path: directory })).toThrow("it is a directory");
  });

  it("tries again what could not be had: a secret may be mounted late", () => {
    const reference = file("late");
    expect(() => source.read(reference)).toThrow(ConfigError);
    file("late", SECRET);
    expect(source.read(reference).reveal()).toBe(SECRET);
  });
});

describe("value", () => {
  it("gives a literal, or the text behind a reference", () => {
    expect(source.value({ kind: "literal", value: "my-client" })).toBe("my-client");
    expect(source.value(file("id", "my-client\n"))).toBe("my-client");
  });
});

describe("refresh", () => {
  it("is true when the value changed; the new one is read from then on", () => {
    const reference = file("a", SECRET);
    const before = source.read(reference);
    writeFileSync(reference.path, "changed");
    expect(source.refresh(reference)).toBe(true);
    expect(source.read(reference)).not.toBe(before);
    expect(source.read({ ...reference }).reveal()).toBe("changed");
    expect(outcomes).toEqual(["success"]);
  });

  it("is false when it did not, and the object stays the same", () => {
    const reference = file("a", SECRET);
    const before = source.read(reference);
    writeFileSync(reference.path, `${SECRET}\n`);
    expect(source.refresh(reference)).toBe(false);
    expect(source.read(reference)).toBe(before);
    expect(outcomes).toEqual([]);
  });

  it("keeps the last good value on an error, counts each failure, logs it once, and recovers", () => {
    const reference = file("a", SECRET);
    const before = source.read(reference);
    writeFileSync(reference.path, "");
    expect(source.refresh(reference)).toBe(false);
    expect(source.refresh(reference)).toBe(false);
    expect(source.read(reference)).toBe(before);
    expect(outcomes).toEqual(["failure", "failure"]);
    rmSync(reference.path);
    expect(source.refresh(reference)).toBe(false);
    writeFileSync(reference.path, "changed");
    expect(source.refresh(reference)).toBe(true);
    expect(events.map(([event, fields]) => [event, fields?.error])).toEqual([
      ["secret_reload_failed", `secret file ${reference.path}: it is empty`],
      ["secret_reload_failed", `secret file ${reference.path}: no such file or directory`],
      ["secret_reloaded", undefined],
    ]);
  });

  it("of what was never read is a change when there is a value now", () => {
    const reference = file("late");
    expect(source.refresh(reference)).toBe(false);
    file("late", SECRET);
    expect(source.refresh(reference)).toBe(true);
  });

  it("reads an environment variable again", () => {
    source.read(variable("GOOD"));
    env["GOOD"] = "changed";
    expect(source.refresh(variable("GOOD"))).toBe(true);
    expect(source.read(variable("GOOD")).reveal()).toBe("changed");
  });
});

describe("refreshAll", () => {
  it("refreshes what was read, and tells listeners once what changed", () => {
    const [a, b, c] = [file("a", "1"), file("b", "1"), file("c", "1")];
    for (const reference of [a, b, c]) source.read(reference);
    const heard: (readonly SecretReference[])[] = [];
    const stop = source.onChange((changed) => void heard.push(changed));
    writeFileSync(a.path, "2");
    writeFileSync(b.path, "2");
    expect(source.refreshAll()).toBe(2);
    expect(heard).toEqual([[a, b]]);
    expect(source.refreshAll()).toBe(0);
    stop();
    writeFileSync(c.path, "2");
    expect(source.refreshAll()).toBe(1);
    expect(heard).toHaveLength(1);
  });

  it("leaves alone what retain has dropped", () => {
    const [kept, dropped] = [file("kept", "1"), file("dropped", "1")];
    source.read(kept);
    source.read(dropped);
    source.retain([kept]);
    writeFileSync(kept.path, "2");
    rmSync(dropped.path);
    expect(source.refreshAll()).toBe(1);
    expect(outcomes).toEqual(["success"]);
  });
});

describe("resolveAll", () => {
  it("names each reference that cannot be had, once, with the reason", () => {
    const missing = file("missing");
    const faults = source.resolveAll([variable("GOOD"), missing, { ...missing }, variable("MISSING")]);
    expect(faults.map(({ message }) => message)).toEqual([
      `secret file ${missing.path}: no such file or directory`,
      "environment variable MISSING: it is not set",
    ]);
  });
});

it("nothing that is logged, thrown or inspected holds a value", () => {
  const reference = file("a", SECRET);
  source.read(reference);
  writeFileSync(reference.path, `${SECRET}\n${SECRET}`);
  source.refresh(reference);
  writeFileSync(reference.path, `${SECRET}-2`);
  source.refresh(reference);
  const faults = source.resolveAll([variable("LINES"), variable("EMPTY")]);
  expect(inspect([events, faults, source.read(reference), source], { depth: 9 })).not.toContain(SECRET);
});

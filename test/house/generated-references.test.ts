import { describe, expect, it } from "vitest";
import { anchorOf } from "../../docs/reference/errors-page.ts";
import { generatedFiles } from "../../docs/reference/pages.ts";
import { ERROR_TABLE, type ErrorCode, ProxyError } from "../../src/core/errors.ts";
import { createProblem } from "../../src/proxy/respond.ts";
import { anchorsOf } from "../support/markdown.ts";
import { readProjectFile } from "../support/project.ts";

const files = [...generatedFiles()];
const errors = readProjectFile("docs/reference/errors.md");
const codes = Object.keys(ERROR_TABLE) as ErrorCode[];

describe("a file that is made of the code", () => {
  it.each(files)("is not stale (npm run docs makes it anew): %s", (path, text) => {
    expect(readProjectFile(path)).toBe(text);
  });

  it("is the same each time it is made", () => {
    expect([...generatedFiles()]).toEqual(files);
  });
});

describe("the reference of errors", () => {
  it.each(codes)("has a section whose anchor is the end of the problem's type: %s", (code) => {
    const { type } = JSON.parse(createProblem(new ProxyError(code, "x"), "id").body) as { type: string };
    expect(type).toBe(`urn:pillion:problem:${code.toLowerCase().replaceAll("_", "-")}`);
    expect(type.endsWith(`:${anchorOf(code)}`)).toBe(true);
    expect([...anchorsOf(errors)]).toEqual(expect.arrayContaining([anchorOf(code), code.toLowerCase()]));
  });

  it("has no section for a code that there is not", () => {
    const headings = [...errors.matchAll(/^## ([A-Z_]+)$/gm)].map(([, code]) => code);
    expect([...headings].sort()).toEqual([...codes].sort());
  });

  it("says of each code what happened, where it comes from, what to do, and what the log has", () => {
    const sections = errors.split(/^## /m).filter((text) => /^[A-Z_]+\n/.test(text));
    expect(sections).toHaveLength(codes.length);
    for (const text of sections)
      for (const part of ["\n- ", "**What to do.** ", "**In the log.** "]) expect(text).toContain(part);
  });
});

describe("what the references name", () => {
  it("is every top-level key, command and metric of the contract", () => {
    const configuration = readProjectFile("docs/reference/configuration.md");
    for (const key of [
      "listen",
      "admin",
      "access",
      "store",
      "session",
      "limits",
      "drain",
      "reload",
      "credentials",
    ])
      expect(configuration).toMatch(new RegExp(`\\| \\[?\`${key}\``));
    const commands = readProjectFile("docs/reference/commands.md");
    for (const name of ["run", "dev", "emulate", "check", "token", "schema", "healthcheck", "version"])
      expect(commands).toContain(`## pillion ${name}\n`);
    const metrics = readProjectFile("docs/reference/metrics.md");
    for (const row of [
      "| `pillion_requests_total` | counter | `route` `tenant` `method` `code` |",
      "| `pillion_token_expiry_timestamp_seconds` | gauge | `credential` `tenant` |",
      "| `pillion_request_duration_seconds` | histogram | `route` `method` |",
    ])
      expect(metrics).toContain(row);
  });
});

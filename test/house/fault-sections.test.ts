import { describe, expect, it } from "vitest";
import { anchorOf } from "../../docs/reference/errors-page.ts";
import { faultLines } from "../../docs/reference/fault-lines.ts";
import { FAULT_TEXTS } from "../../docs/reference/fault-texts.ts";
import { FAULT_KINDS, FAULTS_PAGE, type FaultKind } from "../../src/config/fault-kind.ts";
import { ERROR_TABLE, type ErrorCode } from "../../src/core/errors.ts";
import { fencesOf } from "../support/markdown.ts";
import { readProjectFile } from "../support/project.ts";

const page = readProjectFile(`docs/reference/${FAULTS_PAGE}`);
const sections = new Map(
  page.split(/^(?=<a id=")/m).map((text) => [/^<a id="([^"]+)"><\/a>\n## \S/.exec(text)?.[1], text]),
);
const codes = Object.keys(ERROR_TABLE) as ErrorCode[];

describe("the page of errors", () => {
  it("has one section with an anchor of its own for every code and every kind of fault, and for nothing else", () => {
    const written = [...page.matchAll(/<a id="([^"]*)">/g)].map(([, id]) => id);
    expect(written.toSorted()).toEqual([...codes.map(anchorOf), ...FAULT_KINDS].toSorted());
  });

  it("lists every kind, with a link to its section", () => {
    for (const kind of FAULT_KINDS) expect(page).toContain(`\n| [${kind}](#${kind}) | `);
  });
});

describe("what the page quotes is what is printed", () => {
  // Read from the page itself, so that nothing of how it is made is taken for granted.
  it.each(FAULT_KINDS)("of a file with a fault of the kind %s, and says more of it", (kind: FaultKind) => {
    const section = sections.get(kind) ?? "";
    const [sample, quoted, ...others] = fencesOf(section);
    expect([sample?.language, quoted?.language, others]).toEqual(["yaml", "text", []]);
    const { env } = FAULT_TEXTS[kind];
    const lines = faultLines({ sample: sample?.text ?? "", ...(env === undefined ? {} : { env }) });
    expect(lines.map(({ line }) => `${line}\n`)).toEqual([quoted?.text]);
    expect(lines[0]?.line).toMatch(
      new RegExp(`^(warning: )?pillion\\.yaml:\\d+:\\d+( \\S+)?: .+ \\[${FAULTS_PAGE}#${kind}\\]$`),
    );
    expect(section.split("```\n\n").at(-1)).toMatch(/\w.*\.\n/);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatFault } from "../../src/config/fault.ts";
import { FAULT_KINDS } from "../../src/config/fault-kind.ts";
import { faultsOf, parse } from "./config-fixture.ts";

const BOMB = ["a: &a [x,x,x,x,x,x,x,x,x,x]"];
for (const [name, from] of ["ba", "cb", "dc", "ed", "fe", "gf", "hg", "ih"]) {
  BOMB.push(`${name}: &${name} [${Array(10).fill(`*${from}`).join(",")}]`);
}

/** Pieces that a configuration is made of, in any order: closer to the edges than random text. */
const yamlish = fc
  .array(
    fc.constantFrom(
      ..."credentials: routes: - name: path: { } [ ] , & * ! | > ' \" # --- ... ? : a \n \t".split(" "),
      ..."__proto__: constructor: toString: tenants: provider: qmatic oauth2 {tenant} / $ &a *a <<: ~ null".split(
        " ",
      ),
      "\n  ",
      "\n    ",
      " ",
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(""));

describe("any text gives a configuration or faults", () => {
  it.each([
    ["pieces of configurations", yamlish],
    ["any text", fc.string({ unit: "binary", maxLength: 200 })],
    ["any JSON", fc.json()],
  ])("%s: never throws, and every fault is one printable line", (_, texts) => {
    fc.assert(
      fc.property(texts, (text) => {
        const { config, faults } = parse(text);
        expect(config === undefined).toBe(faults.length > 0);
        for (const fault of faults) {
          expect(formatFault(fault)).toMatch(/^pillion\.yaml:\d+:\d+( \S.*)?: \S.* \[errors\.md#[a-z-]+\]$/u);
          expect(FAULT_KINDS).toContain(fault.kind);
          expect(formatFault(fault)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("an alias bomb is refused without being unfolded", () => {
    expect(faultsOf(BOMB.join("\n")).join("\n")).toContain("aliases stand for more than 100000 values");
  });

  it.each([
    ["lists without an end", `a: ${"[".repeat(50_000)}`],
    ["mappings without an end", `a: ${"{a: ".repeat(50_000)}`],
    ["deep lists", `a: ${"[".repeat(500)}${"]".repeat(500)}`],
  ])("%s are nested too deeply", (_, text) => {
    expect(faultsOf(text).join("\n")).toContain("nested too deeply");
  });

  it("an alias inside of its own anchor is refused", () => {
    expect(faultsOf("limits: &l { headers: *l }")).toEqual([
      "1:23 limits.headers: this alias stands inside of what it refers to",
    ]);
  });

  it("keys named as members of every object are keys like others", () => {
    expect(faultsOf("__proto__: { listen: x }\nconstructor: 1\ntoString: 2\nhasOwnProperty: 3")).toEqual([
      "1:1 __proto__: unknown key",
      "2:1 constructor: unknown key",
      "3:1 toString: unknown key",
      "4:1 hasOwnProperty: unknown key",
    ]);
    expect(faultsOf("routes: [{ credential: toString, name: a, path: /a, upstream: 'https://a/' }]")).toEqual(
      ['1:24 routes[0].credential: no credential has the name "toString"'],
    );
  });
});

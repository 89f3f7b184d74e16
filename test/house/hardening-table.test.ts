import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { projectDirectory, readProjectFile } from "../support/project.ts";

/** Every row there has to be, by group. */
const ROWS = [
  "S01 S02 S03 S04 S06 S07 S09 S10 S11 S14 S16 S17 S19 S20 S21 S22 S23 S24 S26 S27",
  "H01 H03 H04 H05 H06 H07 H08 H10 H12 H13",
  "R01 R03 R04 R05 R06 R07 R09 R10 R12",
  "L01 L02 L03 L04 L06 L07 L08 L10",
  "U01 U02 U04 U05 U07 U08 U09 U10 U11 U12 U13",
  "B01 B03 B05 B06 B07 B08 B09",
  "T01 T02 T03 T04 T05 T06 T07 T09 T10 T11 T13 T15 T16 T17 T19 T20",
  "C01 C02 C04 C05 C07 C08 C09",
  "K01 K02 K04 K05 K06 K07 K08 K09 K10",
  "O01 O02 O03 O04 O05 O06 O08 O09 O11 O12 O14",
].flatMap((group) => group.split(" "));

const WITHOUT_TEST = ["not yet", "not in this version"];

interface Row {
  readonly id: string;
  readonly cell: string;
  /** The first is the test file; what its names are made of may follow. */
  readonly files: readonly string[];
}

const rows: readonly Row[] = [
  ...readProjectFile("docs/hardening.md").matchAll(/^\| ([A-Z]\d\d) \|.*\| ([^|]*) \|$/gm),
].map(([, id = "", cell = ""]) => ({
  id,
  cell,
  files: [...cell.matchAll(/`([^`]*)`/g)].map(([, file = ""]) => file),
}));

/** The row's id stands at the beginning of a name: `"S01 …"`, `"U01: …"`, or alone where names are made of it. */
const startsName = (id: string): RegExp => new RegExp(`["'\`]${id}(?:[ :]|["'\`],)`);

describe("docs/hardening.md", () => {
  it("has every row, once, in order", () => {
    expect(rows.map(({ id }) => id)).toEqual(ROWS);
  });

  it.each(rows.filter(({ cell }) => !WITHOUT_TEST.includes(cell)))(
    "$id is in the names of $cell",
    ({ id, files }) => {
      expect(files[0]).toMatch(/^test\/.*\.test\.ts$/);
      for (const file of files) expect(existsSync(join(projectDirectory, file)), file).toBe(true);
      expect(files.some((file) => startsName(id).test(readProjectFile(file)))).toBe(true);
    },
  );

  it("the five groups that callers reach are covered whole", () => {
    const missing = rows.filter(({ id, cell }) => /^[SHRLO]/.test(id) && WITHOUT_TEST.includes(cell));
    expect(missing).toEqual([]);
  });
});

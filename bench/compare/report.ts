/** What a run has to say: to a terminal, to a file, to the page. Pure. */
import { behindTable } from "./behind.ts";
import type { Missing } from "./contenders.ts";
import type { Details } from "./details.ts";
import { changes, type RunRecord } from "./earlier.ts";
import type { Result } from "./figures.ts";
import { type Machine, machineLine } from "./machine.ts";
import type { Spread } from "./statistics.ts";
import { figuresTable, markdown, plainText, type Table } from "./table.ts";
import { judge, verdictTable } from "./verdict.ts";

export interface Run {
  readonly machine: Machine;
  readonly results: readonly Result[];
  readonly missing: readonly Missing[];
  /** What did not go as it should. */
  readonly notes: readonly string[];
  /** undefined: a quick run. */
  readonly details: Details | undefined;
}

function versions(results: readonly Result[]): string {
  const said = results.map(({ name, version }) =>
    version.startsWith("pillion ") ? version : `${name} ${version}`,
  );
  return [...new Set(said)].join(", ");
}

const LINE_LENGTH = 110;

/** The same words on lines that fit a window. */
function filled(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > LINE_LENGTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}

function detailsTable({ routing, atOnce, routes, tenants, tokenMicroseconds }: Details): Table {
  const numbers = ({ median, min, max }: Spread, digits: number): string =>
    `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
  return [
    ["Pillion alone, with a TLS upstream", "median (least–greatest)"],
    [
      `CPU of a request to one of ${routes} routes and ${tenants} tenants : to the only one`,
      numbers(routing, 3),
    ],
    ["the same, to 64 of them in turn, each with upstream connections of its own", numbers(atOnce, 3)],
    ["a fresh token, µs a request", numbers(tokenMicroseconds, 3)],
  ];
}

/** For a terminal. */
export function reportText(run: Run, earlier: RunRecord | undefined): string {
  const { machine, results, missing, notes, details } = run;
  const parts = [machineLine(machine), plainText(figuresTable(results), 2)];
  if (missing.length > 0)
    parts.push(missing.map(({ name, reason }) => `not measured: ${name}: ${reason}`).join("\n"));
  if (notes.length > 0) parts.push(notes.join("\n"));
  if (details !== undefined) parts.push(plainText(detailsTable(details), 1));
  if (machine.plan.kind === "smoke") {
    parts.push("A smoke run shows that the benchmark works; its figures mean nothing.");
  } else {
    parts.push(plainText(verdictTable(judge(results, details)), 1));
  }
  if (earlier !== undefined) parts.push(plainText(changes(results, earlier.results), 2));
  return parts.join("\n\n");
}

/** For `docs/performance.md`. */
export function reportMarkdown(run: Run): string {
  const { machine, results, missing, notes, details } = run;
  const parts = [
    filled(`Measured ${machineLine(machine)}. Versions: ${versions(results)}.`),
    "![processor time per request](performance.svg)",
    markdown(figuresTable(results), 2),
    ...missing.map(({ name, reason }) => filled(`Not measured: ${name}: ${reason}.`)),
    ...(notes.length === 0 ? [] : [filled(`Not all went as it should: ${notes.join("; ")}.`)]),
    ...(details === undefined ? [] : [markdown(detailsTable(details), 1)]),
    "Against the targets, with a TLS upstream and everything on but the access log:",
    markdown(verdictTable(judge(results, details)), 1),
    "Who does better, with a TLS upstream:",
    markdown(behindTable(results), 1),
  ];
  return parts.join("\n\n");
}

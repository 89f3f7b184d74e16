import { describe, expect, it } from "vitest";
import { projectFiles, readProjectFile } from "../support/project.ts";

/** Written in pieces, so that this file does not find itself. */
const word = (...pieces: string[]): string => pieces.join("");

const FORBIDDEN: readonly [what: string, pattern: RegExp][] = [
  ["a home directory", new RegExp(word("(?<![\\w.-])/(ho", "me|Us", "ers)/\\w+|(?<![\\w.-])/ro", "ot/"))],
  ["a build machine's directory", new RegExp(word("(?<![\\w.-])/wo", "rk/|(?<![\\w.-])/bui", "lds/"))],
  [
    "a package registry's host",
    new RegExp(word("registry\\.(npm", "js|yarn", "pkg)|npm", "mirror|jfr", "og|artif", "actory")),
  ],
  ["a private key", new RegExp(word("-----BEGIN [A-Z ]*PRIV", "ATE KEY-----"))],
  ["a merge conflict", new RegExp(word("^(<<<<", "<<<|>>>>", ">>>) "), "m")],
];

const files = projectFiles().filter((file) => file !== "package-lock.json");

describe("files of the project", () => {
  it.each(FORBIDDEN)("hold no trace of %s", (_what, pattern) => {
    const offenders = files.flatMap((file) => {
      const found = pattern.exec(readProjectFile(file));
      return found === null ? [] : [`${file}: ${found[0]}`];
    });
    expect(offenders).toEqual([]);
  });

  it("are what these patterns would be found in", () => {
    const samples = [
      "/ho~me/someone",
      "/wo~rk/main",
      "registry.npm~js.org",
      "-----BEGIN EC PRIV~ATE KEY-----",
      "<<<~<<<< HEAD",
    ];
    const found = FORBIDDEN.map(([, pattern], index) =>
      pattern.test((samples[index] ?? "").replace("~", "")),
    );
    expect(found).toEqual(samples.map(() => true));
  });
});

import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SHELLS, type Shell } from "../../cmd/choices.ts";
import { commandsOf, completion } from "../../cmd/completion.ts";
import { createProgram } from "../../cmd/program.ts";

const program = createProgram(() => {});
const scriptOf = (shell: Shell): string => completion(program, shell, {});
const present = SHELLS.filter((shell) => spawnSync(shell, ["--version"]).status === 0);

/** A folder with the scripts, files to complete, and a `pillion` that knows two credentials. */
const directory = mkdtempSync(join(tmpdir(), "pillion-completion-"));
beforeAll(() => {
  for (const shell of SHELLS) writeFileSync(join(directory, `pillion.${shell}`), scriptOf(shell));
  mkdirSync(join(directory, "bin"));
  const stub = join(directory, "bin/pillion");
  // The names differ with the configuration, so that it shows which one was asked for.
  const names = `[ "$3 $4" = "--config other.yaml" ] && echo elsewhere || printf 'zocdoc\\nqmatic\\n'`;
  writeFileSync(stub, `#!/bin/sh\n[ "$1 $2" = "completion --credentials" ] || exit 1\n${names}\n`);
  chmodSync(stub, 0o755);
  for (const name of ["pillion.yaml", "other.yaml", "a file.yaml"]) writeFileSync(join(directory, name), "");
});
afterAll(() => rmSync(directory, { recursive: true }));

const env = { PATH: `${join(directory, "bin")}:${process.env["PATH"]}`, HOME: directory, TERM: "dumb" };

/** What a shell offers for a line that ends where the tab key is pressed. */
const OFFERS: Readonly<Record<Shell, (line: string) => readonly string[]>> = {
  bash(line) {
    // As bash itself parts a line: at blanks and at =.
    const words = line
      .split(/ +|(=)/)
      .filter((word) => word !== undefined && (word !== "" || line.endsWith(" ")));
    const list = line.endsWith("=") ? words.filter((word) => word !== "") : words;
    const code = `source pillion.bash; COMP_WORDS=(${list.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _pillion; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return linesOf("bash", ["--norc", "-c", code]);
  },
  zsh: (line) => inZsh().get(line) ?? [],
  fish: (line) =>
    linesOf("fish", ["--no-config", "-c", `source pillion.fish; complete -C '${line}'`]).map(
      (each) => each.split("\t")[0] ?? "",
    ),
};

/** Every line that is asked of zsh below. */
const ZSH_LINES = [
  "pillion ",
  "pillion hea",
  "pillion token --",
  "pillion run --log-level ",
  "pillion completion ",
  "pillion check -c oth",
  "pillion token ",
  "pillion token --tenant isb zoc",
  "pillion token -c other.yaml ",
];
let zshOffers: ReadonlyMap<string, readonly string[]> | undefined;

/**
 * zsh completes in its line editor only: one on a pseudo-terminal, asked to list and not to insert. All lines in one
 * editor, since it takes half a second to start.
 */
function inZsh(): ReadonlyMap<string, readonly string[]> {
  if (zshOffers !== undefined) return zshOffers;
  const code = `zmodload zsh/zpty; zpty editor zsh -f -i
    zpty -w editor 'PROMPT=; autoload -Uz compinit; compinit -u -D; source ./pillion.zsh; LISTMAX=1000; COLUMNS=200'
    zpty -w editor 'capture() { compadd() { local -a found; builtin compadd -O found "$@"; print -rl -- OFFER:$^found; builtin compadd "$@" }; zle list-choices; BUFFER=; print DONE }; zle -N capture; bindkey "^T" capture; print READY'
    zpty -r editor seen '*READY*READY*'
    for line in "$@"; do
      zpty -w -n editor "$line"$'\\C-t'
      zpty -r editor seen '*DONE*'
      print -r -- "LINE:$line"; print -r -- $seen
    done`;
  const offers = new Map<string, Set<string>>();
  let current: Set<string> | undefined;
  for (const each of linesOf("zsh", ["-f", "-c", code, "zsh", ...ZSH_LINES])) {
    const line = /^LINE:(.*)$/.exec(each)?.[1];
    const offer = /OFFER:(\S+)/.exec(each)?.[1];
    if (line !== undefined) {
      current = new Set();
      offers.set(line, current);
    } else if (offer !== undefined) current?.add(offer);
  }
  zshOffers = new Map([...offers].map(([line, found]) => [line, [...found]]));
  return zshOffers;
}

function linesOf(shell: string, args: readonly string[]): readonly string[] {
  const output = execFileSync(shell, args, { cwd: directory, env, encoding: "utf8", timeout: 30_000 });
  return output.split(/\r?\n/).filter((line) => line !== "");
}

const commands = commandsOf(program).map(({ name }) => name);

describe.each(present)("in %s", { timeout: 40_000 }, (shell) => {
  const offers = OFFERS[shell];

  it("every command is offered", () => {
    expect(offers("pillion ")).toEqual(expect.arrayContaining([...commands]));
  });

  it("the beginning of a command is enough", () => {
    const offered = offers("pillion hea");
    expect(offered).toContain("healthcheck");
    expect(offered).not.toContain("run");
  });

  it("a command's own options are offered, and no other's", () => {
    const offered = offers("pillion token --");
    expect(offered).toEqual(expect.arrayContaining(["--tenant", "--raw", "--json"]));
    expect(offered).not.toContain("--refresh-idle");
  });

  it("an option's choices are offered", () => {
    expect([...offers("pillion run --log-level ")].sort()).toEqual(["debug", "error", "info", "warn"]);
  });

  it("an argument's choices are offered", () => {
    expect([...offers("pillion completion ")].sort()).toEqual(["bash", "fish", "zsh"]);
  });

  it("files are offered where a file belongs", () => {
    expect(offers("pillion check -c oth")).toEqual(["other.yaml"]);
  });

  it("names of credentials are asked of the configuration", () => {
    expect([...offers("pillion token ")].sort()).toEqual(["qmatic", "zocdoc"]);
    expect(offers("pillion token --tenant isb zoc")).toEqual(["zocdoc"]);
    expect(offers("pillion token -c other.yaml ")).toEqual(["elsewhere"]);
  });
});

describe("a file with a blank in its name", () => {
  it("is one offer in bash", () => {
    expect(OFFERS.bash("pillion check -c a")).toEqual(["a file.yaml"]);
  });
});

describe("a value behind =", () => {
  it("is offered in bash, which parts words there", () => {
    expect([...OFFERS.bash("pillion run --log-level=")].sort()).toEqual(["debug", "error", "info", "warn"]);
    expect(OFFERS.bash("pillion run --log-level=de")).toEqual(["debug"]);
    expect(OFFERS.bash("pillion token --config=other.yaml ")).toEqual(["elsewhere"]);
  });
});

describe("the names of credentials", () => {
  it("are those of the configuration", () => {
    const config = join(directory, "real.yaml");
    writeFileSync(config, "credentials: { a: { provider: static, header: X, value: { env: A } } }\n");
    expect(completion(program, undefined, { credentials: true, config })).toBe("a\n");
  });

  it("are none where the configuration is wrong: a key press is no moment for faults", () => {
    const config = join(directory, "wrong.yaml");
    writeFileSync(config, "credentials: 5\n");
    expect(completion(program, undefined, { credentials: true, config })).toBe("");
  });
});

describe("what is hidden from the help", () => {
  it("is not offered", () => {
    expect(scriptOf("bash")).not.toMatch(/completion\) COMPREPLY.*--credentials/);
  });
});

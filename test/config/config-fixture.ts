import { type Fault, formatFault } from "../../src/config/fault.ts";
import type { FaultKind } from "../../src/config/fault-kind.ts";
import { type DirectoryEntry, type Files, systemFiles } from "../../src/config/files.ts";
import { type ParseOptions, type ParseResult, parseConfig } from "../../src/config/parse.ts";
import { providers } from "../../src/provider/index.ts";

/** Parses as `check` would, from a file that is called pillion.yaml in /etc/pillion. */
export function parse(text: string, options: Partial<ParseOptions> = {}): ParseResult {
  return parseConfig(text, {
    file: "pillion.yaml",
    directory: "/etc/pillion",
    providers,
    env: {},
    files: systemFiles,
    ...options,
  });
}

/** The faults as a person sees them, without the file's name and the section at the end. */
export function faultsOf(text: string, options: Partial<ParseOptions> = {}): readonly string[] {
  return parse(text, options).faults.map((fault) => withoutSection(fault).replace(/^pillion\.yaml:/, ""));
}

/** Words that say by themselves of which kind a fault is: where they begin a message, no other kind fits. */
const TELLING: readonly (readonly [RegExp, readonly FaultKind[]])[] = [
  [/^is missing/, ["missing-key", "no-upstream", "no-tenant-rule", "no-store-key"]],
  [/^unknown key/, ["unknown-key"]],
  [/^(is given|is set) twice/, ["duplicate-key"]],
  [/^not valid YAML|^nested too deeply/, ["not-yaml"]],
  [/bare number has no unit/, ["no-unit"]],
  [
    /^must (be at (least|most)|not be empty|not be longer than \d)/,
    ["out-of-bounds", "wrong-form", "no-store-key"],
  ],
  [/^a secret is not written out/, ["secret-in-file"]],
  [/^give exactly one of env and file|^takes env or file/, ["env-or-file"]],
  [/^no credential has the name|^credential \S+ has no tenant /, ["unknown-name"]],
  [/^plain http: is accepted/, ["plain-http"]],
  [/^cannot (be|be set)( \S+)?: /, ["reserved-name"]],
  [/^reachable from other machines/, ["open-listener"]],
  [/^no route uses/, ["unused-credential"]],
];

/** A fault's line without the section at its end, which every line must have, and which must fit its words. */
export function withoutSection(fault: Fault): string {
  for (const [words, kinds] of TELLING) {
    if (!words.test(fault.message) || kinds.includes(fault.kind)) continue;
    throw new Error(`${formatFault(fault)}: expected one of ${kinds.join(", ")}`);
  }
  const line = formatFault(fault);
  const section = ` [errors.md#${fault.kind}]`;
  if (!line.endsWith(section)) throw new Error(`${line} does not end with${section}`);
  return line.slice(0, -section.length);
}

/** The configuration of a text that must be valid. */
export function configOf(
  text: string,
  options: Partial<ParseOptions> = {},
): NonNullable<ParseResult["config"]> {
  const { config, faults } = parse(text, options);
  if (config === undefined) throw new Error(faults.map(formatFault).join("\n"));
  return config;
}

/** A file system in memory: paths to texts. */
export function filesOf(texts: Readonly<Record<string, string>>): Files {
  const missing = (path: string): Error => Object.assign(new Error(`no ${path}`), { code: "ENOENT" });
  return {
    readFile(path) {
      const text = texts[path];
      if (text === undefined) throw missing(path);
      return text;
    },
    readDirectory(directory) {
      const entries = new Map<string, DirectoryEntry>();
      for (const path of Object.keys(texts)) {
        if (!path.startsWith(`${directory}/`)) continue;
        const [name = "", ...rest] = path.slice(directory.length + 1).split("/");
        entries.set(name, { name, isDirectory: rest.length > 0 });
      }
      if (entries.size === 0) throw missing(directory);
      return [...entries.values()];
    },
  };
}

/** A valid credential of provider oauth2 and a route that uses it, for tests of something else. */
export const BILLING = `
credentials:
  billing:
    provider: oauth2
    token_url: https://id.example.com/oauth2/token
    client_id: my-client
    client_secret: { env: BILLING_SECRET }
`;

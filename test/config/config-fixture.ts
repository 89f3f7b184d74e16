import { formatFault } from "../../src/config/fault.ts";
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

/** The faults as a person sees them, without the file's name. */
export function faultsOf(text: string, options: Partial<ParseOptions> = {}): readonly string[] {
  return parse(text, options).faults.map((fault) => formatFault(fault).replace(/^pillion\.yaml:/, ""));
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

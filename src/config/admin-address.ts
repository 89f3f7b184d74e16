import { dirname, resolve } from "node:path";
import { DEFAULT_ADMIN, parseListenAddress } from "./addresses.ts";
import type { ListenAddress } from "./config.ts";
import { type Files, MAX_CONFIG_BYTES } from "./files.ts";
import type { Environment } from "./parse.ts";
import { readYaml } from "./yaml-document.ts";

export interface AdminAddressDeps {
  readonly env: Environment;
  readonly files: Pick<Files, "readFile">;
  /** Absolute path that a relative file name is relative to: the working directory. */
  readonly cwd: string;
}

/**
 * Where a process that runs with this configuration has its admin listener; nothing else of the file is judged, for
 * whoever asks every few seconds whether that process is well. undefined: only reading it all can say what is wrong.
 */
export function findAdminAddress(
  file: string,
  { env, files, cwd }: AdminAddressDeps,
): ListenAddress | undefined {
  const path = resolve(cwd, file);
  const written = env["PILLION_ADMIN"] || adminOf(path, files);
  if (typeof written !== "string") return undefined;
  const parsed = parseListenAddress(written, (socket) => resolve(dirname(path), socket));
  return "value" in parsed ? parsed.value : undefined;
}

function adminOf(path: string, files: Pick<Files, "readFile">): unknown {
  try {
    const { value, faults } = readYaml(files.readFile(path, MAX_CONFIG_BYTES));
    if (faults.length > 0 || typeof value !== "object" || value === null) return undefined;
    return "admin" in value ? value.admin : DEFAULT_ADMIN;
  } catch {
    return undefined;
  }
}

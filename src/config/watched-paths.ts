import type { Config } from "./config.ts";
import { secretReferences, tlsOptionsOf } from "./secret-references.ts";

/** What to watch. All paths are absolute. */
export interface WatchedPaths {
  /** Files; one that does not exist yet is watched for its coming. */
  readonly paths: readonly string[];
  /** Directories of folders (`tenants_directory`): their folders and the files in these. */
  readonly directories: readonly string[];
}

/** What has to be watched for a configuration to stay true: its file, secrets, PEM files and tenants' folders. */
export function watchedPaths(config: Config): WatchedPaths {
  const paths = new Set([config.file]);
  for (const reference of secretReferences(config)) if (reference.kind === "file") paths.add(reference.path);
  for (const { ca, cert, key } of tlsOptionsOf(config)) {
    for (const file of [ca, cert, key]) if (file !== undefined) paths.add(file);
  }
  return { paths: [...paths], directories: config.watchedDirectories };
}

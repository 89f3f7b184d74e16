import { dirname, resolve } from "node:path";
import type { Config } from "./config.ts";
import { ConfigError, type Fault } from "./fault.ts";
import { type Files, MAX_CONFIG_BYTES, reasonOf } from "./files.ts";
import { type Environment, type Locator, parseConfig } from "./parse.ts";
import type { ProviderDefinition } from "./provider-definition.ts";

export interface LoadDeps {
  readonly providers: readonly ProviderDefinition[];
  readonly env: Environment;
  readonly files: Files;
  /** Absolute path that a relative file name is relative to: the working directory. */
  readonly cwd: string;
  /** Validate away from where the configuration runs. Default false. */
  readonly checkOnly?: boolean;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly Fault[];
}

/** As read from a file, with the places of what it says. */
export interface LocatedConfig extends LoadedConfig {
  readonly locate: Locator;
}

/**
 * Reads and parses the configuration file. Symbolic links are followed for reading only: relative paths start where the
 * name points, so that a mounted Kubernetes ConfigMap can lie beside its secrets.
 * Throws `ConfigError` with every fault, or when the file cannot be read.
 */
export function loadConfig(file: string, deps: LoadDeps): LocatedConfig {
  const path = resolve(deps.cwd, file);
  let text: string;
  try {
    text = deps.files.readFile(path, MAX_CONFIG_BYTES);
  } catch (cause) {
    const advice = "name another file with --config FILE or PILLION_CONFIG";
    const message = `cannot read the configuration ${file}: ${reasonOf(cause)}; ${advice}`;
    throw new ConfigError({ kind: "unreadable", message }, { cause });
  }
  const { config, faults, warnings, locate } = parseConfig(text, { ...deps, file, directory: dirname(path) });
  if (config === undefined) throw new ConfigError(faults);
  return { config, warnings, locate };
}

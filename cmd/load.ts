import { resolve } from "node:path";
import { systemFiles } from "../src/config/files.ts";
import { type LocatedConfig, loadConfig } from "../src/config/load.ts";
import type { Environment } from "../src/config/parse.ts";
import { providers } from "../src/provider/index.ts";

export interface LoadOptions {
  /** `--config`. */
  readonly config?: string | undefined;
  /** `--log-level`. */
  readonly logLevel?: string | undefined;
  /** Validate away from where the configuration runs. Default false. */
  readonly checkOnly?: boolean;
}

/** Loads the configuration that the command line and the environment name. Throws `ConfigError`. */
export function loadFromFile({ config, logLevel, checkOnly = false }: LoadOptions): LocatedConfig {
  return loadConfig(configFile(config), {
    providers,
    env: environment(logLevel),
    files: systemFiles,
    cwd: process.cwd(),
    checkOnly,
  });
}

/** As it was named: that is how faults name it too. An empty variable is one that is not set, as Compose passes it on. */
export function configFile(option: string | undefined): string {
  return option ?? (process.env["PILLION_CONFIG"] || "pillion.yaml");
}

/** The directory that `file` lies in is what its relative paths start from. */
export function absolute(file: string): string {
  return resolve(process.cwd(), file);
}

/** A flag of the command line speaks louder than the environment. */
export function environment(logLevel: string | undefined): Environment {
  return logLevel === undefined ? process.env : { ...process.env, PILLION_LOG_LEVEL: logLevel };
}

import { systemFiles } from "../src/config/files.ts";
import { type LocatedConfig, loadConfig } from "../src/config/load.ts";
import { providers } from "../src/provider/index.ts";
import { configFile, environment } from "./config-file.ts";

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

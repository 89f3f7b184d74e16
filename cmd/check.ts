import { formatFault } from "../src/config/fault.ts";
import { systemFiles } from "../src/config/files.ts";
import { requireReadable } from "../src/config/readable.ts";
import { createSecretSource } from "../src/config/secret-source.ts";
import { counted } from "../src/core/counted.ts";
import { silentLogger } from "../src/core/log.ts";
import { configFile, environment } from "./config-file.ts";
import { EXIT, type ExitCode } from "./exit-code.ts";
import { loadFromFile } from "./load.ts";
import type { CheckOptions } from "./program.ts";

/** Validates without secrets or network; with `--secrets` every secret and PEM file is read too, and nothing of it shown. */
export function check(options: CheckOptions): ExitCode {
  const { config, warnings } = loadFromFile({ ...options, checkOnly: !options.secrets });
  for (const warning of warnings) process.stderr.write(`warning: ${formatFault(warning)}\n`);
  if (options.secrets) {
    const env = environment(options.logLevel);
    requireReadable(
      config,
      configFile(options.config),
      createSecretSource({ env, files: systemFiles, log: silentLogger }),
    );
  }
  const { routes, credentials } = config;
  process.stdout.write(
    `${configFile(options.config)}: ok (${counted(routes.length, "route")}, ${counted(credentials.size, "credential")})\n`,
  );
  return EXIT.ok;
}

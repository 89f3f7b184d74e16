import type { Environment } from "../src/config/parse.ts";

/** As it was named: that is how faults name it too. An empty variable is one that is not set, as Compose passes it on. */
export function configFile(option: string | undefined): string {
  return option ?? (process.env["PILLION_CONFIG"] || "pillion.yaml");
}

/** A flag of the command line speaks louder than the environment. */
export function environment(logLevel: string | undefined): Environment {
  return logLevel === undefined ? process.env : { ...process.env, PILLION_LOG_LEVEL: logLevel };
}

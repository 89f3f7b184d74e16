import { configFile, environment } from "./config-file.ts";
import type { ExitCode } from "./exit-code.ts";
import { loadFromFile } from "./load.ts";
import type { ConfigOptions } from "./program.ts";
import { serve } from "./serve.ts";
import { refuseOpenDoors } from "./shut-doors.ts";

/** Serves the configuration of the command line until it is told to end. */
export async function run(options: ConfigOptions): Promise<ExitCode> {
  refuseOpenDoors();
  return serve({
    file: configFile(options.config),
    load: () => loadFromFile(options),
    env: environment(options.logLevel),
  });
}

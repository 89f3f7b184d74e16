import { ConfigError } from "../src/config/fault.ts";
import { systemFiles } from "../src/config/files.ts";
import type { LoadedConfig } from "../src/config/load.ts";
import { parseConfig } from "../src/config/parse.ts";
import { devConfiguration } from "../src/emulator/dev-configuration.ts";
import { createEmulator } from "../src/emulator/emulator.ts";
import { providers } from "../src/provider/index.ts";
import type { Addresses } from "../src/sidecar.ts";
import { type ExitCode, listenError } from "./exit-code.ts";
import { environment } from "./load.ts";
import type { DevOptions } from "./program.ts";
import { serve } from "./serve.ts";
import { refuseOpenDoors } from "./shut-doors.ts";

/** How faults of the built-in configuration would name it. */
const BUILT_IN = "pillion-dev.yaml";

/** The emulator and the proxy together. Ends, with its emulator, as `run` does. */
export async function dev({
  listen,
  admin,
  port,
  expiresIn,
  apiLimit,
  logLevel,
}: DevOptions): Promise<ExitCode> {
  refuseOpenDoors();
  const emulator = createEmulator({
    port,
    expiresInSeconds: expiresIn,
    apiRequestsPerMinute: apiLimit === undefined || apiLimit === 0 ? undefined : apiLimit,
  });
  await emulator.start().catch((error: unknown) => {
    throw listenError(error);
  });
  try {
    const { text, env } = devConfiguration(emulator, { listen, admin });
    const surroundings = { ...environment(logLevel), ...env };
    return await serve({
      file: BUILT_IN,
      env: surroundings,
      load: () => parse(text, surroundings),
      onListening: (addresses) => process.stdout.write(welcome(addresses, emulator.origin)),
    });
  } finally {
    await emulator.stop();
  }
}

function parse(text: string, env: Readonly<Record<string, string | undefined>>): LoadedConfig {
  const { config, faults, warnings } = parseConfig(text, {
    file: BUILT_IN,
    directory: process.cwd(),
    providers,
    env,
    files: systemFiles,
  });
  if (config === undefined) throw new ConfigError(faults);
  return { config, warnings };
}

/** Three lines to copy, each of them the whole thing: plain HTTP in, an answer of the API out. */
export function welcome({ listen, admin }: Addresses, emulatorOrigin: string): string {
  return `
Pillion is ready, on an emulator of both providers (${emulatorOrigin}). Try it from another terminal:

  curl 'http://${listen}/zocdoc/v1/providers?npis=9000000001'
  curl http://${listen}/qmatic/isb/services http://${listen}/qmatic/riverside/services
  curl -s http://${admin}/metrics | grep ^pillion_token

No token in sight: Pillion attached it. Without Pillion the same API answers 401:

  curl -i '${emulatorOrigin}/zocdoc/sandbox/v1/providers?npis=9000000001'

Ctrl-C ends both.

`;
}

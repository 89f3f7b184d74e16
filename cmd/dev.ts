import { ConfigError } from "../src/config/fault.ts";
import { systemFiles } from "../src/config/files.ts";
import type { LoadedConfig } from "../src/config/load.ts";
import { parseConfig } from "../src/config/parse.ts";
import { devConfiguration } from "../src/emulator/dev-configuration.ts";
import { createEmulator, type Emulator } from "../src/emulator/emulator.ts";
import { PASSWORD } from "../src/emulator/users.ts";
import { providers } from "../src/provider/index.ts";
import type { Addresses } from "../src/sidecar.ts";
import { environment } from "./config-file.ts";
import { type DevState, openDevState } from "./dev-state.ts";
import { type ExitCode, listenError } from "./exit-code.ts";
import type { DevOptions } from "./program.ts";
import { refreshOptions } from "./refresh-options.ts";
import { serve } from "./serve.ts";
import { refuseOpenDoors } from "./shut-doors.ts";

/** How faults of the built-in configuration would name it. */
const BUILT_IN = "pillion-dev.yaml";

/** The emulator and the proxy together. Ends, with its emulator, as `run` does. */
export async function dev(options: DevOptions): Promise<ExitCode> {
  refuseOpenDoors();
  const state = options.ephemeral ? undefined : openState();
  try {
    return await serveWith(state, options);
  } finally {
    state?.close();
  }
}

async function serveWith(state: DevState | undefined, options: DevOptions): Promise<ExitCode> {
  const { listen, admin, logLevel } = options;
  const emulator = await startEmulator(state, options).catch((error: unknown) => {
    throw listenError(error);
  });
  try {
    const store = state === undefined ? {} : { store: state.store };
    const { text, env } = devConfiguration(emulator, { listen, admin, ...store });
    const surroundings = { ...environment(logLevel), ...env };
    return await serve({
      file: BUILT_IN,
      env: surroundings,
      load: () => parse(text, surroundings),
      onListening(addresses) {
        for (const redirectUri of callbacks(addresses.listen)) emulator.registerRedirectUri(redirectUri);
        process.stdout.write(welcome(addresses, emulator.origin, state?.directory));
      },
    });
  } finally {
    await emulator.stop();
  }
}

const PORT = "port";

/**
 * On the port of the last run, unless another is asked for: a token belongs to the address that it was had from, so
 * sessions would not outlive a change of it. Where somebody else has the port now, on a free one.
 */
async function startEmulator(state: DevState | undefined, options: DevOptions): Promise<Emulator> {
  const { expiresIn, apiLimit } = options;
  const start = async (port: number): Promise<Emulator> => {
    const emulator = createEmulator({
      port,
      expiresInSeconds: expiresIn,
      apiRequestsPerMinute: apiLimit === undefined || apiLimit === 0 ? undefined : apiLimit,
      ...refreshOptions(options),
      ...(state === undefined ? {} : { records: state.records }),
    });
    await emulator.start();
    state?.records.put(PORT, emulator.port);
    return emulator;
  };
  const [last] = state?.records.list(PORT) ?? [];
  if (options.port === undefined && typeof last === "number") {
    try {
      return await start(last);
    } catch {
      // Taken meanwhile.
    }
  }
  return start(options.port ?? 0);
}

/** Where it cannot be had, everything works as before, in memory; one line says so. */
function openState(): DevState | undefined {
  try {
    return openDevState(process.env);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stdout.write(
      `Nothing will be kept when this ends: the state cannot be kept on disk (${reason}).\n`,
    );
    return undefined;
  }
}

/** Pillion's callback by every name that a browser on this machine may use. */
function callbacks(listen: string): readonly string[] {
  const port = /:(\d+)$/.exec(listen)?.[1];
  if (port === undefined || listen.startsWith("unix:")) return [];
  return ["localhost", "127.0.0.1", "[::1]"].map((host) => `http://${host}:${port}/.pillion/callback`);
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
export function welcome(
  { listen, admin }: Addresses,
  emulatorOrigin: string,
  stateDirectory?: string,
): string {
  const port = listen.startsWith("unix:") ? undefined : /:(\d+)$/.exec(listen)?.[1];
  const demo =
    port === undefined
      ? ""
      : `Users sign in, too. Open the demo in a browser (any user it offers, password ${PASSWORD}):

  http://localhost:${port}/demo/

`;
  const kept =
    stateDirectory === undefined
      ? "Sessions, and what is booked, end with this process."
      : `Sessions, and what users book, are kept in ${stateDirectory} (--ephemeral keeps nothing).`;
  return `
Pillion is ready, on an emulator of both providers (${emulatorOrigin}). Try it from another terminal:

  curl 'http://${listen}/zocdoc/v1/providers?npis=9000000001'
  curl http://${listen}/qmatic/isb/services http://${listen}/qmatic/riverside/services
  curl -s http://${admin}/metrics | grep ^pillion_token_requests

No token in sight: Pillion attached it. Without Pillion the same API answers 401:

  curl -i '${emulatorOrigin}/zocdoc/sandbox/v1/providers?npis=9000000001'

${demo}${kept}
Ctrl-C ends both.

`;
}

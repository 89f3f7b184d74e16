import { describe } from "../src/emulator/describe.ts";
import { createEmulator, DEFAULT_REDIRECT_URIS } from "../src/emulator/emulator.ts";
import { EXIT, type ExitCode, listenError } from "./exit-code.ts";
import type { EmulateOptions } from "./program.ts";
import { refreshOptions } from "./refresh-options.ts";
import { signalled } from "./signals.ts";

/** Qmatic's own limit of its API (providers' documentation: 100 requests per minute). */
const QMATIC_REQUESTS_PER_MINUTE = 100;

/**
 * Runs the emulator alone until a signal. With a lifetime of one's own it is a test bench, where the API's limit per
 * minute would only be in the way: then it is off unless asked for.
 */
export async function emulate(options: EmulateOptions): Promise<ExitCode> {
  const { host, port, expiresIn, apiLimit, redirectUri } = options;
  const limit = apiLimit ?? (expiresIn === undefined ? QMATIC_REQUESTS_PER_MINUTE : 0);
  const emulator = createEmulator({
    host,
    port,
    ...(expiresIn === undefined ? {} : { expiresInSeconds: expiresIn }),
    apiRequestsPerMinute: limit === 0 ? undefined : limit,
    redirectUris: [...DEFAULT_REDIRECT_URIS, ...redirectUri],
    ...refreshOptions(options),
  });
  try {
    await emulator.start();
  } catch (error) {
    throw listenError(error);
  }
  process.stdout.write(`${describe(emulator)}\n`);
  await signalled(["SIGTERM", "SIGINT"]);
  await emulator.stop();
  return EXIT.ok;
}

import { ConfigError } from "../src/config/fault.ts";
import type { LoadedConfig } from "../src/config/load.ts";
import type { Environment } from "../src/config/parse.ts";
import { createSystemClock } from "../src/core/clock.ts";
import type { Logger } from "../src/core/log.ts";
import { createMemoryValve } from "../src/core/memory-valve.ts";
import { createPinoLogger } from "../src/core/pino-logger.ts";
import { hostSidecar } from "../src/hosted-sidecar.ts";
import type { Addresses } from "../src/sidecar.ts";
import { createCollector } from "./collector.ts";
import { describeError, EXIT, type ExitCode, listenError } from "./exit-code.ts";
import { createUtilization, settleWhenIdle } from "./settle.ts";
import { VERSION } from "./version.ts";

export interface ServeOptions {
  /** How faults name the configuration. */
  readonly file: string;
  /** Reads the configuration, at the start and for each reload. Throws `ConfigError`. */
  load(): LoadedConfig;
  /** Where secrets of the kind `env` are. */
  readonly env: Environment;
  /** Called once it serves. */
  onListening?(addresses: Addresses): void;
}

/** Serves until SIGTERM, SIGINT or `POST /-/quit`, then drains. A second signal ends the process at once. */
export async function serve({ file, load, env, onListening }: ServeOptions): Promise<ExitCode> {
  const initial = load();
  const { config, warnings } = initial;
  const log = await createPinoLogger({
    level: config.log.level,
    format: config.log.format ?? (process.stdout.isTTY ? "pretty" : "json"),
    color: process.stdout.isTTY,
  });
  const collector = createCollector();
  const ending = Promise.withResolvers<string>();
  const hosted = hostSidecar({
    initial,
    file,
    load,
    env,
    log,
    memory: createMemoryValve({ collect: collector.young }),
    build: { version: VERSION, node: process.version },
    quit: () => ending.resolve("POST /-/quit"),
    onReload: (next) => log.setLevel(next.log.level),
  });
  crashTidily(log, config.log.level === "debug");
  for (const { path, message } of warnings) log.warn("config_warning", { path, detail: message });

  // All of this before the first line that says it serves: whoever reads that line may send a signal at once.
  process.on("SIGHUP", () => {
    try {
      hosted.reload();
    } catch {
      // Logged and counted; the last good configuration serves on.
    }
  });
  const onSignal = (signal: NodeJS.Signals): void => {
    ending.resolve(signal);
    for (const other of ENDING_SIGNALS) {
      process.off(other, onSignal);
      process.on(other, () => process.exit(EXIT.failure));
    }
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);

  const addresses = await hosted.start().catch((error: unknown) => {
    throw error instanceof ConfigError ? error : listenError(error);
  });
  onListening?.(addresses);
  settleWhenIdle({
    clock: createSystemClock(),
    residentBytes: () => process.memoryUsage.rss(),
    utilization: createUtilization(),
    collect: collector.all,
  });
  log.info("shutting_down", { reason: await ending.promise });
  const cut = await hosted.drain();
  log.info("stopped", cut === 0 ? {} : { detail: `${cut} connections were cut at drain.timeout` });
  return cut === 0 ? EXIT.ok : EXIT.failure;
}

/** A fault of our own ends the process, since its state is unknown, but with one line instead of a stack trace. */
function crashTidily(log: Logger, debug: boolean): void {
  process.on("uncaughtException", (error) => {
    log.error("crashed", { error: error.message });
    process.stderr.write(describeError(error, debug));
    process.exit(EXIT.failure);
  });
}

const ENDING_SIGNALS = ["SIGTERM", "SIGINT"] as const;

import { randomBytes, randomUUID } from "node:crypto";
import type { Config } from "../src/config/config.ts";
import { ConfigError } from "../src/config/fault.ts";
import { systemFiles } from "../src/config/files.ts";
import type { LoadedConfig } from "../src/config/load.ts";
import type { Environment } from "../src/config/parse.ts";
import { secretReferences } from "../src/config/secret-references.ts";
import { createSecretSource } from "../src/config/secret-source.ts";
import { type Watcher, watchedPaths, watchFiles } from "../src/config/watch.ts";
import { createSystemClock } from "../src/core/clock.ts";
import type { Logger } from "../src/core/log.ts";
import { createMemoryValve } from "../src/core/memory-valve.ts";
import { createPinoLogger } from "../src/core/pino-logger.ts";
import { type Addresses, createSidecar } from "../src/sidecar.ts";
import { createCollector } from "./collector.ts";
import { describeError, EXIT, type ExitCode, listenError } from "./exit-code.ts";
import { requireReadable } from "./readable.ts";
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
  const { config, warnings } = load();
  const log = createPinoLogger({
    level: config.log.level,
    format: config.log.format ?? (process.stdout.isTTY ? "pretty" : "json"),
    color: process.stdout.isTTY,
  });
  const secrets = createSecretSource({
    env,
    files: systemFiles,
    log,
    onReload: (outcome) => sidecar.secretReloaded(outcome),
  });
  requireReadable(config, file, secrets);
  crashTidily(log, config.log.level === "debug");
  for (const { path, message } of warnings) log.warn("config_warning", { path, detail: message });

  const clock = createSystemClock();
  const ending = Promise.withResolvers<string>();
  const sidecar = createSidecar(config, {
    clock,
    random: Math.random,
    randomBytes,
    log,
    memory: createMemoryValve({ collect: createCollector() }),
    secrets,
    build: { version: VERSION, node: process.version },
    requestId: randomUUID,
    reload: async () => reload(),
    quit: () => ending.resolve("POST /-/quit"),
  });

  let secretFiles = filesOf(config);

  /** All or nothing: until a configuration is read, validated and applied whole, the one before it serves. */
  function reload(): void {
    try {
      // First, so that a fault in the file does not keep a rotated secret out.
      secrets.refreshAll();
      const next = load().config;
      requireReadable(next, file, secrets);
      sidecar.reload(next);
      secrets.retain(secretReferences(next));
      secretFiles = filesOf(next);
      log.setLevel(next.log.level);
      watcher?.update(watchedPaths(next));
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown";
      log.error("config_reload_failed", { error: reason });
      sidecar.reloadFailed(reason);
      throw error;
    }
  }

  function reloadQuietly(): void {
    try {
      reload();
    } catch {
      // Logged and counted; the last good configuration serves on.
    }
  }

  let watcher: Watcher | undefined;
  if (config.reload.watch) {
    watcher = watchFiles({
      ...watchedPaths(config),
      clock,
      onChange(changed) {
        // A rotated secret needs no new routes or sockets; anything else may.
        if (changed.every((path) => secretFiles.has(path))) secrets.refreshAll();
        else reloadQuietly();
      },
    });
  }

  // All of this before the first line that says it serves: whoever reads that line may send a signal at once.
  process.on("SIGHUP", reloadQuietly);
  const onSignal = (signal: NodeJS.Signals): void => {
    ending.resolve(signal);
    for (const other of ENDING_SIGNALS) {
      process.off(other, onSignal);
      process.on(other, () => process.exit(EXIT.failure));
    }
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);

  try {
    const addresses = await sidecar.start().catch((error: unknown) => {
      throw error instanceof ConfigError ? error : listenError(error);
    });
    onListening?.(addresses);
    log.info("shutting_down", { reason: await ending.promise });
  } finally {
    watcher?.close();
  }
  const cut = await sidecar.drain();
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

function filesOf(config: Config): ReadonlySet<string> {
  return new Set(
    secretReferences(config).flatMap((reference) => (reference.kind === "file" ? [reference.path] : [])),
  );
}

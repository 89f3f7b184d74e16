import { randomUUID } from "node:crypto";
import type { Config } from "../src/config/config.ts";
import { ConfigError } from "../src/config/fault.ts";
import { systemFiles } from "../src/config/files.ts";
import type { LoadedConfig } from "../src/config/load.ts";
import type { Environment } from "../src/config/parse.ts";
import { secretReferences } from "../src/config/secret-references.ts";
import { createSecretSource, type SecretSource } from "../src/config/secret-source.ts";
import { watchedPaths, watchFiles } from "../src/config/watch.ts";
import { createSystemClock } from "../src/core/clock.ts";
import { createPinoLogger } from "../src/core/pino-logger.ts";
import { type Addresses, createSidecar } from "../src/sidecar.ts";
import { EXIT, type ExitCode, listenError } from "./exit-code.ts";
import { VERSION } from "./version.ts";

export interface ServeOptions {
  /** Reads the configuration, at the start and for each reload. Throws `ConfigError`. */
  load(): LoadedConfig;
  /** Where secrets of the kind `env` are. */
  readonly env: Environment;
  /** Called once it serves. */
  onListening?(addresses: Addresses): void;
}

/** Serves until SIGTERM, SIGINT or `POST /-/quit`, then drains. A second signal ends the process at once. */
export async function serve({ load, env, onListening }: ServeOptions): Promise<ExitCode> {
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
  requireSecrets(config, secrets);
  for (const { path, message } of warnings) log.warn("config_warning", { path, detail: message });

  const clock = createSystemClock();
  const ending = Promise.withResolvers<string>();
  const sidecar = createSidecar(config, {
    clock,
    random: Math.random,
    log,
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
      const next = load().config;
      secrets.refreshAll();
      requireSecrets(next, secrets);
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

  const addresses = await sidecar.start().catch((error: unknown) => {
    throw listenError(error);
  });
  onListening?.(addresses);

  const watcher = config.reload.watch
    ? watchFiles({
        ...watchedPaths(config),
        clock,
        onChange(changed) {
          // A rotated secret needs no new routes or sockets; anything else may.
          if (changed.every((path) => secretFiles.has(path))) secrets.refreshAll();
          else reloadQuietly();
        },
      })
    : undefined;

  process.on("SIGHUP", reloadQuietly);
  const onSignal = (signal: NodeJS.Signals): void => {
    ending.resolve(signal);
    for (const other of ENDING_SIGNALS) {
      process.off(other, onSignal);
      process.on(other, () => process.exit(EXIT.failure));
    }
  };
  for (const signal of ENDING_SIGNALS) process.on(signal, onSignal);

  log.info("shutting_down", { reason: await ending.promise });
  watcher?.close();
  const cut = await sidecar.drain();
  log.info("stopped", cut === 0 ? {} : { detail: `${cut} connections were cut at drain.timeout` });
  return cut === 0 ? EXIT.ok : EXIT.failure;
}

const ENDING_SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** An unreadable secret is a configuration error. All of them at once, one line each. */
export function requireSecrets(config: Config, secrets: SecretSource): void {
  const faults = secrets.resolveAll(secretReferences(config));
  if (faults.length > 0) throw new ConfigError(faults.map(({ message }) => message).join("\n"));
}

function filesOf(config: Config): ReadonlySet<string> {
  return new Set(
    secretReferences(config).flatMap((reference) => (reference.kind === "file" ? [reference.path] : [])),
  );
}

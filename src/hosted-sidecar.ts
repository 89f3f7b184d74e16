import { randomBytes, randomUUID } from "node:crypto";
import type { BuildInfo } from "./admin/metrics.ts";
import type { Config } from "./config/config.ts";
import { explained } from "./config/fault.ts";
import { systemFiles } from "./config/files.ts";
import type { Environment } from "./config/parse.ts";
import { requireReadable } from "./config/readable.ts";
import { secretReferences } from "./config/secret-references.ts";
import { createSecretSource } from "./config/secret-source.ts";
import { type Watcher, watchedPaths, watchFiles } from "./config/watch.ts";
import { createSystemClock, type Timer } from "./core/clock.ts";
import type { Logger } from "./core/log.ts";
import type { MemoryValve } from "./core/memory-valve.ts";
import { type Addresses, createSidecar } from "./sidecar.ts";

/** A configuration that is valid, with its text where that lies in no file. */
export interface HostedConfig {
  readonly config: Config;
  readonly text?: string;
}

export interface HostOptions {
  readonly initial: HostedConfig;
  /** How faults name the configuration. */
  readonly file: string;
  /** Reads the configuration for a reload. Throws `ConfigError`. */
  load(): HostedConfig;
  /** Where secrets of the kind `env` are. */
  readonly env: Environment;
  readonly log: Logger;
  readonly memory: MemoryValve;
  readonly build: BuildInfo;
  /** `POST /-/quit`. */
  quit(): void;
  /** Called with each configuration that a reload put in place. */
  onReload?(config: Config): void;
}

export interface HostedSidecar {
  /** As `Sidecar.start`; from now on files are watched, when the configuration says so. */
  start(): Promise<Addresses>;
  /** All or nothing: throws, logs and counts what is wrong, and the configuration before it serves on. */
  reload(): void;
  /** Watches nothing any more; what is in flight goes on. */
  unwatch(): void;
  /** As `Sidecar.drain`. */
  drain(): Promise<number>;
  /** As `Sidecar.stop`. */
  stop(): Promise<void>;
}

/**
 * What a refused configuration lacks may lie where nothing is watched yet: a secret that is mounted a moment later, a folder
 * of tenants. So it is tried again, quietly, and for a twentieth of the time at most.
 */
const RETRY_MS = 2_000;
const RETRY_SHARE = 20;

/**
 * A sidecar together with the files that it is made of: secrets, PEM files, the configuration itself, read again when
 * they change. Throws `ConfigError` when something that the configuration refers to cannot be read.
 */
export function hostSidecar(options: HostOptions): HostedSidecar {
  const { initial, file, env, log } = options;
  const clock = createSystemClock();
  const secrets = createSecretSource({
    env,
    files: systemFiles,
    log,
    onReload: (outcome) => sidecar.secretReloaded(outcome),
  });
  requireReadable(initial.config, file, secrets, initial.text);

  const sidecar = createSidecar(initial.config, {
    clock,
    random: Math.random,
    randomBytes,
    log,
    memory: options.memory,
    secrets,
    build: options.build,
    requestId: randomUUID,
    reload: async () => reload(),
    quit: options.quit,
  });
  let current = initial.config;
  let secretFiles = filesOf(current);
  let watcher: Watcher | undefined;

  let refusal: string | undefined;
  let retry: Timer | undefined;

  function reload(): void {
    // First, so that a fault in the file does not keep a rotated secret out.
    secrets.refreshAll();
    refusal = undefined;
    apply();
  }

  function apply(): void {
    try {
      const { config: next, text } = options.load();
      requireReadable(next, file, secrets, text);
      sidecar.reload(next);
      secrets.retain(secretReferences(next));
      current = next;
      secretFiles = filesOf(next);
      options.onReload?.(next);
      watcher?.update(watchedPaths(next));
      retry?.cancel();
    } catch (error) {
      const reason = explained(error);
      if (reason !== refusal) {
        log.error("config_reload_failed", { error: reason });
        sidecar.reloadFailed(reason);
      }
      refusal = reason;
      throw error;
    }
  }

  function attempt(change: () => void): void {
    retry?.cancel();
    const startedAtMs = clock.now();
    try {
      change();
    } catch {
      // Logged and counted; the last good configuration serves on.
      const tookMs = clock.now() - startedAtMs;
      retry = clock.schedule(Math.max(RETRY_MS, tookMs * RETRY_SHARE), () => attempt(apply));
    }
  }

  function onChange(changed: readonly string[]): void {
    // A rotated secret needs no new routes or sockets; anything else may.
    if (changed.every((path) => secretFiles.has(path))) {
      secrets.refreshAll();
      return;
    }
    attempt(reload);
  }

  function unwatch(): void {
    retry?.cancel();
    watcher?.close();
    watcher = undefined;
  }

  return {
    async start() {
      if (current.reload.watch) watcher = watchFiles({ ...watchedPaths(current), clock, onChange });
      try {
        return await sidecar.start();
      } catch (error) {
        unwatch();
        throw error;
      }
    },
    reload,
    unwatch,
    drain() {
      unwatch();
      return sidecar.drain();
    },
    stop() {
      unwatch();
      return sidecar.stop();
    },
  };
}

function filesOf(config: Config): ReadonlySet<string> {
  return new Set(
    secretReferences(config).flatMap((reference) => (reference.kind === "file" ? [reference.path] : [])),
  );
}

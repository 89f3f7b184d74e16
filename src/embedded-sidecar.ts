import { resolve } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { ConfigError } from "./config/fault.ts";
import { systemFiles } from "./config/files.ts";
import { loadConfig } from "./config/load.ts";
import { parseConfig } from "./config/parse.ts";
import { type Logger, silentLogger } from "./core/log.ts";
import { openValve } from "./core/memory-valve.ts";
import { nodeVersionFault } from "./core/node-version.ts";
import { type HostedConfig, hostSidecar } from "./hosted-sidecar.ts";
import { providers } from "./provider/index.ts";
import type { Addresses } from "./sidecar.ts";

/** The configuration, in one of three forms; each is validated as `pillion check` does. */
export type SidecarConfiguration =
  /** As an object, with the keys of docs/reference/configuration.md. */
  | { readonly config: Readonly<Record<string, unknown>> }
  /** As YAML. */
  | { readonly configText: string }
  /** As the path of a YAML file, which is watched, unless `reload: { watch: false }` stands in it. */
  | { readonly configFile: string };

export type SidecarOptions = SidecarConfiguration & {
  /** What relative paths of an object or a text start from. Default: the working directory. Of a file: where it lies. */
  readonly directory?: string;
  /**
   * Where `{ env: NAME }` and the overrides `PILLION_LISTEN`, `PILLION_ADMIN` and `PILLION_LOG_LEVEL` are looked up.
   * Default: nowhere; hand in `process.env` to use the process's own.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where events go; `log` of the configuration (level, format) is yours to apply. Default: nowhere. */
  readonly log?: Logger;
};

/** Pillion inside this process. It sets no signal handler, ends no process and writes to no console. */
export interface EmbeddedSidecar extends AsyncDisposable {
  /**
   * Serves. Resolves to the addresses with their real ports (`127.0.0.1:41234`). Rejects with Node's error when an
   * address cannot be had (`code` EADDRINUSE, …), and with `ConfigError` when the store cannot be used as configured.
   * Call it once.
   */
  start(): Promise<Addresses>;
  /**
   * Puts another configuration in place, or reads the file again; requests under way keep the one they began with.
   * Throws `ConfigError` when it cannot be used: the one before it serves on. Addresses and store stay as they are.
   */
  reload(next?: SidecarConfiguration): void;
  /** Goes down as on SIGTERM (`drain` of the configuration). Resolves to the number of connections that were cut. */
  drain(): Promise<number>;
  /** Goes down at once, cutting what is under way; while a drain runs, waits for its end. May be called at any time, more than
   * once; `await using` does. */
  stop(): Promise<void>;
}

/** How faults name a configuration that lies in no file. */
const NO_FILE = "config";

/**
 * Makes a sidecar of a configuration, and opens nothing yet. Throws `ConfigError`, with every fault at once, when the
 * configuration cannot be used or a secret that it refers to cannot be read, and `Error` on a Node that must not serve.
 */
export function createSidecar(options: SidecarOptions): EmbeddedSidecar {
  // biome-ignore lint/style/noRestrictedGlobals: nothing but what this runs on; a library has no command line to be told by
  const { versions, version: node } = process;
  const nodeFault = nodeVersionFault(versions.node);
  if (nodeFault !== undefined) throw new Error(nodeFault);

  refuseAmbiguous(options);
  const { directory = ".", env = {}, log = silentLogger } = options;
  let source: SidecarConfiguration = options;
  let state: "made" | "serving" | "over" = "made";
  let ending: Promise<number> | undefined;

  const hosted = hostSidecar({
    initial: read(source, directory, env),
    file: nameOf(source),
    load: () => read(source, directory, env),
    env,
    log,
    // The collector of young garbage is the whole process's; its owner decides on it.
    memory: openValve,
    build: { version: manifest.version, node },
    quit: () => void drain().catch((error: unknown) => log.error("drain_failed", { error: String(error) })),
  });

  function drain(): Promise<number> {
    if (state === "made") state = "over";
    if (state === "over") return ending ?? Promise.resolve(0);
    state = "over";
    ending = hosted.drain();
    return ending;
  }

  async function stop(): Promise<void> {
    const wasServing = state === "serving";
    state = "over";
    if (wasServing) {
      const stopped = hosted.stop();
      ending = stopped.then(() => 0);
      await stopped;
    } else await ending;
  }

  return {
    async start() {
      if (state !== "made")
        throw new Error("a sidecar is started once; make another one with createSidecar()");
      state = "serving";
      try {
        return await hosted.start();
      } catch (error) {
        state = "over";
        throw error;
      }
    },
    reload(next) {
      if (next !== undefined) refuseAmbiguous(next);
      const before = source;
      source = next ?? before;
      try {
        hosted.reload();
      } catch (error) {
        source = before;
        throw error;
      }
    },
    drain,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function read(
  source: SidecarConfiguration,
  directory: string,
  env: Readonly<Record<string, string | undefined>>,
): HostedConfig {
  const deps = { providers, env, files: systemFiles };
  if ("configFile" in source) return loadConfig(source.configFile, { ...deps, cwd: resolve() });
  // JSON is YAML, so that an object is read by the very parser that reads a file.
  const text = "configText" in source ? source.configText : JSON.stringify(source.config, null, 2);
  const { config, faults } = parseConfig(text, { ...deps, file: NO_FILE, directory: resolve(directory) });
  if (config === undefined) throw new ConfigError(faults);
  return { config, text };
}

/** The compiler says so to those who have one. */
function refuseAmbiguous(source: SidecarConfiguration): void {
  const given = ["config", "configText", "configFile"].filter((key) => Object.hasOwn(source, key));
  if (given.length !== 1) throw new TypeError("give exactly one of config, configText and configFile");
}

function nameOf(source: SidecarConfiguration): string {
  return "configFile" in source ? source.configFile : NO_FILE;
}

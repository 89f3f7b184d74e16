import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import type { StoreConfig } from "../config/config.ts";
import { ConfigError } from "../config/fault.ts";
import { silentLogger } from "../core/log.ts";
import { openVault } from "../store/open-vault.ts";
import type { Vault } from "../store/vault.ts";
import type { Surroundings } from "./examination.ts";
import { failure, ok, type Verdict } from "./finding.ts";

/** So that a record that is left behind, by a store that fails in between, does not stay. */
const RECORD_LIFETIME_MS = 30_000;

/**
 * Opens the store as a serving process does, and seals, writes, reads and removes one record. An SQLite file that is not
 * there yet is not made: it would belong to whoever runs the examination.
 */
export async function examineStore(config: StoreConfig, surroundings: Surroundings): Promise<Verdict> {
  if (config.kind === "memory") {
    return ok("memory: tokens and sessions do not outlive the process", { store: "memory" });
  }
  const facts = { store: config.kind };
  if (config.kind === "sqlite" && !(await exists(config.file))) {
    return (await isWritable(dirname(config.file)))
      ? ok(`sqlite: ${config.file} is not there yet; the first run makes it`, facts)
      : failure(
          {
            reason: `sqlite: ${config.file} is not there, and its directory cannot be written to`,
            hint: "make the directory, writable by the user that Pillion runs as",
          },
          facts,
        );
  }
  const { clock, secrets, randomBytes } = surroundings;
  let vault: Vault | undefined;
  try {
    vault = await openVault(config, {
      clock,
      secrets,
      log: silentLogger,
      observer: { operated() {} },
      randomBytes,
    });
    const startMs = clock.now();
    const faultOfTrip = await roundTrip(vault, surroundings);
    const ms = Math.round(clock.now() - startMs);
    if (faultOfTrip !== undefined)
      return failure({ reason: `${config.kind}: ${faultOfTrip}`, hint: hintFor(config) }, facts);
    return ok(`${config.kind}: a sealed record was written, read and removed in ${ms} ms`, {
      ...facts,
      duration_ms: ms,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    const hint = error instanceof ConfigError ? "correct it: run would refuse to start" : hintFor(config);
    return failure({ reason, hint }, facts);
  } finally {
    await vault?.close();
  }
}

/** What went wrong, unless it threw. */
async function roundTrip(vault: Vault, { clock, randomBytes }: Surroundings): Promise<string | undefined> {
  const key = `doctor-${randomBytes(16).toString("hex")}`;
  const content = { mark: randomBytes(8).toString("hex") };
  await vault.write("session", key, content, { expiresAtMs: clock.wall() + RECORD_LIFETIME_MS });
  const record = await vault.take("session", key);
  return JSON.stringify(record?.content) === JSON.stringify(content)
    ? undefined
    : "what was written could not be read again";
}

function hintFor(config: Exclude<StoreConfig, { kind: "memory" }>): string {
  return config.kind === "sqlite"
    ? "check the disk, and that the file belongs to the user that Pillion runs as"
    : "check the URL's host, port and password, store.redis.tls, and what a NetworkPolicy lets out; without the store sessions get 503, and machine tokens go on";
}

function exists(file: string): Promise<boolean> {
  return isAllowed(file, constants.F_OK);
}

/** Directories that are missing are made; the nearest one that is there decides. */
async function isWritable(directory: string): Promise<boolean> {
  if (await exists(directory)) return isAllowed(directory, constants.W_OK | constants.X_OK);
  const parent = dirname(directory);
  return parent !== directory && isWritable(parent);
}

function isAllowed(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

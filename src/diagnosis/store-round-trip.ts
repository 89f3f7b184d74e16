import { access, constants } from "node:fs/promises";
import { dirname } from "node:path";
import type { StoreConfig } from "../config/config.ts";
import { ConfigError } from "../config/fault.ts";
import { silentLogger } from "../core/log.ts";
import { openVault } from "../store/open-vault.ts";
import type { Vault } from "../store/vault.ts";
import type { Surroundings } from "./examination.ts";
import { failure, ok, type Verdict } from "./finding.ts";
import { redisHint } from "./redis-hints.ts";

/** So that a record that is left behind, by a store that fails in between, does not stay. */
const RECORD_LIFETIME_MS = 30_000;
/** Servers that are slow to connect, or Sentinels of which some are silent: their reason is waited for. */
const CONNECTING_MS = 5_000;
const AGAIN_MS = 100;
/** Of so many keys some are at each node of a cluster. */
const KEYS = 256;

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
    await connected(vault, surroundings);
    const startMs = clock.now();
    const keys = keysOfAllParts(vault, surroundings);
    for (const key of keys) {
      const faultOfTrip = await roundTrip(vault, key, surroundings);
      if (faultOfTrip !== undefined) {
        return failure(
          { reason: `${config.kind}: ${faultOfTrip}`, hint: hintFor(config, faultOfTrip) },
          facts,
        );
      }
    }
    const ms = Math.round(clock.now() - startMs);
    const where = keys.length === 1 ? "" : ` at each of ${keys.length} nodes`;
    return ok(`${config.kind}: a sealed record was written, read and removed${where} in ${ms} ms`, {
      ...facts,
      duration_ms: ms,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    const hint =
      error instanceof ConfigError ? "correct it: run would refuse to start" : hintFor(config, reason);
    return failure({ reason, hint }, facts);
  } finally {
    await vault?.close();
  }
}

/** A start waits a second for Redis; who examines it wants to know why it takes longer. */
async function connected(vault: Vault, { clock }: Surroundings): Promise<void> {
  const endMs = clock.now() + CONNECTING_MS;
  for (;;) {
    try {
      await vault.read("session", "doctor");
      return;
    } catch (error) {
      const isEarly = error instanceof Error && error.message.includes("not connected yet");
      if (!isEarly || clock.now() >= endMs) return;
    }
    await new Promise<void>((resolve) => void clock.schedule(AGAIN_MS, resolve));
  }
}

/** One that is in each part of the store. */
function keysOfAllParts(vault: Vault, { randomBytes }: Surroundings): readonly string[] {
  const keys = new Map<string | undefined, string>();
  for (let count = 0; count < KEYS; count += 1) {
    const key = `doctor-${randomBytes(16).toString("hex")}`;
    keys.set(vault.partOf("session", key), key);
  }
  return [...keys.values()];
}

/** What went wrong, where the store is in parts with the one in which it did. */
async function roundTrip(
  vault: Vault,
  key: string,
  { clock, randomBytes }: Surroundings,
): Promise<string | undefined> {
  const part = vault.partOf("session", key);
  const where = part === undefined ? "" : `${part}: `;
  const content = { mark: randomBytes(8).toString("hex") };
  try {
    await vault.write("session", key, content, { expiresAtMs: clock.wall() + RECORD_LIFETIME_MS });
    const record = await vault.take("session", key);
    return JSON.stringify(record?.content) === JSON.stringify(content)
      ? undefined
      : `${where}what was written could not be read again`;
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    return `${where}${reason.replace(/^redis: /, "")}`;
  }
}

function hintFor(config: Exclude<StoreConfig, { kind: "memory" }>, reason: string): string {
  return config.kind === "sqlite"
    ? "check the disk, and that the file belongs to the user that Pillion runs as"
    : redisHint(reason);
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

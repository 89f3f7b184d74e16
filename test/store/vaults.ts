/** Vaults as the composition root opens them, over secrets and observers that a test holds. */
import { randomBytes } from "node:crypto";
import type { SecretReference, StoreConfig } from "../../src/config/config.ts";
import type { Clock } from "../../src/core/clock.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import type { LogFields, Logger } from "../../src/core/log.ts";
import { Secret } from "../../src/core/secret.ts";
import { openVault } from "../../src/store/open-vault.ts";
import type { Vault } from "../../src/store/vault.ts";

export interface VaultBed {
  readonly keys: readonly SecretReference[];
  /** Environment variables that references name. */
  readonly env: Map<string, Secret>;
  readonly vault: (config: StoreConfig) => Promise<Vault>;
  /** `op outcome`, in order. */
  readonly operations: readonly string[];
  /** Log lines as JSON. */
  readonly lines: readonly string[];
}

export function createVaultBed({ clock = createSystemClock() }: { readonly clock?: Clock } = {}): VaultBed {
  const operations: string[] = [];
  const lines: string[] = [];
  const env = new Map([["KEY", new Secret(randomBytes(32).toString("base64"))]]);
  const note =
    (level: string) =>
    (event: string, fields: LogFields = {}): void =>
      void lines.push(JSON.stringify({ level, event, ...fields }));
  const log: Logger = { error: note("error"), warn: note("warn"), info: note("info"), debug: note("debug") };
  const read = (reference: SecretReference): Secret => {
    const secret = env.get(reference.kind === "env" ? reference.name : reference.path);
    if (secret === undefined) throw new Error("no such secret");
    return secret;
  };
  const observer = {
    operated: (...[operation, outcome]: readonly [string, string]) =>
      void operations.push(`${operation} ${outcome}`),
  };
  return {
    keys: [{ kind: "env", name: "KEY" }],
    env,
    operations,
    lines,
    vault: (config) => openVault(config, { clock, secrets: { read }, log, observer, randomBytes }),
  };
}

export const redisConfig = (
  url: string,
  keys: readonly SecretReference[],
): Extract<StoreConfig, { kind: "redis" }> => ({
  kind: "redis",
  url: { kind: "literal", value: url },
  prefix: "pillion:",
  tls: undefined,
  encryptionKeys: keys,
});

import type { SecretReference, StoreConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import { createKeyring, encryptionKey, KEY_BYTES, type Keyring } from "./encryption-keys.ts";
import { createGuardedStore } from "./guarded-store.ts";
import { createMemoryStore } from "./memory-store.ts";
import { createSealedVault } from "./sealed-vault.ts";
import type { Store, StoreObserver } from "./store.ts";
import type { Vault } from "./vault.ts";

export interface VaultDeps {
  readonly clock: Clock;
  /** Asked at each use: a rotated key or URL is taken up without a restart. */
  readonly secrets: { read(reference: SecretReference): Secret };
  readonly log: Logger;
  readonly observer: StoreObserver;
  randomBytes(size: number): Buffer;
}

/**
 * The vault that the configuration asks for. A Redis that is down is no error: the vault heals when it is back.
 *
 * @throws `ConfigError` for encryption keys, a URL or a file that cannot be used
 */
export async function openVault(config: StoreConfig, deps: VaultDeps): Promise<Vault> {
  const { observer, randomBytes } = deps;
  const keys = openKeyring(config, deps);
  const store = await openStore(config, deps);
  return createSealedVault({ store, keys, randomBytes, observer });
}

/** Memory outlives nothing: a key of this process, which nobody has to make. */
function openKeyring(config: StoreConfig, { secrets, log, randomBytes }: VaultDeps): Keyring {
  if (config.kind === "memory") {
    const keys = [encryptionKey(randomBytes(KEY_BYTES))];
    return () => keys;
  }
  return createKeyring(() => config.encryptionKeys.map((reference) => secrets.read(reference)), log);
}

async function openStore(config: StoreConfig, deps: VaultDeps): Promise<Store> {
  const { clock, randomBytes } = deps;
  switch (config.kind) {
    case "memory":
      return createMemoryStore(clock);
    // Each loaded where it is asked for: most sidecars keep nothing.
    case "sqlite": {
      const { openSqliteStore } = await import("./sqlite-store.ts");
      return createGuardedStore(await openSqliteStore(config.file, { clock, randomBytes }), deps);
    }
    case "redis": {
      const { openRedisStore } = await import("./open-redis-store.ts");
      return createGuardedStore(await openRedisStore(config, deps), deps);
    }
  }
}

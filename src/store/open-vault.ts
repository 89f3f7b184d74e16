import type { SecretReference, StoreConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import { createKeyring, encryptionKey, KEY_BYTES, type Keyring } from "./encryption-keys.ts";
import { createGuardedStore } from "./guarded-store.ts";
import { createMemoryStore } from "./memory-store.ts";
import { createPatience } from "./patience.ts";
import { parseRedisUrl } from "./redis-address.ts";
import { connectRedis } from "./redis-servers.ts";
import { createRedisStore } from "./redis-store.ts";
import { createSealedVault } from "./sealed-vault.ts";
import { openSqliteStore } from "./sqlite-store.ts";
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

/** The start waits this long for Redis, so that the first requests find it connected; then it starts without. */
const FIRST_CONNECTION_MS = 1_000;
/** Of a start that takes its time itself, one of many on a small machine, little counts as Redis's. */
const TICK_MS = 20;

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
    case "sqlite":
      return createGuardedStore(await openSqliteStore(config.file, { clock, randomBytes }), deps);
    case "redis":
      return createGuardedStore(await openRedisStore(config, deps), deps);
  }
}

async function openRedisStore(
  { url, tls, prefix }: Extract<StoreConfig, { kind: "redis" }>,
  { clock, secrets, log, randomBytes }: VaultDeps,
): Promise<Store> {
  const servers = () => parseRedisUrl(url.kind === "literal" ? url.value : secrets.read(url).reveal(), tls);
  const random = (): number => randomBytes(4).readUInt32BE() / 2 ** 32;
  const connection = connectRedis({ clock, log, random, servers });
  await new Promise<void>((resolve) => {
    const timer = createPatience(clock, TICK_MS).wait(FIRST_CONNECTION_MS, resolve);
    void connection.tried.then(() => {
      timer.cancel();
      resolve();
    });
  });
  return createRedisStore({ connection, prefix, clock, randomBytes });
}

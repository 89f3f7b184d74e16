import type { Keyring } from "./encryption-keys.ts";
import { NONCE_BYTES, open, type RecordIdentity, recordName, seal } from "./sealing.ts";
import {
  asStoreUnavailable,
  LOCK,
  type Store,
  type StoredValue,
  type StoreObserver,
  type StoreOperation,
  StoreUnavailable,
} from "./store.ts";
import type { OpenedRecord, RecordKind, Vault } from "./vault.ts";

export interface SealedVaultDeps {
  readonly store: Store;
  readonly keys: Keyring;
  randomBytes(size: number): Buffer;
  readonly observer: StoreObserver;
}

/** A vault over any store. Each operation is observed once, as it ended. */
export function createSealedVault({ store, keys, randomBytes, observer }: SealedVaultDeps): Vault {
  async function observed<T>(operation: StoreOperation, task: () => Promise<T>): Promise<T> {
    try {
      const result = await task();
      observer.operated(operation, result === UNREADABLE ? "unreadable" : "success");
      return result;
    } catch (error) {
      const unavailable = asStoreUnavailable(error);
      observer.operated(operation, unavailable.skipped ? "skipped" : "unavailable");
      throw unavailable;
    }
  }

  async function opened(
    operation: "read" | "take",
    identity: RecordIdentity,
  ): Promise<OpenedRecord | undefined> {
    const name = recordName(identity);
    const record = await observed(operation, async () => {
      const stored = await store[operation](name);
      return stored === undefined ? undefined : openRecord(stored, identity);
    });
    return record === UNREADABLE ? undefined : record;
  }

  function openRecord(stored: StoredValue, identity: RecordIdentity): OpenedRecord | typeof UNREADABLE {
    const plaintext = open(stored.value, identity, keys());
    if (plaintext === undefined) return UNREADABLE;
    try {
      return { content: JSON.parse(plaintext.toString()), version: stored.version };
    } catch {
      return UNREADABLE;
    }
  }

  return {
    shared: store.shared,
    read: (kind, key) => opened("read", { kind, key }),
    take: (kind, key) => opened("take", { kind, key }),
    write: (kind, key, content, options) =>
      observed("write", async () => {
        const identity = { kind, key };
        const [encryptionKey] = keys();
        if (encryptionKey === undefined) throw new StoreUnavailable("there is no encryption key");
        const plaintext = Buffer.from(JSON.stringify(content));
        const sealed = seal(plaintext, identity, encryptionKey, randomBytes(NONCE_BYTES));
        const name = recordName(identity);
        const version = await store.write(name, sealed, options);
        if (version !== undefined || options.expected !== "absent") return version;
        const stored = await store.read(name);
        return stored !== undefined && openRecord(stored, identity) === UNREADABLE
          ? store.write(name, sealed, { ...options, expected: stored.version })
          : undefined;
      }),
    remove: (kind, key, expected) =>
      observed("remove", () => store.remove(recordName({ kind, key }), expected)),
    lock: (kind, key, ttlMs) => observed("lock", () => store.lock(lockName(kind, key), ttlMs)),
    countByCredential: () => observed("count", () => store.countByCredential()),
    time: () => store.time(),
    partOf: (kind, key) => store.partOf?.(recordName({ kind, key })),
    close: () => store.close(),
  };
}

/** A record is there that this vault cannot open: for its callers none, for whoever reads the metrics a sign. */
const UNREADABLE = Symbol("unreadable");

function lockName(kind: RecordKind, key: string): string {
  return `${LOCK}${recordName({ kind, key })}`;
}

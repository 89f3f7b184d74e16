import type { Lock, StoreTime, Version, WriteOptions } from "./store.ts";

/** What a record is of. Part of its name and of what its seal covers: one kind never passes for another. */
export type RecordKind = "session" | "login" | "token";

export interface OpenedRecord {
  /** Parsed JSON. */
  readonly content: unknown;
  readonly version: Version;
}

/**
 * Records that only whoever knows their key can read: the name in the store is a hash of the key, the content is sealed
 * with AES-256-GCM under a key derived from an encryption key of the configuration and the record's own key, and the
 * seal covers the name. What cannot be opened (tampered with, swapped, sealed with a key that is gone) is absent.
 *
 * `key` is the opaque secret that names the record: a session id, a login's state, a token's full cache key.
 * All that ask reject with `StoreUnavailable`, and with nothing else.
 */
export interface Vault {
  /** Whether another process may change what is in it. */
  readonly shared: boolean;
  read(kind: RecordKind, key: string): Promise<OpenedRecord | undefined>;
  /**
   * `content` is made JSON. The new version; undefined: `expected` was not what was there. What cannot be opened counts
   * as absent here, too, and is overwritten.
   */
  write(kind: RecordKind, key: string, content: unknown, options: WriteOptions): Promise<Version | undefined>;
  remove(kind: RecordKind, key: string, expected?: Version): Promise<boolean>;
  take(kind: RecordKind, key: string): Promise<OpenedRecord | undefined>;
  /** Runs at most once at a time for one record, over all processes; undefined: somebody else is at it. */
  lock(kind: RecordKind, key: string, ttlMs: number): Promise<Lock | undefined>;
  countByCredential(): Promise<ReadonlyMap<string, number>>;
  /** The store's own time, without asking. */
  time(): StoreTime;
  /** As `Store.partOf`. */
  partOf(kind: RecordKind, key: string): string | undefined;
  close(): Promise<void>;
}

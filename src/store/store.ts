import type { Clock } from "../core/clock.ts";

/**
 * Where sealed values are kept: memory, SQLite, or Redis. A value is opaque here, and so is its name, which holds no
 * more than a hash of whatever it stands for. `store/vault.ts` seals and opens.
 */

/** Changes with each write of a record; equal only for the same write. */
export type Version = string;

export interface StoredValue {
  readonly value: Uint8Array;
  readonly version: Version;
}

export interface WriteOptions {
  /** Unix milliseconds. From then on the record does not exist; nothing is kept for ever. */
  readonly expiresAtMs: number;
  /**
   * What must be there for the write to happen: that version, or nothing at all. undefined: whatever is there. So a
   * slow writer cannot overwrite what a quicker one wrote (compare and set).
   */
  readonly expected?: Version | "absent";
  /**
   * What it is counted as, and bounded by: at most `limit` records of one class, the least recently written going
   * first. Default: not counted.
   */
  readonly class?: { readonly name: string; readonly limit: number };
  /** Credentials whose sessions it is one of, for the metric `sessions`. Names of the configuration, no secrets. */
  readonly credentials?: readonly string[];
}

/** Begins the name of the lock of a record, before the record's name. */
export const LOCK = "lock:";

/** Held until it is released or its time is over; a process that dies holds it no longer than that. */
export interface Lock {
  /**
   * Held for `ttlMs` from now on. False: it had run out, and somebody else may hold it. Rejects with `StoreUnavailable`.
   */
  renew(ttlMs: number): Promise<boolean>;
  /** Never rejects: a lock that cannot be released runs out. Releases only what this holder holds. */
  release(): Promise<void>;
}

/**
 * What time it is where the records are, in Unix milliseconds. Processes that share a store may have wrong clocks; they
 * agree on this one. Not before `earliestMs`, not after `latestMs`: the answer was on its way for some time.
 */
export interface StoreTime {
  readonly earliestMs: number;
  readonly latestMs: number;
}

/** Every asking method rejects with `StoreUnavailable` when the store cannot be asked, and with nothing else. */
export interface Store {
  readonly kind: "memory" | "sqlite" | "redis";
  /** Whether another process may change what is in it. */
  readonly shared: boolean;
  read(name: string): Promise<StoredValue | undefined>;
  /** The new version; undefined: not written, since `expected` was not what was there. */
  write(name: string, value: Uint8Array, options: WriteOptions): Promise<Version | undefined>;
  /** True: it was there, in the version that is `expected` if one is, and is no more. */
  remove(name: string, expected?: Version): Promise<boolean>;
  /** Reads and removes in one step: of two callers one gets it. */
  take(name: string): Promise<StoredValue | undefined>;
  /** undefined: somebody else holds it. */
  lock(name: string, ttlMs: number): Promise<Lock | undefined>;
  /** Records that are there now, by credential named in `WriteOptions`. */
  countByCredential(): Promise<ReadonlyMap<string, number>>;
  /** As far as it is known here, without asking. */
  time(): StoreTime;
  /**
   * Which of its parts a record and its lock are in, where one part may fail without the others; without asking.
   * undefined, or no such method: all is in one, or it is not known yet.
   */
  partOf?(name: string): string | undefined;
  close(): Promise<void>;
}

/** Of a store that goes by this machine's clock. */
export function wallTime(clock: Clock): StoreTime {
  const nowMs = clock.wall();
  return { earliestMs: nowMs, latestMs: nowMs };
}

export type StoreOperation = "read" | "write" | "remove" | "take" | "lock" | "count";
/** `unavailable`: it could not be asked, or not in time; `skipped`: not asked, since it has just been unavailable. */
export type StoreOutcome = "success" | "unavailable" | "skipped" | "unreadable";

/** For the metric `store_operations_total{op,outcome}`. Must be cheap and must not throw. */
export interface StoreObserver {
  operated(operation: StoreOperation, outcome: StoreOutcome): void;
}

export interface StoreUnavailableOptions extends ErrorOptions {
  /** It was not asked, since it has just been unavailable. Default false. */
  readonly skipped?: boolean;
}

/**
 * The store cannot be asked at the moment. `message` says why, for logs; never a secret in it. A write or a removal that
 * ends so may have happened all the same, or may yet: `WriteOptions.expected` keeps such a latecomer from harm.
 */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
  readonly skipped: boolean;

  constructor(message: string, options: StoreUnavailableOptions = {}) {
    super(message, options);
    this.skipped = options.skipped ?? false;
  }
}

/** What a store's code throws is all one to its callers; the message of a fault is kept, for the log. */
export function asStoreUnavailable(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  const message = error instanceof Error ? error.message : "unknown";
  return new StoreUnavailable(`the store failed: ${message}`, { cause: error });
}

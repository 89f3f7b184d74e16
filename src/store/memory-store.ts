import type { Clock } from "../core/clock.ts";
import { type Store, type StoredValue, type WriteOptions, wallTime } from "./store.ts";

/** Expired records are not served however seldom this runs; it gives back their memory. */
const SWEEP_INTERVAL_MS = 300_000;

interface MemoryRecord extends StoredValue {
  readonly expiresAtMs: number;
  readonly class: string | undefined;
  readonly credentials: readonly string[];
}

/** Records of one process, gone with it. */
export function createMemoryStore(clock: Clock): Store {
  const records = new Map<string, MemoryRecord>();
  /** Names by class, the least recently written first: a Set keeps the order of insertion. */
  const classes = new Map<string, Set<string>>();
  const locks = new Map<string, { readonly expiresAtMs: number }>();
  let serial = 0;
  let sweeping = false;

  function find(name: string): MemoryRecord | undefined {
    const record = records.get(name);
    if (record === undefined || record.expiresAtMs > clock.wall()) return record;
    forget(name, record);
    return undefined;
  }

  function forget(name: string, record: MemoryRecord): void {
    records.delete(name);
    if (record.class === undefined) return;
    const names = classes.get(record.class);
    names?.delete(name);
    if (names?.size === 0) classes.delete(record.class);
  }

  function put(name: string, record: MemoryRecord, limit: number): void {
    const before = records.get(name);
    if (before !== undefined) forget(name, before);
    records.set(name, record);
    if (record.class === undefined) return;
    const names = classes.get(record.class) ?? new Set();
    classes.set(record.class, names.add(name));
    for (const oldest of names) {
      if (names.size <= limit) break;
      names.delete(oldest);
      records.delete(oldest);
    }
  }

  function sweep(): void {
    const nowMs = clock.wall();
    for (const [name, record] of records) if (record.expiresAtMs <= nowMs) forget(name, record);
    for (const [name, lock] of locks) if (lock.expiresAtMs <= clock.now()) locks.delete(name);
    sweeping = false;
    sweepLater();
  }

  function sweepLater(): void {
    if (sweeping || records.size + locks.size === 0) return;
    sweeping = true;
    timer = clock.schedule(SWEEP_INTERVAL_MS, sweep);
  }
  let timer: { cancel(): void } | undefined;

  function write(name: string, value: Uint8Array, options: WriteOptions): string | undefined {
    const { expected } = options;
    const present = find(name)?.version;
    if (expected !== undefined && expected !== (present ?? "absent")) return undefined;
    serial += 1;
    const version = String(serial);
    const { expiresAtMs, credentials = [] } = options;
    // A copy of its own, which `slice` of a Buffer is not: a view would keep alive the whole of what it is a part of.
    const record = {
      value: new Uint8Array(value),
      version,
      expiresAtMs,
      credentials,
      class: options.class?.name,
    };
    put(name, record, options.class?.limit ?? Number.POSITIVE_INFINITY);
    sweepLater();
    return version;
  }

  function take(name: string): MemoryRecord | undefined {
    const record = find(name);
    if (record !== undefined) forget(name, record);
    return record;
  }

  return {
    kind: "memory",
    shared: false,
    read: async (name) => find(name),
    write: async (name, value, options) => write(name, value, options),
    async remove(name, expected) {
      if (expected !== undefined && find(name)?.version !== expected) return false;
      return take(name) !== undefined;
    },
    take: async (name) => take(name),
    async lock(name, ttlMs) {
      const held = locks.get(name);
      if (held !== undefined && held.expiresAtMs > clock.now()) return undefined;
      let mine = { expiresAtMs: clock.now() + ttlMs };
      locks.set(name, mine);
      sweepLater();
      return {
        async renew(nextTtlMs) {
          if (locks.get(name) !== mine || mine.expiresAtMs <= clock.now()) return false;
          mine = { expiresAtMs: clock.now() + nextTtlMs };
          locks.set(name, mine);
          return true;
        },
        async release() {
          if (locks.get(name) === mine) locks.delete(name);
        },
      };
    },
    async countByCredential() {
      const nowMs = clock.wall();
      const counts = new Map<string, number>();
      for (const { expiresAtMs, credentials } of records.values()) {
        if (expiresAtMs <= nowMs) continue;
        for (const credential of credentials) counts.set(credential, (counts.get(credential) ?? 0) + 1);
      }
      return counts;
    },
    time: () => wallTime(clock),
    async close() {
      timer?.cancel();
      sweeping = true;
      records.clear();
      classes.clear();
      locks.clear();
    },
  };
}

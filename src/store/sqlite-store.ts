import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { Clock, Timer } from "../core/clock.ts";
import { isSqliteBusy, openSqliteDatabase } from "./sqlite-database.ts";
import { createSqliteTransactions, sqliteUnavailable } from "./sqlite-transactions.ts";
import { type Store, type StoredValue, type WriteOptions, wallTime } from "./store.ts";

const SWEEP_INTERVAL_MS = 300_000;
/** Expired records that one transaction removes, so that no request waits long; more follow after a second. */
const SWEEP_BATCH = 500;
const SWEEP_AGAIN_MS = 1_000;
const VERSION_BYTES = 12;

export interface SqliteStoreDeps {
  readonly clock: Clock;
  randomBytes(size: number): Buffer;
}

/**
 * Records in a file, which several processes of one machine may share. Reads are synchronous within: a point read takes
 * some 10 µs. See `sqlite-database.ts` for what is on the disk when.
 *
 * @throws `ConfigError` when the file cannot be used
 */
export async function openSqliteStore(file: string, { clock, randomBytes }: SqliteStoreDeps): Promise<Store> {
  const database = await openSqliteDatabase(file);
  const sql = prepare(database);
  const random = (): number => randomBytes(4).readUInt32BE() / 2 ** 32;
  const transactions = createSqliteTransactions({ database, clock, random });
  let sweepTimer: Timer | undefined;
  let closed = false;

  function find(name: string): StoredValue | undefined {
    return storedValue(sql.read.get(name, clock.wall()));
  }

  function write(name: string, value: Uint8Array, options: WriteOptions): string | undefined {
    const { expected, class: counted, credentials = [] } = options;
    const expiresAtMs = Math.round(options.expiresAtMs);
    if (expected !== undefined && expected !== (find(name)?.version ?? "absent")) return undefined;
    const version = randomBytes(VERSION_BYTES).toString("base64url");
    const className = counted?.name ?? null;
    sql.write.run(name, value, version, expiresAtMs, className, className);
    sql.forgetCredentials.run(name);
    for (const credential of new Set(credentials)) sql.addCredential.run(name, credential, expiresAtMs);
    if (counted !== undefined) {
      const excess = Number(sql.classSize.get(counted.name)?.["records"] ?? 0) - counted.limit;
      if (excess > 0) sql.trimClass.run(counted.name, excess);
    }
    return version;
  }

  function take(name: string): StoredValue | undefined {
    const stored = find(name);
    // An expired record goes as well, so that the next to write finds its place empty.
    sql.remove.run(name);
    return stored;
  }

  function sweep(): void {
    let removed = 0;
    transactions
      .run(() => {
        removed = Number(sql.sweepRecords.run(clock.wall(), SWEEP_BATCH).changes);
        sql.sweepLocks.run(clock.wall());
      })
      // Whatever the matter is, the requests show it; the next sweep takes what this one left.
      .catch(() => {})
      .finally(() => {
        if (!closed) sweepLater(removed === SWEEP_BATCH ? SWEEP_AGAIN_MS : SWEEP_INTERVAL_MS);
      });
  }
  function sweepLater(delayMs: number): void {
    sweepTimer = clock.schedule(delayMs, sweep);
  }
  sweepLater(SWEEP_INTERVAL_MS);

  /**
   * Reads need no transaction, and are not kept waiting by one; but for a moment when another process takes the log up or
   * leaves it.
   */
  async function asked<T>(task: () => T): Promise<T> {
    try {
      return task();
    } catch (error) {
      if (isSqliteBusy(error)) return await transactions.run(task);
      throw sqliteUnavailable(error);
    }
  }

  return {
    kind: "sqlite",
    shared: true,
    read: (name) => asked(() => find(name)),
    write: (name, value, options) => transactions.run(() => write(name, value, options)),
    remove: (name, expected) =>
      transactions.run(() => {
        if (expected !== undefined && find(name)?.version !== expected) return false;
        return take(name) !== undefined;
      }),
    take: (name) => transactions.run(() => take(name)),
    async lock(name, ttlMs) {
      const token = randomBytes(VERSION_BYTES).toString("base64url");
      const isMine = await transactions.run(() => {
        const nowMs = clock.wall();
        return sql.lock.run(name, token, nowMs + Math.round(ttlMs), nowMs).changes === 1;
      });
      if (!isMine) return undefined;
      return {
        renew: (nextTtlMs) =>
          transactions.run(() => {
            const nowMs = clock.wall();
            return sql.relock.run(nowMs + Math.round(nextTtlMs), name, token, nowMs).changes === 1;
          }),
        release: () =>
          transactions
            .run(() => void sql.unlock.run(name, token))
            .catch(() => {
              // It runs out by itself.
            }),
      };
    },
    countByCredential: () =>
      asked(() => {
        const rows = sql.count.all(clock.wall());
        return new Map(rows.map((row) => [String(row["credential"]), Number(row["records"])]));
      }),
    time: () => wallTime(clock),
    async close() {
      if (closed) return;
      closed = true;
      sweepTimer?.cancel();
      transactions.close();
      database.close();
    },
  };
}

function prepare(database: DatabaseSync) {
  return {
    read: database.prepare("SELECT value, version FROM records WHERE name = ? AND expires_at > ?"),
    write: database.prepare(`
      INSERT INTO records (name, value, version, expires_at, class, serial)
      VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(serial), 0) + 1 FROM records WHERE class = ?))
      ON CONFLICT (name) DO UPDATE SET value = excluded.value, version = excluded.version,
        expires_at = excluded.expires_at, class = excluded.class, serial = excluded.serial`),
    remove: database.prepare("DELETE FROM records WHERE name = ?"),
    forgetCredentials: database.prepare("DELETE FROM record_credentials WHERE name = ?"),
    addCredential: database.prepare("INSERT INTO record_credentials VALUES (?, ?, ?)"),
    classSize: database.prepare("SELECT records FROM classes WHERE class = ?"),
    trimClass: database.prepare(`
      DELETE FROM records WHERE name IN (SELECT name FROM records WHERE class = ? ORDER BY serial LIMIT ?)`),
    sweepRecords: database.prepare(`
      DELETE FROM records WHERE name IN (SELECT name FROM records WHERE expires_at <= ? LIMIT ?)`),
    sweepLocks: database.prepare("DELETE FROM locks WHERE expires_at <= ?"),
    lock: database.prepare(`
      INSERT INTO locks VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE
        SET token = excluded.token, expires_at = excluded.expires_at WHERE locks.expires_at <= ?`),
    relock: database.prepare(
      "UPDATE locks SET expires_at = ? WHERE name = ? AND token = ? AND expires_at > ?",
    ),
    unlock: database.prepare("DELETE FROM locks WHERE name = ? AND token = ?"),
    count: database.prepare(`
      SELECT credential, count(*) AS records FROM record_credentials WHERE expires_at > ? GROUP BY credential`),
  };
}

/** Another process may have written what it liked: a value of another shape is none. */
function storedValue(row: Record<string, SQLOutputValue> | undefined): StoredValue | undefined {
  const value = row?.["value"];
  const version = row?.["version"];
  return value instanceof Uint8Array && typeof version === "string" ? { value, version } : undefined;
}

import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { ConfigError } from "../config/fault.ts";

/** "PLLN": tells a database of Pillion's from another program's. */
const APPLICATION_ID = 0x504c_4c4e;
const SCHEMA_VERSION = 1;
/** Two processes that start together wait for each other; nothing is served yet. */
const OPENING_TIMEOUT_MS = 5_000;

/**
 * `classes` counts the records of each class, since counting rows at each write would take longer than the write.
 * `serial` is the order of writing within a class.
 */
const SCHEMA = `
CREATE TABLE records (
  name TEXT PRIMARY KEY NOT NULL,
  value BLOB NOT NULL,
  version TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  class TEXT,
  serial INTEGER NOT NULL
) STRICT;
CREATE INDEX records_by_expiry ON records (expires_at);
CREATE INDEX records_by_class ON records (class, serial) WHERE class IS NOT NULL;

CREATE TABLE record_credentials (
  name TEXT NOT NULL REFERENCES records (name) ON DELETE CASCADE,
  credential TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (name, credential)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_credentials_by_expiry ON record_credentials (credential, expires_at);

CREATE TABLE classes (class TEXT PRIMARY KEY NOT NULL, records INTEGER NOT NULL) STRICT;
CREATE TRIGGER record_inserted AFTER INSERT ON records WHEN new.class IS NOT NULL BEGIN
  INSERT INTO classes VALUES (new.class, 1) ON CONFLICT (class) DO UPDATE SET records = records + 1;
END;
CREATE TRIGGER record_deleted AFTER DELETE ON records WHEN old.class IS NOT NULL BEGIN
  UPDATE classes SET records = records - 1 WHERE class = old.class;
END;
CREATE TRIGGER record_reclassed AFTER UPDATE OF class ON records WHEN old.class IS NOT new.class BEGIN
  UPDATE classes SET records = records - 1 WHERE class = old.class;
  INSERT INTO classes SELECT new.class, 1 WHERE new.class IS NOT NULL
    ON CONFLICT (class) DO UPDATE SET records = records + 1;
END;

CREATE TABLE locks (name TEXT PRIMARY KEY NOT NULL, token TEXT NOT NULL, expires_at INTEGER NOT NULL) STRICT;
`;

/**
 * Opens the file, or makes it, readable by its owner alone (SQLite gives `-wal` and `-shm` the mode of the file itself);
 * directories on the way are made, too.
 *
 * Write-ahead log, and `synchronous = FULL`: a commit is on the disk before it is reported. A refresh token that was
 * rotated and then forgotten by a power cut would come back as the consumed one.
 *
 * @throws `ConfigError` naming the file and what is the matter with it
 */
export async function openSqliteDatabase(file: string): Promise<DatabaseSync> {
  // Loaded when it is asked for only: before Node 26 it announces itself on stderr as experimental.
  const { DatabaseSync } = await import("node:sqlite");
  let database: DatabaseSync | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    closeSync(openSync(file, "a", 0o600));
    restrict(file);
    database = new DatabaseSync(file, { timeout: OPENING_TIMEOUT_MS });
    judge(database);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
    createSchema(database);
    // From here on nobody waits inside SQLite, which would hold up every other request of this process.
    database.exec("PRAGMA busy_timeout = 0;");
    return database;
  } catch (error) {
    database?.close();
    const message = `store.sqlite: ${file}: ${reasonOf(error)}`;
    throw new ConfigError({ kind: "unreadable", message }, { cause: error });
  }
}

/** A file that was there before may be another user's; that it can be read by others is then theirs to decide. */
function restrict(file: string): void {
  try {
    chmodSync(file, 0o600);
  } catch {
    return;
  }
}

/** Before anything is changed: another program's database is left as it is. */
function judge(database: DatabaseSync): void {
  const schemaVersion = pragma(database, "user_version");
  const isEmpty = database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined;
  if (!isEmpty && pragma(database, "application_id") !== APPLICATION_ID) {
    throw new UnfitFile("it is a database of another program; name a file of its own for Pillion");
  }
  if (schemaVersion > SCHEMA_VERSION) {
    throw new UnfitFile(
      `it was written by a newer Pillion (schema ${schemaVersion}, this one knows ${SCHEMA_VERSION}); ` +
        "use that release, or another file",
    );
  }
}

function createSchema(database: DatabaseSync): void {
  database.exec("BEGIN IMMEDIATE");
  if (pragma(database, "user_version") === 0) {
    database.exec(SCHEMA);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION};`);
  }
  database.exec("COMMIT");
}

function pragma(database: DatabaseSync, name: "application_id" | "user_version"): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
}

class UnfitFile extends Error {
  override readonly name = "UnfitFile";
}

function reasonOf(error: unknown): string {
  if (error instanceof UnfitFile) return error.message;
  const reason = sqliteReason(error);
  if (reason !== undefined) return reason;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EISDIR") return "it is a directory; name a file in it";
  if (code === "EROFS") return "the file system is read-only";
  return error instanceof Error ? error.message : "unknown";
}

/** SQLite's own words, such as "file is not a database"; undefined: not an error of SQLite's. */
export function sqliteReason(error: unknown): string | undefined {
  if (!(error instanceof Error && "errstr" in error)) return undefined;
  return String(error.errstr);
}

const SQLITE_BUSY = 5;

/** Another process is writing. Extended result codes have the primary one in their low byte. */
export function isSqliteBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === SQLITE_BUSY;
}

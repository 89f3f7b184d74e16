import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Records } from "../src/emulator/records.ts";

/** What `pillion dev` keeps from one run to the next. */
export interface DevState {
  readonly directory: string;
  /** Sessions, sealed with the key in `keyFile`. */
  readonly store: { readonly file: string; readonly keyFile: string };
  /** The emulator's side: its key, what users agreed to, what they booked. */
  readonly records: Records;
  close(): void;
}

/**
 * Opens it below `$XDG_STATE_HOME`, by default `~/.local/state` (XDG Base Directory Specification), for this process
 * alone. Throws where the directory cannot be written or another `dev` has it.
 */
export function openDevState(env: Readonly<Record<string, string | undefined>>): DevState {
  const directory = join(stateHome(env), "pillion");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const database = openRecords(join(directory, "dev-emulator.sqlite"));
  try {
    const keyFile = join(directory, "dev.key");
    createKey(keyFile);
    return {
      directory,
      store: { file: join(directory, "dev.sqlite"), keyFile },
      records: recordsIn(database),
      close: () => database.close(),
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

function stateHome({ XDG_STATE_HOME: given, HOME }: Readonly<Record<string, string | undefined>>): string {
  // A relative path is to be ignored, says the specification.
  return given !== undefined && isAbsolute(given) ? given : join(HOME || homedir(), ".local", "state");
}

/** 32 bytes in base64, readable for this user alone. One that is there stays: it opens what it sealed. */
function createKey(file: string): void {
  try {
    writeFileSync(file, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** One table in a file that this process holds until it ends, however it ends. */
function openRecords(file: string): DatabaseSync {
  closeSync(openSync(file, "a", 0o600));
  // Not imported: a Node that is too old has no such module, and could not load the bundle that says so.
  const sqlite = process.getBuiltinModule("node:sqlite");
  const database = new sqlite.DatabaseSync(file);
  try {
    // Exclusive: the lock goes with the process. Not synchronous: it has to outlive a killed process, not a power cut.
    database.exec(`
      PRAGMA busy_timeout = 0;
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA synchronous = OFF;
      CREATE TABLE IF NOT EXISTS record (name TEXT PRIMARY KEY, value TEXT NOT NULL);
      BEGIN IMMEDIATE;
      COMMIT;
    `);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function recordsIn(database: DatabaseSync): Records {
  const list = database.prepare(
    "SELECT value FROM record WHERE substr(name, 1, length(:prefix)) = :prefix ORDER BY rowid",
  );
  const put = database.prepare(
    "INSERT INTO record VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value",
  );
  const remove = database.prepare("DELETE FROM record WHERE name = :name");
  return {
    list: (prefix) => list.all({ prefix }).map(({ value }): unknown => JSON.parse(String(value))),
    put: (name, value) => void put.run({ name, value: JSON.stringify(value) }),
    remove: (name) => void remove.run({ name }),
  };
}

import type { DatabaseSync } from "node:sqlite";
import type { Clock, Timer } from "../core/clock.ts";
import { isSqliteBusy, sqliteReason } from "./sqlite-database.ts";
import { StoreUnavailable } from "./store.ts";

/** Between two tries while another process writes; its transactions take a disk's flush, a few milliseconds. */
const RETRY_MS = { least: 2, most: 10 };
/** About 400 ms of tries: within what a request waits for its store. */
const MAX_TRIES = 65;

export interface SqliteTransactions {
  /** Resolves once what `task` did is on the disk. Tasks run in order. Rejects with `StoreUnavailable`. */
  run<T>(task: () => T): Promise<T>;
  /** Writes what still waits. */
  close(): void;
}

export interface TransactionsDeps {
  readonly database: DatabaseSync;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  random(): number;
}

interface Waiting {
  run(): void;
  resolve(): void;
  reject(error: StoreUnavailable): void;
}

/**
 * Gathers what is to be written at the same time into one transaction: many writes, one flush of the disk, and this
 * process stands still for that flush only. While another process writes it is tried again later, outside of SQLite.
 */
export function createSqliteTransactions({ database, clock, random }: TransactionsDeps): SqliteTransactions {
  let queue: Waiting[] = [];
  let scheduled = false;
  let tries = 0;
  let retry: Timer | undefined;
  let closed = false;

  function flush(): void {
    if (closed || queue.length === 0) return;
    try {
      database.exec("BEGIN IMMEDIATE");
    } catch (error) {
      tries += 1;
      if (isSqliteBusy(error) && tries < MAX_TRIES) {
        const delayMs = RETRY_MS.least + random() * (RETRY_MS.most - RETRY_MS.least);
        retry = clock.schedule(delayMs, flush);
      } else settle(error);
      return;
    }
    try {
      for (const waiting of queue) waiting.run();
      database.exec("COMMIT");
      settle();
    } catch (error) {
      rollBack();
      settle(error);
    }
  }

  function rollBack(): void {
    // A full disk has SQLite roll back by itself; then there is no transaction any more.
    if (database.isTransaction) database.exec("ROLLBACK");
  }

  function settle(error?: unknown): void {
    const done = queue;
    queue = [];
    scheduled = false;
    tries = 0;
    const failure = error === undefined ? undefined : sqliteUnavailable(error);
    for (const waiting of done) {
      if (failure === undefined) waiting.resolve();
      else waiting.reject(failure);
    }
  }

  return {
    run<T>(task: () => T): Promise<T> {
      if (closed) return Promise.reject(new StoreUnavailable("the sqlite store is closed"));
      return new Promise<T>((resolve, reject) => {
        let result: { readonly value: T } | undefined;
        queue.push({
          run: () => {
            result = { value: task() };
          },
          resolve: () => {
            if (result !== undefined) resolve(result.value);
          },
          reject,
        });
        if (!scheduled) setImmediate(flush);
        scheduled = true;
      });
    },
    close() {
      retry?.cancel();
      flush();
      if (queue.length > 0) settle(new StoreUnavailable("the sqlite store is closed"));
      closed = true;
      retry?.cancel();
    },
  };
}

export function sqliteUnavailable(error: unknown): StoreUnavailable {
  if (error instanceof StoreUnavailable) return error;
  const reason = sqliteReason(error) ?? (error instanceof Error ? error.message : "unknown");
  return new StoreUnavailable(`sqlite: ${reason}`, { cause: error });
}

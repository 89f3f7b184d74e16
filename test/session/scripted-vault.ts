import { randomUUID } from "node:crypto";
import type { Clock } from "../../src/core/clock.ts";
import { StoreUnavailable, type Version, type WriteOptions, wallTime } from "../../src/store/store.ts";
import type { OpenedRecord, RecordKind, Vault } from "../../src/store/vault.ts";

interface Kept {
  readonly content: string;
  readonly version: Version;
  readonly options: WriteOptions;
}

/** What all processes share. */
export interface ScriptedStore {
  readonly records: Map<string, Kept>;
  /** One process's view. */
  vault(options?: { readonly shared?: boolean }): ScriptedVault;
}

export interface ScriptedVault extends Vault {
  /** `read session`, `write login`, … in order. */
  readonly operations: string[];
  /** While it is true nothing can be asked. */
  down: boolean;
  /** Which part of the store a key is in. Default: it is not parted. */
  parts: ((key: string) => string) | undefined;
  /** Runs before and after each operation takes effect; what it awaits holds the operation up. */
  step: ((moment: string) => Promise<void>) | undefined;
}

/** A store in memory that goes by the fake clock, without seals: records are readable for assertions. */
export function createScriptedStore(clock: Clock): ScriptedStore {
  const records = new Map<string, Kept>();
  const locks = new Map<string, { readonly owner: string; readonly untilMs: number }>();

  const present = (name: string): Kept | undefined => {
    const kept = records.get(name);
    return kept === undefined || clock.wall() >= kept.options.expiresAtMs ? undefined : kept;
  };
  const opened = (kept: Kept | undefined): OpenedRecord | undefined =>
    kept === undefined ? undefined : { content: JSON.parse(kept.content), version: kept.version };

  return {
    records,
    vault({ shared = true } = {}) {
      const operations: string[] = [];
      const operate = async <T>(operation: string, task: () => T): Promise<T> => {
        operations.push(operation);
        await vault.step?.(`before ${operation}`);
        if (vault.down) throw new StoreUnavailable("it is down");
        const result = task();
        await vault.step?.(`after ${operation}`);
        return result;
      };
      const vault: ScriptedVault = {
        shared,
        operations,
        down: false,
        step: undefined,
        parts: undefined,
        partOf: (_, key) => vault.parts?.(key),
        read: (kind, key) => operate(`read ${kind}`, () => opened(present(nameOf(kind, key)))),
        write: (kind, key, content, options) => {
          const text = JSON.stringify(content);
          return operate(`write ${kind}`, () => {
            const name = nameOf(kind, key);
            const before = present(name)?.version ?? "absent";
            if (options.expected !== undefined && options.expected !== before) return undefined;
            const version = randomUUID();
            records.set(name, { content: text, version, options });
            return version;
          });
        },
        remove: (kind, key, expected) =>
          operate(`remove ${kind}`, () => {
            const name = nameOf(kind, key);
            if (expected !== undefined && present(name)?.version !== expected) return false;
            return records.delete(name);
          }),
        take: (kind, key) =>
          operate(`take ${kind}`, () => {
            const name = nameOf(kind, key);
            const kept = present(name);
            records.delete(name);
            return opened(kept);
          }),
        lock: (kind, key, ttlMs) =>
          operate(`lock ${kind}`, () => {
            const name = nameOf(kind, key);
            const held = locks.get(name);
            if (held !== undefined && clock.now() < held.untilMs) return undefined;
            const owner = randomUUID();
            locks.set(name, { owner, untilMs: clock.now() + ttlMs });
            return {
              renew: (nextTtlMs) =>
                operate("relock", () => {
                  const mine = locks.get(name);
                  if (mine?.owner !== owner || clock.now() >= mine.untilMs) return false;
                  locks.set(name, { owner, untilMs: clock.now() + nextTtlMs });
                  return true;
                }),
              async release() {
                try {
                  await operate("unlock", () => {
                    if (locks.get(name)?.owner === owner) locks.delete(name);
                  });
                } catch {
                  // It runs out.
                }
              },
            };
          }),
        countByCredential: () =>
          operate("count", () => {
            const counts = new Map<string, number>();
            for (const { options } of records.values()) {
              for (const name of options.credentials ?? []) counts.set(name, (counts.get(name) ?? 0) + 1);
            }
            return counts;
          }),
        time: () => wallTime(clock),
        close: async () => {},
      };
      return vault;
    },
  };
}

export function nameOf(kind: RecordKind, key: string): string {
  return `${kind} ${key}`;
}

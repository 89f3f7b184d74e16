import { LRUCache } from "lru-cache";
import type { SessionConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { atMost } from "../core/lru.ts";
import { StoreUnavailable, type Version, type WriteOptions } from "../store/store.ts";
import type { Vault } from "../store/vault.ts";
import { hasUser, parseSession, type SessionRecord, sessionContent, type VisitorToken } from "./record.ts";
import type { TokenSlot } from "./token-slot.ts";

/** One session as this process knows it. */
export interface SessionEntry {
  readonly id: string;
  record: SessionRecord;
  version: Version;
  /** Monotonic milliseconds when the store last said so. */
  checkedAtMs: number;
  /** Unix milliseconds; ahead of the record's by what has not been written back. */
  usedAtMs: number;
  /** It has ended: nobody may use or write this copy any more. */
  gone: boolean;
  /** By credential. */
  readonly slots: Map<string, TokenSlot>;
  /** A look at the store, or a write of the last use, that nobody waits for. */
  behind: Promise<void> | undefined;
  /** Unix milliseconds when the last use was last written back, or that was tried: wall time decides how it ends. */
  touchedAtMs: number;
  /** Operations on the record, one after another: a slow look cannot overwrite what a quick write brought. */
  tail: Promise<unknown>;
}

export type Updated = "written" | "unchanged" | "gone";

/** The sessions that this process uses, over the vault that has them all. What rejects does so with `StoreUnavailable`. */
export interface SessionCache {
  /** What is in memory, may be used without asking the store, and is alive; undefined: ask `load`. */
  current(id: string): SessionEntry | undefined;
  /**
   * The session, asked for in the store where the copy is too old. While the store is down the copy goes on; without one
   * it rejects. undefined: there is no such session, or it has ended.
   */
  load(id: string): Promise<SessionEntry | undefined>;
  /** Asks the store now. */
  reread(entry: SessionEntry): Promise<void>;
  create(id: string, tokens: ReadonlyMap<string, VisitorToken>): Promise<SessionEntry>;
  /**
   * Compare and set: `change` sees the newest record, again each time when somebody else was quicker. It gives
   * "unchanged" to leave it, undefined to remove the session.
   */
  update(
    entry: SessionEntry,
    change: (record: SessionRecord) => SessionRecord | "unchanged" | undefined,
  ): Promise<Updated>;
  /** A request was sent with it. */
  used(entry: SessionEntry): void;
  /** Removes it everywhere; gives what was in it. */
  take(id: string): Promise<SessionRecord | undefined>;
  expiresInMs(entry: SessionEntry): number;
}

export interface SessionCacheDeps {
  readonly clock: Clock;
  readonly vault: Vault;
  session(): SessionConfig;
  /** Default 10 000. */
  readonly maxEntries?: number;
}

const DEFAULT_MAX_ENTRIES = 10_000;
/** A logout elsewhere is seen within 3 s (product contract §2.2): the copy's age, and some for the look itself. */
const RECHECK_MS = 2_000;
/** From this age on a look runs behind, so that a busy session does not wait for one. */
const RECHECK_BEHIND_MS = 1_000;
const TOUCH_MAX_MS = 60_000;
/** Others write so rarely that losing this often means something is wrong. */
const MAX_TRIES = 8;

export function createSessionCache(deps: SessionCacheDeps): SessionCache {
  const { clock, vault, session, maxEntries = DEFAULT_MAX_ENTRIES } = deps;
  const entries = new LRUCache<string, SessionEntry>(atMost(maxEntries));
  const loading = new Map<string, Promise<SessionEntry | undefined>>();

  const touchIntervalMs = (): number => Math.min(TOUCH_MAX_MS, session().idleMs / 10);
  const endsAtMs = ({ createdAtMs, usedAtMs }: SessionRecord, lastUsedAtMs: number): number =>
    Math.min(createdAtMs + session().absoluteMs, Math.max(usedAtMs, lastUsedAtMs) + session().idleMs);
  const isAlive = (entry: SessionEntry): boolean =>
    !entry.gone && clock.wall() < endsAtMs(entry.record, entry.usedAtMs);

  const writeOptions = (record: SessionRecord, expected: Version | "absent"): WriteOptions => ({
    // The last use is written back late; the record must outlive that.
    expiresAtMs: Math.ceil(endsAtMs(record, record.usedAtMs) + touchIntervalMs()),
    expected,
    class: { name: hasUser(record) ? "user" : "visitor", limit: session().limit },
    credentials: [...record.tokens.keys()],
  });

  const forget = (entry: SessionEntry): void => {
    entry.gone = true;
    if (entries.peek(entry.id) === entry) entries.delete(entry.id);
  };

  const adopt = (entry: SessionEntry, record: SessionRecord, version: Version): void => {
    entry.checkedAtMs = clock.now();
    if (version === entry.version) return;
    entry.record = record;
    entry.version = version;
    entry.usedAtMs = Math.max(entry.usedAtMs, record.usedAtMs);
  };

  const read = async (id: string): Promise<{ record: SessionRecord; version: Version } | undefined> => {
    const opened = await vault.read("session", id);
    const record = opened === undefined ? undefined : parseSession(opened.content);
    return opened === undefined || record === undefined ? undefined : { record, version: opened.version };
  };

  const enter = (id: string, record: SessionRecord, version: Version): SessionEntry => {
    const entry: SessionEntry = {
      id,
      record,
      version,
      checkedAtMs: clock.now(),
      usedAtMs: record.usedAtMs,
      gone: false,
      slots: new Map(),
      behind: undefined,
      touchedAtMs: Number.NEGATIVE_INFINITY,
      tail: Promise.resolve(),
    };
    entries.set(id, entry);
    return entry;
  };

  /** One operation on the record after another. */
  const inTurn = <T>(entry: SessionEntry, task: () => Promise<T>): Promise<T> => {
    const result = entry.tail.then(task);
    entry.tail = result.catch(() => {});
    return result;
  };

  const look = async (entry: SessionEntry): Promise<void> => {
    if (entry.gone) return;
    const found = await read(entry.id);
    if (found === undefined) forget(entry);
    else adopt(entry, found.record, found.version);
  };

  const reread = (entry: SessionEntry): Promise<void> => inTurn(entry, () => look(entry));

  /** At most one at a time, observed, and no news when it fails. */
  const behind = (entry: SessionEntry, task: () => Promise<unknown>): void => {
    entry.behind ??= task().then(
      () => {
        entry.behind = undefined;
      },
      () => {
        entry.behind = undefined;
      },
    );
  };

  const load = async (id: string): Promise<SessionEntry | undefined> => {
    const known = entries.get(id);
    if (known === undefined) {
      const found = await read(id);
      if (found === undefined) return undefined;
      return alive(entries.get(id) ?? enter(id, found.record, found.version));
    }
    if (vault.shared && clock.now() - known.checkedAtMs >= RECHECK_MS) {
      try {
        await reread(known);
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        // It goes on with what is known: nobody is signed out because a store is down.
        known.checkedAtMs = clock.now() - RECHECK_BEHIND_MS;
      }
    }
    return alive(known);
  };

  /** The entry, unless it has ended: then it is removed, here and in the store. */
  const alive = async (entry: SessionEntry): Promise<SessionEntry | undefined> => {
    if (isAlive(entry)) return entry;
    if (entry.gone) return undefined;
    forget(entry);
    try {
      await vault.remove("session", entry.id);
    } catch (error) {
      // It runs out there by itself.
      if (!(error instanceof StoreUnavailable)) throw error;
    }
    return undefined;
  };

  const update: SessionCache["update"] = (entry, change) =>
    inTurn(entry, async () => {
      for (let attempt = 0; attempt < MAX_TRIES; attempt += 1) {
        if (entry.gone) return "gone";
        const changed = change(entry.record);
        if (changed === "unchanged") return "unchanged";
        if (changed === undefined) {
          await vault.remove("session", entry.id);
          forget(entry);
          return "gone";
        }
        const record = { ...changed, usedAtMs: Math.max(changed.usedAtMs, entry.usedAtMs) };
        const version = await vault.write(
          "session",
          entry.id,
          sessionContent(record),
          writeOptions(record, entry.version),
        );
        if (version !== undefined) {
          adopt(entry, record, version);
          return "written";
        }
        await look(entry);
      }
      throw new StoreUnavailable("the record changes faster than it can be written");
    });

  return {
    current(id) {
      const entry = entries.get(id);
      if (entry === undefined || !isAlive(entry)) return undefined;
      if (vault.shared) {
        const ageMs = clock.now() - entry.checkedAtMs;
        if (ageMs >= RECHECK_MS) return undefined;
        if (ageMs >= RECHECK_BEHIND_MS) behind(entry, () => reread(entry));
      }
      return entry;
    },
    load(id) {
      const under = loading.get(id);
      if (under !== undefined) return under;
      const started = load(id).finally(() => loading.delete(id));
      loading.set(id, started);
      return started;
    },
    reread,
    async create(id, tokens) {
      const wallMs = clock.wall();
      const record: SessionRecord = { createdAtMs: wallMs, usedAtMs: wallMs, tokens };
      const options = writeOptions(record, "absent");
      const version = await vault.write("session", id, sessionContent(record), options);
      if (version === undefined) throw new StoreUnavailable("a new session's id is taken");
      return enter(id, record, version);
    },
    update,
    used(entry) {
      const wallMs = clock.wall();
      if (wallMs > entry.usedAtMs) entry.usedAtMs = wallMs;
      const intervalMs = touchIntervalMs();
      const lastMs = Math.max(entry.record.usedAtMs, entry.touchedAtMs);
      if (wallMs - lastMs < intervalMs) return;
      entry.touchedAtMs = wallMs;
      update(entry, (record) => record).catch(() => {});
    },
    async take(id) {
      const known = entries.peek(id);
      const task = async (): Promise<SessionRecord | undefined> => {
        const opened = await vault.take("session", id);
        // A look that began before may still bring it back.
        await loading.get(id)?.catch(() => undefined);
        const present = entries.peek(id);
        if (present !== undefined) forget(present);
        if (known !== undefined) forget(known);
        return (opened === undefined ? undefined : parseSession(opened.content)) ?? known?.record;
      };
      return known === undefined ? task() : inTurn(known, task);
    },
    expiresInMs: (entry) => endsAtMs(entry.record, entry.usedAtMs) - clock.wall(),
  };
}

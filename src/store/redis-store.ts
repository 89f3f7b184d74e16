import type { Clock } from "../core/clock.ts";
import { RedisRefusal } from "./redis-client.ts";
import type { RedisCommand, RedisConnection } from "./redis-connection.ts";
import { decodeHeader, decodeRecord, encodeRecord, type RedisRecord } from "./redis-record.ts";
import { CLASS, INDEX, RELOCK, REMOVE, type RedisScript, UNLOCK, WRITE } from "./redis-scripts.ts";
import { LOCK, type Store, type Version, type WriteOptions } from "./store.ts";

const TOKEN_BYTES = 12;

export interface RedisStoreDeps {
  readonly connection: RedisConnection;
  /** Stands before every key. */
  readonly prefix: string;
  readonly clock: Clock;
  randomBytes(size: number): Buffer;
}

/**
 * Records in Redis ≥ 6.2 or Valkey. Every key expires, those of the indexes with their last member.
 *
 * | key | |
 * |---|---|
 * | prefix + name | the record, or the token of who holds the lock |
 * | prefix + `lock:{` + prefix + name + `}` | that token in a cluster: the hash tag puts it into the record's slot |
 * | prefix + `class:` + class | sorted set: names by order of writing |
 * | prefix + `credential:` + credential | sorted set: names by expiry |
 * | prefix + `credentials` | sorted set: credentials by the latest expiry |
 *
 * Commands of one connection run in order. The indexes go along with a write without being waited for: they bound and
 * count, and may be behind by what was on its way when a connection broke.
 */
export function createRedisStore({ connection, prefix, clock, randomBytes }: RedisStoreDeps): Store {
  const { send, partOf } = connection;

  /** In a cluster, too, whoever asks for the lock and the record in one go gets what was there once the lock was taken. */
  const lockKey = (name: string): string =>
    partOf !== undefined && name.startsWith(LOCK)
      ? `${prefix}${LOCK}{${prefix}${name.slice(LOCK.length)}}`
      : prefix + name;

  const run = <T>(
    script: RedisScript,
    name: string,
    args: RedisCommand,
    judge: (reply: unknown) => T,
  ): Promise<T> => runOn(prefix + name, script, args, judge);

  async function runOn<T>(
    key: string,
    script: RedisScript,
    args: RedisCommand,
    judge: (reply: unknown) => T,
  ): Promise<T> {
    const rest = ["1", key, ...args];
    try {
      return await send(["EVALSHA", script.sha1, ...rest], judge, ["NOSCRIPT"]);
    } catch (error) {
      // A server that was restarted has forgotten its scripts.
      if (error instanceof RedisRefusal) return await send(["EVAL", script.source, ...rest], judge);
      throw error;
    }
  }

  async function read(command: "GET" | "GETDEL", name: string): Promise<RedisRecord | undefined> {
    let stored: Buffer | undefined;
    try {
      stored = await send([command, prefix + name], bulk, ["WRONGTYPE"]);
    } catch (error) {
      if (!(error instanceof RedisRefusal)) throw error;
      if (command === "GETDEL") await send(["DEL", prefix + name], integer);
    }
    return stored === undefined ? undefined : decodeRecord(stored);
  }

  async function take(name: string): Promise<RedisRecord | undefined> {
    const record = await read("GETDEL", name);
    if (record === undefined) return undefined;
    leave(name, record.indexes);
    return alive(record);
  }

  /** Redis's own time, so that one process's wrong clock neither ends nor prolongs what others see. */
  function serverNowMs(): number {
    const { earliestMs, latestMs } = connection.time();
    return Math.round((earliestMs + latestMs) / 2);
  }

  function alive(record: RedisRecord | undefined): RedisRecord | undefined {
    return record !== undefined && record.expiresAtMs > serverNowMs() ? record : undefined;
  }

  function leave(name: string, indexes: readonly string[]): void {
    for (const index of indexes) unwaited(send(["ZREM", prefix + index, name], integer));
  }

  /** Sent before the write, in one go with it; a write that does not happen is taken back by its caller. */
  function enter(name: string, options: WriteOptions, ttlMs: number): void {
    const ttl = String(ttlMs);
    const nowMs = String(serverNowMs());
    const expiresAt = String(serverNowMs() + ttlMs);
    if (options.class !== undefined) {
      const args = [nowMs, name, ttl, String(options.class.limit)];
      const trimmed = run(CLASS, `class:${options.class.name}`, args, bulks);
      unwaited(trimmed.then((names) => Promise.all(names.map((oldest) => take(oldest.toString())))));
    }
    for (const credential of options.credentials ?? []) {
      unwaited(run(INDEX, `credential:${credential}`, [expiresAt, name, ttl, nowMs], integer));
      unwaited(run(INDEX, "credentials", [expiresAt, credential, ttl, nowMs], integer));
    }
  }

  async function write(name: string, value: Uint8Array, options: WriteOptions): Promise<Version | undefined> {
    const nowMs = serverNowMs();
    const ttlMs = Math.max(1, Math.round(options.expiresAtMs - clock.wall()));
    const expiresAtMs = nowMs + ttlMs;
    const indexes = indexesOf(options);
    const version = randomBytes(TOKEN_BYTES).toString("base64url");
    enter(name, options, ttlMs);
    const record = encodeRecord({ version, expiresAtMs, indexes }, value);
    const args = [options.expected ?? "any", String(nowMs), String(ttlMs), record];
    const { written, note } = await run(WRITE, name, args, writeReply);
    if (!written) {
      if (note === "") leave(name, indexes);
      return undefined;
    }
    const before = decodeHeader(note)?.indexes ?? [];
    leave(
      name,
      before.filter((index) => !indexes.includes(index)),
    );
    return version;
  }

  return {
    kind: "redis",
    shared: true,
    read: async (name) => alive(await read("GET", name)),
    write,
    async remove(name, expected) {
      if (expected === undefined) return (await take(name)) !== undefined;
      const { written, note } = await run(REMOVE, name, [expected], writeReply);
      if (written) leave(name, decodeHeader(note)?.indexes ?? []);
      return written;
    },
    take,
    async lock(name, ttlMs) {
      const token = randomBytes(TOKEN_BYTES).toString("base64url");
      const ttl = String(Math.max(1, Math.round(ttlMs)));
      const key = lockKey(name);
      if (!(await send(["SET", key, token, "NX", "PX", ttl], isSet))) return undefined;
      return {
        renew: async (nextTtlMs) =>
          (await runOn(key, RELOCK, [token, String(Math.max(1, Math.round(nextTtlMs)))], integer)) === 1,
        async release() {
          // Where that fails the lock runs out.
          await runOn(key, UNLOCK, [token], integer).catch(() => {});
        },
      };
    },
    async countByCredential() {
      const nowMs = String(serverNowMs());
      const alive = `(${nowMs}`;
      const names = await send(["ZRANGEBYSCORE", `${prefix}credentials`, alive, "+inf"], bulks);
      const counts = names.map(async (name) => {
        const credential = name.toString();
        const key = `${prefix}credential:${credential}`;
        return [credential, await send(["ZCOUNT", key, alive, "+inf"], integer)] as const;
      });
      return new Map((await Promise.all(counts)).filter(([, records]) => records > 0));
    },
    time: connection.time,
    ...(partOf === undefined
      ? {}
      : { partOf: (name) => partOf(prefix + (name.startsWith(LOCK) ? name.slice(LOCK.length) : name)) }),
    async close() {
      connection.close();
    },
  };
}

function indexesOf({ class: counted, credentials = [] }: WriteOptions): readonly string[] {
  const indexes = credentials.map((credential) => `credential:${credential}`);
  return counted === undefined ? indexes : [`class:${counted.name}`, ...indexes];
}

/** What fails here fails the write beside it as well, or leaves an index behind by one. */
function unwaited(promise: Promise<unknown>): void {
  promise.catch(() => {});
}

/** A reply of another kind is not the reply to this command: whoever answers is no Redis, or out of step. */
class OddReply extends Error {
  override readonly name = "OddReply";

  constructor() {
    super("its answers are not Redis's");
  }
}

function bulk(reply: unknown): Buffer | undefined {
  if (reply === null) return undefined;
  if (Buffer.isBuffer(reply)) return reply;
  throw new OddReply();
}

function bulks(reply: unknown): readonly Buffer[] {
  if (Array.isArray(reply) && reply.every(Buffer.isBuffer)) return reply;
  throw new OddReply();
}

function integer(reply: unknown): number {
  if (typeof reply === "number") return reply;
  throw new OddReply();
}

function isSet(reply: unknown): boolean {
  if (reply === null) return false;
  if (reply === "OK") return true;
  throw new OddReply();
}

function writeReply(reply: unknown): { readonly written: boolean; readonly note: string } {
  if (!Array.isArray(reply) || typeof reply[0] !== "number" || !Buffer.isBuffer(reply[1]))
    throw new OddReply();
  return { written: reply[0] === 1, note: reply[1].toString() };
}

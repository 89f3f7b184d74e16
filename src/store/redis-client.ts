import { REDIS_URL_FORMS, type RedisHost } from "../config/redis-url.ts";
import type { Clock } from "../core/clock.ts";
import { hostAndPort, type RedisAddress } from "./redis-address.ts";
import { redisTimeMs, type ServerClock } from "./server-clock.ts";

/** One connection by node-redis, from its start to its end. It never comes back by itself. */
export interface RedisClient {
  /** The reply as RESP2 has it, bulk strings as `Buffer`. Rejects with `RedisRefusal` for an error reply. */
  send(command: readonly (string | Buffer)[]): Promise<unknown>;
  /** What waits for an answer is rejected. Idempotent. */
  destroy(): void;
}

/** Redis answered with an error. Its text is dropped: it may repeat what was sent. */
export class RedisRefusal extends Error {
  override readonly name = "RedisRefusal";
  /** The first word: `READONLY`, `NOSCRIPT`, `ERR`. */
  readonly code: string;
  /** Of `MOVED` and `ASK`: which node has the slot. */
  readonly redirect: RedisRedirect | undefined;

  constructor(reply: string) {
    const code = /^[A-Z]{2,24}(?= |$)/.exec(reply)?.[0] ?? "an error";
    super(`it answers ${code}${HINTS[code] ?? ""}`);
    this.code = code;
    this.redirect = redirectOf(reply);
  }
}

/** Whoever answers is not who is wanted. Its message is of this side's words. */
class Unfit extends Error {}

export interface RedisRedirect extends RedisHost {
  readonly slot: number;
}

/** `MOVED 3999 127.0.0.1:6381`; an IPv6 address stands without brackets, and the host may be empty: the one that was asked. */
function redirectOf(reply: string): RedisRedirect | undefined {
  const match = /^(?:MOVED|ASK) (\d{1,5}) ([\w.:-]{0,253}):(\d{1,5})$/.exec(reply);
  if (match === null) return undefined;
  const [, slot, host = "", port] = match;
  return { slot: Number(slot), host, port: Number(port) };
}

const HINTS: Readonly<Record<string, string>> = {
  WRONGPASS: ": check the user and the password of store.redis.url",
  NOAUTH: ": it asks for a password, give one in store.redis.url",
  NOPERM: ": its ACL does not let this user do that",
  READONLY: ": it is a replica; store.redis.url must name the primary, or Sentinels (redis+sentinel://)",
  LOADING: ": it is starting",
  MOVED: `: it is one node of a cluster, and store.redis.url is to say so: ${REDIS_URL_FORMS.cluster}`,
  CLUSTERDOWN: ": a part of the cluster is down",
  OOM: ": its memory is full",
  NOREPLICAS: ": it has too few replicas to write",
  MASTERDOWN: ": it is a replica without its primary",
};

export interface ConnectOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** `primary`: one that says it is a replica is refused. `sentinel`: it keeps no records. */
  readonly role: "any" | "primary" | "sentinel";
  /** Told what time it is at the server, where its ACL lets that be asked. */
  readonly serverClock: ServerClock;
  /** Ends the attempt. */
  readonly signal: AbortSignal;
  /** The connection ended, or something came that is no answer. At most once for a client that was returned. */
  onBroken(client: RedisClient, reason: string): void;
}

/**
 * Connects, logs in and makes sure that it is Redis who answers. Rejects with an `Error` whose message is for a log.
 * RESP2, which every release of Redis and Valkey speaks.
 */
export async function connectRedisClient(
  address: RedisAddress,
  { clock, timeoutMs, role, serverClock, signal, onBroken }: ConnectOptions,
): Promise<RedisClient> {
  // Loaded when it is asked for only: it takes longer than all of the rest.
  const redis = await import("@redis/client");
  const { host, port, username, password, database, tls } = address;
  const where = hostAndPort(address);
  const common = { host, port, connectTimeout: timeoutMs, reconnectStrategy: false } as const;
  const raw = redis.createClient({
    RESP: 2,
    socket: tls === undefined ? common : { ...common, ...tls, tls: true, rejectUnauthorized: true },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    database,
    // Commands are sent now or not at all; how long they may take is the guard's to say.
    disableOfflineQueue: true,
    commandsQueueMaxLength: 10_000,
    commandOptions: { timeout: 0 },
    disableClientInfo: true,
    maintNotifications: "disabled",
  });
  const options = { typeMapping: { [redis.RESP_TYPES.BLOB_STRING]: Buffer } };
  let usable = false;
  let failure: string | undefined;

  const client: RedisClient = {
    async send(command) {
      try {
        return await raw.sendCommand(command as (string | Buffer)[], options);
      } catch (error) {
        throw translated(error, redis);
      }
    },
    destroy: () => raw.destroy(),
  };
  raw.on("error", (error: unknown) => {
    failure ??= translated(error, redis).message;
    if (usable) onBroken(client, failure);
    usable = false;
  });

  const giveUp = (why: string): void => {
    failure ??= why;
    raw.destroy();
  };
  const timer = clock.schedule(timeoutMs, () => giveUp(`${where} let it wait for ${timeoutMs} ms`));
  const onAbort = (): void => giveUp("closed");
  signal.addEventListener("abort", onAbort);
  try {
    signal.throwIfAborted();
    await raw.connect();
    if (String(await client.send(["PING"])) !== "PONG") throw new Unfit(`${where} is not a Redis`);
    if (role !== "sentinel") {
      await requireRole(client, role, where);
      await hearTime(client, where, clock, serverClock);
    }
    if (failure !== undefined) throw new Error(failure);
    usable = true;
    return client;
  } catch (error) {
    raw.destroy();
    const told = translated(error, redis);
    // A refusal keeps its code: what it means depends on who refuses.
    throw failure === undefined || told instanceof RedisRefusal ? told : new Error(failure, { cause: error });
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

/** A Sentinel answers PING as well, and who is primary changes: a name that Sentinels gave may be an old one. */
async function requireRole(client: RedisClient, role: "any" | "primary", where: string): Promise<void> {
  const reply = await unlessRefused(client.send(["ROLE"]));
  const actual = Array.isArray(reply) ? String(reply[0]) : undefined;
  if (actual === "sentinel") {
    throw new Unfit(`${where} is a Sentinel, and store.redis.url is to say so: ${REDIS_URL_FORMS.sentinel}`);
  }
  if (role === "primary" && actual === "slave") throw new Unfit(`${where} is a replica, not the primary`);
}

/** An ACL may leave out what is good to know, no more. */
async function unlessRefused<T>(reply: Promise<T>): Promise<T | undefined> {
  try {
    return await reply;
  } catch (error) {
    if (error instanceof RedisRefusal) return undefined;
    throw error;
  }
}

async function hearTime(
  client: RedisClient,
  where: string,
  clock: Clock,
  serverClock: ServerClock,
): Promise<void> {
  const askedAtMs = clock.now();
  const reply = await unlessRefused(client.send(["TIME"]));
  // Without it this machine's clock has to do.
  if (reply === undefined) return;
  const serverMs = redisTimeMs(reply);
  if (serverMs === undefined) throw new Error("its answers are not Redis's");
  serverClock.heard(where, serverMs, askedAtMs, clock.now());
}

type Redis = typeof import("@redis/client");

/** Into words of this side: what node-redis reports may hold what was sent or received. */
function translated(error: unknown, redis: Redis): Error {
  if (error instanceof RedisRefusal || error instanceof Unfit) return error;
  if (error instanceof redis.ErrorReply) return new RedisRefusal(error.message);
  const words = wordsFor(error, redis);
  return new Error(words, { cause: error });
}

function wordsFor(error: unknown, redis: Redis): string {
  if (!(error instanceof Error)) return "it failed";
  if (error instanceof redis.ConnectionTimeoutError) return "the connection was not accepted in time";
  if (error instanceof redis.DisconnectsClientError) return "the connection was given up";
  if (error instanceof redis.SocketClosedUnexpectedlyError) return "the connection was closed";
  if (error instanceof redis.ClientClosedError) return "the connection was closed";
  if (error instanceof redis.ClientOfflineError) return "the connection was closed";
  if ("code" in error && typeof error.code === "string") return `the connection failed (${error.code})`;
  return "its answers are not Redis's";
}

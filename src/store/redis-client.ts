import type { Clock } from "../core/clock.ts";
import type { RedisAddress } from "./redis-address.ts";
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

  constructor(reply: string) {
    const code = /^[A-Z]{2,24}(?= |$)/.exec(reply)?.[0] ?? "an error";
    super(`it answers ${code}${HINTS[code] ?? ""}`);
    this.code = code;
  }
}

const HINTS: Readonly<Record<string, string>> = {
  WRONGPASS: ": check the user and the password of store.redis.url",
  NOAUTH: ": it asks for a password, give one in store.redis.url",
  NOPERM: ": its ACL does not let this user do that",
  READONLY: ": it is a replica; store.redis.url must name the primary",
  LOADING: ": it is starting",
  MOVED: ": it is one node of a cluster; a single Redis or a proxy in front of the cluster is needed",
  OOM: ": its memory is full",
  NOREPLICAS: ": it has too few replicas to write",
  MASTERDOWN: ": it is a replica without its primary",
};

export interface ConnectOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Told what time it is at the server, where its ACL lets that be asked. */
  readonly serverClock: ServerClock;
  /** The connection ended, or something came that is no answer. At most once for a client that was returned. */
  onBroken(client: RedisClient, reason: string): void;
}

/**
 * Connects, logs in and makes sure that it is Redis who answers. Rejects with an `Error` whose message is for a log.
 * RESP2, which every release of Redis and Valkey speaks.
 */
export async function connectRedisClient(
  address: RedisAddress,
  { clock, timeoutMs, serverClock, onBroken }: ConnectOptions,
): Promise<RedisClient> {
  // Loaded when it is asked for only: it takes longer than all of the rest.
  const redis = await import("redis");
  const { host, port, username, password, database, tls } = address;
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

  const timer = clock.schedule(timeoutMs, () => {
    failure ??= `${host}:${port} let it wait for ${timeoutMs} ms`;
    raw.destroy();
  });
  try {
    await raw.connect();
    if (String(await client.send(["PING"])) !== "PONG") throw new Error(`${host}:${port} is not a Redis`);
    await hearTime(client, clock, serverClock);
    if (failure !== undefined) throw new Error(failure);
    usable = true;
    return client;
  } catch (error) {
    raw.destroy();
    throw new Error(failure ?? translated(error, redis).message, { cause: error });
  } finally {
    timer.cancel();
  }
}

async function hearTime(client: RedisClient, clock: Clock, serverClock: ServerClock): Promise<void> {
  const askedAtMs = clock.now();
  try {
    const serverMs = redisTimeMs(await client.send(["TIME"]));
    if (serverMs === undefined) throw new Error("its answers are not Redis's");
    serverClock.heard(serverMs, askedAtMs, clock.now());
  } catch (error) {
    // An ACL may leave it out: then this machine's clock has to do.
    if (!(error instanceof RedisRefusal)) throw error;
  }
}

type Redis = typeof import("redis");

/** Into words of this side: what node-redis reports may hold what was sent or received. */
function translated(error: unknown, redis: Redis): Error {
  if (error instanceof RedisRefusal) return error;
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

import type { RedisHost } from "../config/redis-url.ts";
import type { Timer } from "../core/clock.ts";
import { hostAndPort, type RedisAddress, type RedisServers } from "./redis-address.ts";
import { connectRedisClient, type RedisClient, RedisRefusal } from "./redis-client.ts";
import { createRedisConnection, type RedisConnection, type RedisConnectionDeps } from "./redis-connection.ts";

export type SentinelServers = Extract<RedisServers, { kind: "sentinel" }>;

export interface SentinelDeps extends Omit<RedisConnectionDeps, "address" | "role" | "onLost"> {
  /** Asked each time; throws `ConfigError`. */
  servers(): SentinelServers;
}

/** For one Sentinel, from connecting to its answer: one that is down is passed over this soon. */
const SENTINEL_MS = 1_000;
/**
 * How often they are asked whether the primary is still the same. What is written to one that was replaced is lost. It
 * closes its connections once it is told, which may be 10 s later, or never where it is cut off from its Sentinels.
 */
const WATCH_MS = 1_000;

/**
 * A connection to the primary that Sentinels name. After a failover they name another: it is followed when the connection
 * ends, when the old primary answers `READONLY`, and at the latest when they are asked again.
 */
export function connectThroughSentinels(deps: SentinelDeps): RedisConnection {
  const { clock } = deps;
  const sentinels = createSentinels(deps);
  let current: string | undefined;
  let watch: Timer | undefined;
  let closed = false;

  const connection = createRedisConnection({
    ...deps,
    role: "primary",
    async address() {
      const address = await sentinels.primary();
      current = hostAndPort(address);
      return address;
    },
    // It may have been named by a Sentinel that knows no better.
    onLost: () => sentinels.doubt(),
  });

  async function look(): Promise<void> {
    try {
      const where = hostAndPort(await sentinels.primary());
      if (current !== undefined && where !== current)
        connection.reconnect("the Sentinels name another primary");
    } catch {
      // The connection there is goes on; whoever makes the next one asks again.
    }
    watchOn();
  }

  function watchOn(): void {
    if (!closed) watch = clock.schedule(WATCH_MS, () => void look());
  }
  watchOn();

  return {
    ...connection,
    close() {
      closed = true;
      watch?.cancel();
      sentinels.close();
      connection.close();
    },
  };
}

interface Sentinels {
  /** By the first that answers. Rejects with an `Error` whose message is for a log. */
  primary(): Promise<RedisAddress>;
  /** Another one is asked first the next time. */
  doubt(): void;
  close(): void;
}

function createSentinels({ clock, random, serverClock, servers }: SentinelDeps): Sentinels {
  const closing = new AbortController();
  let kept: RedisClient | undefined;
  /** Who is asked first, counted over the end: each process begins with another. */
  let first = Math.floor(random() * 1_000);
  let asking: Promise<RedisAddress> | undefined;

  async function askAll(): Promise<RedisAddress> {
    const { sentinels, name, primaryAt } = servers();
    const reasons = new Set<string>();
    for (const [index] of sentinels.entries()) {
      const position = (first + index) % sentinels.length;
      const sentinel = sentinels[position] as RedisAddress;
      try {
        const primary = primaryAt(await askOne(sentinel, name));
        first = position;
        return primary;
      } catch (error) {
        letGo();
        reasons.add(`${hostAndPort(sentinel)}: ${error instanceof Error ? error.message : "unknown"}`);
      }
    }
    throw new Error(`no Sentinel names the primary: ${[...reasons].join("; ")}`);
  }

  async function askOne(sentinel: RedisAddress, name: string): Promise<RedisHost> {
    let timer: Timer | undefined;
    try {
      const client = kept ?? (await connect(sentinel));
      kept = client;
      timer = clock.schedule(SENTINEL_MS, () => client.destroy());
      return primaryOf(await client.send(["SENTINEL", "get-master-addr-by-name", name]));
    } catch (error) {
      throw new Error(sentinelWords(error), { cause: error });
    } finally {
      timer?.cancel();
    }
  }

  function connect(sentinel: RedisAddress): Promise<RedisClient> {
    return connectRedisClient(sentinel, {
      clock,
      timeoutMs: SENTINEL_MS,
      role: "sentinel",
      serverClock,
      signal: closing.signal,
      onBroken: (broken) => {
        if (kept === broken) letGo();
      },
    });
  }

  function letGo(): void {
    kept?.destroy();
    kept = undefined;
  }

  return {
    primary() {
      asking ??= askAll().finally(() => {
        asking = undefined;
        if (closing.signal.aborted) letGo();
      });
      return asking;
    },
    doubt() {
      if (asking !== undefined) return;
      letGo();
      first += 1;
    },
    close() {
      closing.abort();
      letGo();
    },
  };
}

function primaryOf(reply: unknown): RedisHost {
  if (reply === null) throw new Error("it knows no primary of the name that is in store.redis.url");
  const [host, port] = Array.isArray(reply) ? reply.map(String) : [];
  if (host === undefined || host === "" || !(Number(port) > 0))
    throw new Error("its answers are not a Sentinel's");
  return { host, port: Number(port) };
}

function sentinelWords(error: unknown): string {
  if (!(error instanceof Error)) return "it failed";
  if (!(error instanceof RedisRefusal)) return error.message;
  switch (error.code) {
    case "ERR":
      return "it is no Sentinel; Sentinels listen on port 26379 as a rule";
    case "NOAUTH":
      return "it asks for a password of its own: ?sentinel_password=… in store.redis.url";
    case "WRONGPASS":
      return "it answers WRONGPASS: check ?sentinel_username=…&sentinel_password=… in store.redis.url";
    case "NOPERM":
      return "its ACL does not let this user ask SENTINEL get-master-addr-by-name";
    default:
      return error.message;
  }
}

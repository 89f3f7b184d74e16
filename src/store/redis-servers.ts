import { ConfigError } from "../config/fault.ts";
import type { RedisServers } from "./redis-address.ts";
import { createRedisCluster } from "./redis-cluster.ts";
import { createRedisConnection, type RedisConnection, type RedisConnectionDeps } from "./redis-connection.ts";
import { connectThroughSentinels } from "./redis-sentinels.ts";
import { createServerClock } from "./server-clock.ts";

export interface RedisServersDeps extends Pick<RedisConnectionDeps, "clock" | "log" | "random"> {
  /** As the configuration has them now: a rotated password or host is taken up at the next attempt. */
  servers(): RedisServers;
}

/**
 * One connection to whatever the URL names. What can be known to be wrong without asking anybody is an error of the
 * configuration.
 *
 * @throws `ConfigError` for a URL or a file that cannot be used
 */
export function connectRedis({ servers, ...rest }: RedisServersDeps): RedisConnection {
  const deps = { ...rest, serverClock: createServerClock(rest.clock) };
  const { kind } = servers();
  const still = <K extends RedisServers["kind"]>(wanted: K): Extract<RedisServers, { kind: K }> => {
    const now = servers();
    if (now.kind === wanted) return now as Extract<RedisServers, { kind: K }>;
    throw new ConfigError({
      kind: "conflict",
      message: `store.redis.url was of the kind ${wanted} and is of the kind ${now.kind} now: restart`,
    });
  };
  switch (kind) {
    case "single":
      return createRedisConnection({ ...deps, address: () => still("single").address });
    case "sentinel":
      return connectThroughSentinels({ ...deps, servers: () => still("sentinel") });
    case "cluster":
      return createRedisCluster({ ...deps, servers: () => still("cluster") });
  }
}

/** The stores, each ready for one test file. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { parseRedisUrl } from "../../src/store/redis-address.ts";
import { CLASS, INDEX } from "../../src/store/redis-scripts.ts";
import { connectRedis } from "../../src/store/redis-servers.ts";
import { createRedisStore } from "../../src/store/redis-store.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import { startRedisServer } from "../support/redis-server.ts";
import { startRedisCluster, startSentinelSetup } from "../support/redis-topologies.ts";

export interface StoreFixture {
  readonly kind: Store["kind"];
  /** Empty. A second one over the same records, where the kind is one that processes share. */
  open(clock: Clock): Promise<Store>;
  /** Whether what one `open` wrote another sees. */
  readonly persistent: boolean;
  stop(): Promise<void>;
}

export const storeFixtures = {
  memory: async () => ({
    kind: "memory",
    open: async (clock) => createMemoryStore(clock),
    persistent: false,
    stop: async () => {},
  }),
  async sqlite() {
    const directory = mkdtempSync(join(tmpdir(), "pillion-store-"));
    const file = join(directory, "sessions.db");
    return {
      kind: "sqlite",
      open: (clock) => openSqliteStore(file, { clock, randomBytes }),
      persistent: true,
      stop: async () => rmSync(directory, { recursive: true }),
    };
  },
  async redis() {
    const server = await startRedisServer();
    return overRedis(server.url, () => server.stop());
  },
  async sentinel() {
    const setup = await startSentinelSetup();
    return overRedis(setup.url, () => setup.stop());
  },
  async cluster() {
    const cluster = await startRedisCluster();
    // Where a script is missing it comes a moment later, and what is not waited for with it: an index may be off by one.
    for (const primary of cluster.primaries) {
      for (const { source } of [CLASS, INDEX]) await primary.command("SCRIPT", "LOAD", source);
    }
    return overRedis(cluster.url, () => cluster.stop());
  },
} satisfies Readonly<Record<string, () => Promise<StoreFixture>>>;

function overRedis(url: string, stop: () => Promise<void>): StoreFixture {
  return { kind: "redis", open: (clock) => connectRedisStore(url, clock), persistent: true, stop };
}

export async function connectRedisStore(url: string, clock: Clock, prefix = "pillion:"): Promise<Store> {
  const servers = () => parseRedisUrl(url, undefined);
  const connection = connectRedis({ clock, log: silentLogger, random: Math.random, servers });
  await connection.tried;
  return createRedisStore({ connection, prefix, clock, randomBytes });
}

/** The three stores, each ready for one test file. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../src/core/clock.ts";
import { silentLogger } from "../../src/core/log.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { parseRedisUrl } from "../../src/store/redis-address.ts";
import { createRedisConnection } from "../../src/store/redis-connection.ts";
import { createRedisStore } from "../../src/store/redis-store.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import { startRedisServer } from "../support/redis-server.ts";

export interface StoreFixture {
  /** Empty. A second one over the same records, where the kind is one that processes share. */
  open(clock: Clock): Promise<Store>;
  /** Whether what one `open` wrote another sees. */
  readonly persistent: boolean;
  stop(): Promise<void>;
}

export const storeFixtures: Readonly<Record<Store["kind"], () => Promise<StoreFixture>>> = {
  memory: async () => ({
    open: async (clock) => createMemoryStore(clock),
    persistent: false,
    stop: async () => {},
  }),
  async sqlite() {
    const directory = mkdtempSync(join(tmpdir(), "pillion-store-"));
    const file = join(directory, "sessions.db");
    return {
      open: (clock) => openSqliteStore(file, { clock, randomBytes }),
      persistent: true,
      stop: async () => rmSync(directory, { recursive: true }),
    };
  },
  async redis() {
    const server = await startRedisServer();
    return {
      open: (clock) => connectRedisStore(server.url, clock),
      persistent: true,
      stop: () => server.stop(),
    };
  },
};

export async function connectRedisStore(url: string, clock: Clock, prefix = "pillion:"): Promise<Store> {
  const address = () => parseRedisUrl(url, undefined);
  const connection = createRedisConnection({ clock, log: silentLogger, random: Math.random, address });
  await connection.tried;
  return createRedisStore({ connection, prefix, clock, randomBytes });
}

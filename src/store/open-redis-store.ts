import type { StoreConfig } from "../config/config.ts";
import type { VaultDeps } from "./open-vault.ts";
import { createPatience } from "./patience.ts";
import { parseRedisUrl } from "./redis-address.ts";
import { connectRedis } from "./redis-servers.ts";
import { createRedisStore } from "./redis-store.ts";
import type { Store } from "./store.ts";

/** The start waits this long for Redis, so that the first requests find it connected; then it starts without. */
const FIRST_CONNECTION_MS = 1_000;
/** Of a start that takes its time itself, one of many on a small machine, little counts as Redis's. */
const TICK_MS = 20;

/** Resolves once Redis was tried; one that is down is connected to later. */
export async function openRedisStore(
  { url, tls, prefix }: Extract<StoreConfig, { kind: "redis" }>,
  { clock, secrets, log, randomBytes }: VaultDeps,
): Promise<Store> {
  const servers = () => parseRedisUrl(url.kind === "literal" ? url.value : secrets.read(url).reveal(), tls);
  const random = (): number => randomBytes(4).readUInt32BE() / 2 ** 32;
  const connection = connectRedis({ clock, log, random, servers });
  await new Promise<void>((resolve) => {
    const timer = createPatience(clock, TICK_MS).wait(FIRST_CONNECTION_MS, resolve);
    void connection.tried.then(() => {
      timer.cancel();
      resolve();
    });
  });
  return createRedisStore({ connection, prefix, clock, randomBytes });
}

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { slotOf } from "../../src/store/redis-slots.ts";
import { recordName } from "../../src/store/sealing.ts";
import { StoreUnavailable } from "../../src/store/store.ts";
import type { Vault } from "../../src/store/vault.ts";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { type RedisCluster, startRedisCluster } from "../support/redis-topologies.ts";
import { afterTheEnd } from "./after-the-end.ts";
import { connectRedisStore } from "./stores.ts";
import { createVaultBed, redisConfig, type VaultBed } from "./vaults.ts";

const options = { expiresAtMs: Date.now() + 3_600_000, credentials: ["user"] };
const patience = { timeout: 15_000, interval: 20 };
const keyOf = (id: string): string => `pillion:${recordName({ kind: "session", key: id })}`;

async function outcome(vault: Vault, id: string): Promise<string> {
  try {
    return String((await vault.read("session", id))?.content ?? "absent");
  } catch (error) {
    if (error instanceof StoreUnavailable) return "unavailable";
    throw error;
  }
}

describe("a cluster of three primaries", () => {
  let cluster: RedisCluster;
  let bed: VaultBed;
  let vault: Vault;
  const ids = Array.from({ length: 30 }, (_, index) => `${index}`.padStart(43, "A"));
  const idsOf = (server: RedisServer) => ids.filter((id) => cluster.ownerOf(keyOf(id)) === server);
  beforeAll(async () => {
    cluster = await startRedisCluster();
    bed = createVaultBed();
    // One node of the URL is enough: it knows the others.
    const url = `redis+cluster://127.0.0.1:${cluster.primaries[1]?.port}`;
    vault = await bed.vault(redisConfig(url, bed.keys));
    for (const id of ids) await vault.write("session", id, id, options);
  });
  afterAll(async () => {
    await vault.close();
    await cluster.stop();
  });
  const server = (index: number): RedisServer => cluster.primaries[index] as RedisServer;

  it("says of each key where it is, as slots are counted here", async () => {
    for (const key of ["x", keyOf("a"), "lock:{pillion:x}", "{}a", "ü", "a{ü}"]) {
      expect(slotOf(key)).toBe(await server(0).command("CLUSTER", "KEYSLOT", key));
    }
  });

  it("holds records at all of them, all with an end, and none is sent from node to node", async () => {
    for (const primary of cluster.primaries) {
      expect(idsOf(primary).length).toBeGreaterThan(2);
      const keys = ((await primary.command("KEYS", "pillion:*")) as Buffer[]).map(String);
      expect(keys.length).toBeGreaterThanOrEqual(idsOf(primary).length);
      for (const key of keys) expect(await primary.command("PTTL", key)).toBeGreaterThan(0);
      expect(String(await primary.command("INFO", "errorstats"))).not.toContain("errorstat_MOVED");
    }
    expect((await vault.countByCredential()).get("user")).toBe(ids.length);
  });

  it("has the lock of a record at the record's own node", async () => {
    const store = await connectRedisStore(cluster.url, createSystemClock());
    for (let count = 0; count < 6; count += 1) {
      expect(await store.lock(`lock:session:${count}`, 60_000)).toBeDefined();
      const key = `pillion:lock:{pillion:session:${count}}`;
      expect(await cluster.ownerOf(`pillion:session:${count}`).command("EXISTS", key)).toBe(1);
    }
    await store.close();
  });

  it("is followed when a slot moves, and while it does", async () => {
    const [id = ""] = idsOf(server(0));
    const slot = String(slotOf(keyOf(id)));
    const [source, target] = [await cluster.idOf(server(0)), await cluster.idOf(server(1))];
    await server(1).command("CLUSTER", "SETSLOT", slot, "IMPORTING", source);
    await server(0).command("CLUSTER", "SETSLOT", slot, "MIGRATING", target);
    expect(await outcome(vault, id)).toBe(id);
    const port = String(server(1).port);
    await server(0).command("MIGRATE", "127.0.0.1", port, keyOf(id), "0", "5000");
    // Both by ASK, one of them by a script that the target has not seen yet in this slot.
    expect(await outcome(vault, id)).toBe(id);
    expect(await vault.write("session", id, "while it moves", options)).toBeDefined();
    for (const primary of [server(1), server(0), server(2)]) {
      await primary.command("CLUSTER", "SETSLOT", slot, "NODE", target);
    }
    expect(await outcome(vault, id)).toBe("while it moves");
    expect(await vault.write("session", id, "moved", options)).toBeDefined();
    expect(await outcome(vault, id)).toBe("moved");
    const stats = String(await server(0).command("INFO", "errorstats"));
    expect(stats).toContain("errorstat_ASK");
    expect(stats).toContain("errorstat_MOVED");
  });

  it("with one node that stands still serves what the others have, and never waits long for the rest", async () => {
    const there = idsOf(server(2));
    const elsewhere = idsOf(server(1));
    server(2).signal("SIGSTOP");
    try {
      expect(await outcome(vault, there[0] ?? "")).toBe("unavailable");
      const asked = bed.operations.length;
      for (const id of there) expect(await outcome(vault, id)).toBe("unavailable");
      expect(new Set(bed.operations.slice(asked))).toEqual(new Set(["read skipped"]));
      for (const id of elsewhere) expect(await outcome(vault, id)).not.toBe("unavailable");
    } finally {
      server(2).signal("SIGCONT");
    }
    await vi.waitFor(async () => expect(await outcome(vault, there[0] ?? "")).toBe(there[0]), patience);
    await cluster.whole();
  });

  it("with one node that was down uses it again within four seconds after it is back", async () => {
    const [id = ""] = idsOf(server(2));
    await server(2).kill();
    await vi.waitFor(async () => expect(await outcome(vault, id)).toBe("unavailable"), patience);
    // By now the pauses between two attempts to connect are at their longest.
    await vi.waitFor(() => expect(bed.lines.join("\n")).toContain(`ECONNREFUSED`), patience);
    await server(2).restart();
    await cluster.whole();
    const backMs = performance.now();
    await vi.waitFor(async () => expect(await outcome(vault, id)).toBe("absent"), patience);
    expect(performance.now() - backMs).toBeLessThan(4_000);
  });

  it("is followed when a primary dies and its replica takes over", async () => {
    const there = idsOf(server(0)).slice(1);
    await server(0).kill();
    const [id = ""] = there;
    await vi.waitFor(async () => expect(await outcome(vault, id)).toBe(id), patience);
    for (const each of there) expect(await outcome(vault, each)).toBe(each);
    expect(await vault.write("session", id, "after a death", options)).toBeDefined();
    expect(bed.lines.join("\n")).toContain(`127.0.0.1:${cluster.replica.port}`);
  });

  it("leaves a process nothing to stay for once it is closed, reached or not", async () => {
    expect(await afterTheEnd(cluster.url, "redis+cluster://127.0.0.1:9")).toEqual([
      "answered",
      "unavailable",
      "left:",
    ]);
  });

  it("is not asked any more after the end", async () => {
    const store = await connectRedisStore(cluster.url, createSystemClock());
    await store.close();
    await expect(store.read("session:a")).rejects.toThrow("closed");
    await expect(store.lock("lock:session:a", 1_000)).rejects.toThrow(StoreUnavailable);
    await store.close();
  });

  it("named as a single Redis says how a cluster is written", async () => {
    const other = createVaultBed();
    const wrong = await other.vault(redisConfig(`redis://127.0.0.1:${server(1).port}`, other.keys));
    const results = await Promise.all(ids.map((id) => outcome(wrong, id)));
    expect(results).toContain("unavailable");
    expect(other.lines.join("\n")).toContain(
      "it is one node of a cluster, and store.redis.url is to say so: redis+cluster://",
    );
    await wrong.close();
  });
});

describe("what is wrong with a cluster is told:", () => {
  async function told(url: string): Promise<string> {
    const bed = createVaultBed();
    const vault = await bed.vault(redisConfig(url, bed.keys));
    expect(await outcome(vault, "A")).toBe("unavailable");
    await vault.close();
    return bed.lines.join("\n");
  }

  it("a single Redis, a password that is missing, a user who may not ask for the map", async () => {
    await using server = await startRedisServer({
      user: { name: "limited", password: "canary", rules: ["~*", "+ping", "+get"] },
      config: ["--requirepass", "canary"],
    });
    const at = `127.0.0.1:${server.port}`;
    expect(await told(`redis+cluster://:canary@${at}`)).toContain(
      "it is no node of a cluster; a single Redis is written redis://",
    );
    expect(await told(`redis+cluster://${at}`)).toContain("it asks for a password");
    const limited = await told(`redis+cluster://limited:canary@${at}`);
    expect(limited).toContain("its ACL does not let this user do CLUSTER SLOTS");
    expect(limited).not.toContain("canary");
  });
});

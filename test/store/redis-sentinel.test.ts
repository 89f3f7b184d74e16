import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import { StoreUnavailable } from "../../src/store/store.ts";
import type { Vault } from "../../src/store/vault.ts";
import { freePort, type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { type SentinelSetup, startSentinelSetup } from "../support/redis-topologies.ts";
import { afterTheEnd } from "./after-the-end.ts";
import { createVaultBed, redisConfig, type VaultBed } from "./vaults.ts";

const A = "A".repeat(43);
const options = { expiresAtMs: Date.now() + 3_600_000 };
const patience = { timeout: 15_000, interval: 20 };

async function outcome(vault: Vault): Promise<string> {
  try {
    return String((await vault.read("session", A))?.content ?? "absent");
  } catch (error) {
    if (error instanceof StoreUnavailable) return "unavailable";
    throw error;
  }
}

/** What is waited for: it is written again, and read. */
async function heals(vault: Vault, value: string): Promise<void> {
  await vi.waitFor(() => vault.write("session", A, value, options), patience);
  expect(await outcome(vault)).toBe(value);
}

describe("with three Sentinels", () => {
  let setup: SentinelSetup;
  let bed: VaultBed;
  let vault: Vault;
  beforeAll(async () => {
    setup = await startSentinelSetup(3);
    bed = createVaultBed();
    vault = await bed.vault(redisConfig(setup.url, bed.keys));
  });
  afterAll(async () => {
    await vault.close();
    await setup.stop();
  });

  const connectedTo = (port: number) =>
    vi.waitFor(() => {
      const connected = bed.lines.filter((line) => line.includes("store_connected"));
      expect(connected.at(-1)).toContain(`127.0.0.1:${port}"`);
    }, patience);

  it("the primary is found, whichever of them do not answer", async () => {
    await vault.write("session", A, "first", options);
    const dead = [await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`);
    const url = `redis+sentinel://${dead[0]},127.0.0.1:${setup.sentinelPorts[1]},${dead[1]}/mymaster`;
    const others = await Promise.all(Array.from({ length: 5 }, () => bed.vault(redisConfig(url, bed.keys))));
    for (const other of others) {
      await vi.waitFor(async () => expect(await outcome(other)).toBe("first"), patience);
    }
    await Promise.all(others.map((other) => other.close()));
  });

  it("a primary that is killed is left for the new one, while one Sentinel is down", async () => {
    const before = await setup.primaryPort();
    await setup.killSentinel(0);
    const primary = setup.servers.find(({ port }) => port === before);
    await primary?.kill();
    expect(await outcome(vault)).toBe("unavailable");
    await vi.waitFor(async () => expect(await setup.primaryPort()).not.toBe(before), patience);
    await connectedTo(await setup.primaryPort());
    await heals(vault, "after a death");
  });

  it("nothing comes back after the end", async () => {
    const other = await bed.vault(redisConfig(setup.url, bed.keys));
    await other.write("session", A, "last", options);
    await other.close();
    await expect(other.read("session", A)).rejects.toThrow(StoreUnavailable);
  });
});

/** A replica that comes is sent what there is without waiting for more of them. */
const AT_ONCE = ["--repl-diskless-sync-delay", "0"];

function replicaOf({ port }: RedisServer): Promise<RedisServer> {
  return startRedisServer({ config: [...AT_ONCE, "--replicaof", "127.0.0.1", String(port)] });
}

/** As a Sentinel answers that names whatever it is told. */
function startStandIn(answer: () => { readonly host: string; readonly port: number }) {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      const { host, port } = answer();
      const text = data.toString();
      const address = `*2\r\n$${host.length}\r\n${host}\r\n$${String(port).length}\r\n${port}\r\n`;
      socket.write(text.includes("PING") ? "+PONG\r\n" : address);
    });
  }).listen(0, "127.0.0.1");
  return new Promise<{ readonly port: number; [Symbol.dispose](): void }>((resolve) => {
    server.once("listening", () => {
      const address = server.address();
      resolve({
        port: typeof address === "object" && address !== null ? address.port : 0,
        [Symbol.dispose]() {
          for (const socket of sockets) socket.destroy();
          server.close();
        },
      });
    });
  });
}

describe("with a Sentinel that", () => {
  it("names another primary, that one is used, though the old one goes on as if nothing had happened", async () => {
    await using first = await startRedisServer();
    await using second = await startRedisServer();
    let primary = first;
    using sentinel = await startStandIn(() => ({ host: "127.0.0.1", port: primary.port }));
    const bed = createVaultBed();
    const vault = await bed.vault(redisConfig(`redis+sentinel://127.0.0.1:${sentinel.port}/m`, bed.keys));
    await vault.write("session", A, "old", options);
    primary = second;
    await vi.waitFor(async () => expect(await outcome(vault)).toBe("absent"), patience);
    expect(bed.lines.join("\n")).toContain("the Sentinels name another primary");
    await vault.close();
  });

  it("has had the replica promoted, that one is used, and what is in it", async () => {
    await using first = await startRedisServer({ config: AT_ONCE });
    await using second = await replicaOf(first);
    let primary = first;
    using sentinel = await startStandIn(() => ({ host: "127.0.0.1", port: primary.port }));
    const bed = createVaultBed();
    const vault = await bed.vault(redisConfig(`redis+sentinel://127.0.0.1:${sentinel.port}/m`, bed.keys));
    await vault.write("session", A, "kept", options);
    await vi.waitFor(async () => expect(String(await second.command("DBSIZE"))).not.toBe("0"), patience);
    await second.command("REPLICAOF", "NO", "ONE");
    await first.command("REPLICAOF", "127.0.0.1", String(second.port));
    await expect(vault.write("session", A, "no", options)).rejects.toThrow("READONLY");
    primary = second;
    await heals(vault, "by the new one");
    await vault.close();
  });

  it("names a replica, that one is not used", async () => {
    await using primary = await startRedisServer();
    await using replica = await startRedisServer({
      config: ["--replicaof", "127.0.0.1", String(primary.port)],
    });
    using sentinel = await startStandIn(() => ({ host: "127.0.0.1", port: replica.port }));
    const bed = createVaultBed();
    const vault = await bed.vault(redisConfig(`redis+sentinel://127.0.0.1:${sentinel.port}/m`, bed.keys));
    expect(await outcome(vault)).toBe("unavailable");
    expect(bed.lines.join("\n")).toContain("is a replica, not the primary");
    await vault.close();
  });
});

describe("what is wrong with Sentinels is told:", () => {
  async function told(url: string): Promise<string> {
    const bed = createVaultBed();
    bed.env.set("REDIS_URL", new Secret(url));
    const vault = await bed.vault({ ...redisConfig("", bed.keys), url: { kind: "env", name: "REDIS_URL" } });
    expect(await outcome(vault)).toBe("unavailable");
    await vault.close();
    return bed.lines.join("\n");
  }
  let setup: SentinelSetup;
  beforeAll(async () => {
    setup = await startSentinelSetup();
  });
  afterAll(() => setup.stop());
  const sentinel = () => `127.0.0.1:${setup.sentinelPorts[0]}`;

  it("a name that they do not know", async () => {
    expect(await told(`redis+sentinel://:canary@${sentinel()}/other`)).toContain(
      "it knows no primary of the name",
    );
  });

  it("nothing that would keep a process once it is closed, reached or not", async () => {
    const urls = [setup.url, setup.servers[0]?.url ?? "", "redis+sentinel://127.0.0.1:9/mymaster"];
    expect(await afterTheEnd(...urls)).toEqual(["answered", "answered", "unavailable", "left:"]);
  });

  it("a Redis that is none", async () => {
    const lines = await told(`redis+sentinel://127.0.0.1:${setup.servers[0]?.port}/mymaster`);
    expect(lines).toContain("it is no Sentinel");
  });

  it("a Sentinel where a Redis or a cluster should be", async () => {
    expect(await told(`redis://${sentinel()}`)).toContain(
      "is a Sentinel, and store.redis.url is to say so: redis+sentinel://",
    );
    expect(await told(`redis+cluster://${sentinel()}`)).toContain(
      "is a Sentinel, and store.redis.url is to say so",
    );
  });

  it("a user of theirs with a wrong password, or without the right to ask", async () => {
    await setup.sentinelCommand("ACL", "SETUSER", "limited", "on", ">s-canary", "-@all", "+ping", "+auth");
    const url = `redis+sentinel://${sentinel()}/mymaster?sentinel_username=limited&sentinel_password=`;
    const wrong = await told(`${url}no-canary`);
    expect(wrong).toContain("it answers WRONGPASS: check ?sentinel_username=");
    const limited = await told(`${url}s-canary`);
    expect(limited).toContain("its ACL does not let this user ask SENTINEL get-master-addr-by-name");
    expect(wrong + limited).not.toContain("canary");
  });

  it("a password that they ask for, and one of the primary's that is wrong", async () => {
    await setup.protect("sentinel-canary", "primary-canary");
    const missing = await told(`redis+sentinel://:primary-canary@${sentinel()}/mymaster`);
    expect(missing).toContain("?sentinel_password=");
    const wrong = await told(
      `redis+sentinel://:no-canary@${sentinel()}/mymaster?sentinel_password=sentinel-canary`,
    );
    expect(wrong).toContain("check the user and the password of store.redis.url");
    expect(missing + wrong).not.toContain("canary");
    const bed = createVaultBed();
    const url = `redis+sentinel://:primary-canary@${sentinel()}/mymaster?sentinel_password=sentinel-canary`;
    const vault = await bed.vault(redisConfig(url, bed.keys));
    expect(await outcome(vault)).toBe("absent");
    await vault.close();
  });
});

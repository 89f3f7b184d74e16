/** A real Redis Cluster, and a primary with a replica and Sentinels; on the loopback interface, nothing on the disk. */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { slotOf } from "../../src/store/redis-slots.ts";
import { freePort, killRedis, type RedisServer, spawnRedis, startRedisServer } from "./redis-server.ts";

const SLOTS = 16_384;
const PRIMARIES = 3;

export interface RedisCluster extends AsyncDisposable {
  /** `redis+cluster://…`, of all primaries. */
  readonly url: string;
  readonly primaries: readonly RedisServer[];
  /** Of the first primary. */
  readonly replica: RedisServer;
  /** Which primary had the key's slot at the start. */
  ownerOf(key: string): RedisServer;
  idOf(server: RedisServer): Promise<string>;
  /** All nodes of `primaries` say that they are whole. */
  whole(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedisCluster(): Promise<RedisCluster> {
  const servers = await Promise.all(Array.from({ length: PRIMARIES + 1 }, startNode));
  const primaries = servers.slice(0, PRIMARIES).map(({ server }) => server);
  const replica = servers[PRIMARIES]?.server as RedisServer;
  const first = primaries[0] as RedisServer;
  const idOf = async (server: RedisServer): Promise<string> =>
    String(await server.command("CLUSTER", "MYID"));
  const firstSlot = (index: number): number => Math.ceil((SLOTS * index) / PRIMARIES);
  for (const [index, { server, busPort }] of servers.entries()) {
    await server.command("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
    if (index < PRIMARIES) {
      const range = [String(firstSlot(index)), String(firstSlot(index + 1) - 1)];
      await server.command("CLUSTER", "ADDSLOTSRANGE", ...range);
    }
    if (server !== first) {
      await first.command("CLUSTER", "MEET", "127.0.0.1", String(server.port), String(busPort));
    }
  }
  const whole = async (): Promise<void> => {
    for (const server of primaries) {
      await until("the cluster is whole", async () => {
        const info = String(await server.command("CLUSTER", "INFO"));
        return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${servers.length}`);
      });
    }
  };
  const firstId = await idOf(first);
  await until("the replica knows its primary", async () =>
    String(await replica.command("CLUSTER", "NODES")).includes(firstId),
  );
  await replica.command("CLUSTER", "REPLICATE", firstId);
  await whole();
  await until("the replica follows", async () =>
    String(await replica.command("INFO")).includes("link_status:up"),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map(({ server }) => server.stop()));
  };
  return {
    url: `redis+cluster://${primaries.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    primaries,
    replica,
    ownerOf(key) {
      const slot = slotOf(key);
      const index = primaries.findIndex((_, each) => slot < firstSlot(each + 1));
      return primaries[index] as RedisServer;
    },
    idOf,
    whole,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function startNode(): Promise<{ readonly server: RedisServer; readonly busPort: number }> {
  const busPort = await freePort();
  const server = await startRedisServer({
    config: [
      ...["--cluster-enabled", "yes", "--cluster-port", String(busPort), "--cluster-node-timeout", "500"],
      ...["--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0"],
    ],
  });
  return { server, busPort };
}

export interface SentinelSetup extends AsyncDisposable {
  /** `redis+sentinel://…/mymaster`, of all Sentinels. */
  readonly url: string;
  readonly sentinelPorts: readonly number[];
  /** The first is the primary at the start. */
  readonly servers: readonly RedisServer[];
  /** The port of the primary, by the Sentinels that are left. */
  primaryPort(): Promise<number>;
  killSentinel(index: number): Promise<void>;
  /** Runs one command at the first Sentinel, unless it is protected. */
  sentinelCommand(...command: string[]): Promise<unknown>;
  /** From now on the first Sentinel and the first server ask for these passwords. */
  protect(sentinel: string, server: string): Promise<void>;
  stop(): Promise<void>;
}

/** One primary, one replica, `sentinels` of them (default 1) of which `sentinels / 2`, rounded up, must agree. */
export async function startSentinelSetup(sentinels = 1): Promise<SentinelSetup> {
  const directory = mkdtempSync(join(tmpdir(), "pillion-sentinel-"));
  const sync = ["--repl-diskless-sync-delay", "0"];
  const primary = await startRedisServer({ config: sync });
  const replica = await startRedisServer({
    config: [...sync, "--replicaof", "127.0.0.1", String(primary.port)],
  });
  await until("the replica follows", async () =>
    String(await replica.command("INFO")).includes("link_status:up"),
  );
  const children: ChildProcess[] = [];
  const ports: number[] = [];
  for (let index = 0; index < sentinels; index += 1) {
    const port = await freePort();
    const file = join(directory, `${port}.conf`);
    writeFileSync(
      file,
      `port ${port}
bind 127.0.0.1
dir ${directory}
sentinel monitor mymaster 127.0.0.1 ${primary.port} ${Math.ceil(sentinels / 2)}
sentinel down-after-milliseconds mymaster 300
sentinel failover-timeout mymaster 2000
`,
    );
    const child = await spawnRedis([file, "--sentinel"]);
    if (child === undefined) throw new Error("a Sentinel does not start");
    children.push(child);
    ports.push(port);
  }
  const ask = (port: number, ...command: string[]): Promise<unknown> => askSentinel(port, command);
  for (const port of ports) {
    await until("the Sentinels know the replica and each other", async () => {
      const reply = ((await ask(port, "SENTINEL", "MASTER", "mymaster")) as unknown[]).map(String);
      const field = (name: string): string | undefined => reply[reply.indexOf(name) + 1];
      return field("num-slaves") === "1" && field("num-other-sentinels") === String(sentinels - 1);
    });
  }
  const stop = async (): Promise<void> => {
    await Promise.all([...children.map(killRedis), primary.stop(), replica.stop()]);
    rmSync(directory, { recursive: true, force: true });
  };
  return {
    url: `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(",")}/mymaster`,
    sentinelPorts: ports,
    servers: [primary, replica],
    async primaryPort() {
      const port = ports.find((_, index) => children[index]?.signalCode === null);
      const reply = await ask(port as number, "SENTINEL", "get-master-addr-by-name", "mymaster");
      return Number(String((reply as unknown[])[1]));
    },
    sentinelCommand: (...command) => ask(ports[0] as number, ...command),
    async protect(sentinel, server) {
      await ask(ports[0] as number, "ACL", "SETUSER", "default", `>${sentinel}`);
      await primary.command("CONFIG", "SET", "requirepass", server);
    },
    killSentinel: (index) => killRedis(children[index] as ChildProcess),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function askSentinel(port: number, command: readonly string[]): Promise<unknown> {
  const { createClient } = await import("@redis/client");
  const client = createClient({
    url: `redis://127.0.0.1:${port}`,
    RESP: 2,
    socket: { reconnectStrategy: false },
  });
  client.on("error", () => {});
  try {
    await client.connect();
    return await client.sendCommand([...command]);
  } finally {
    client.destroy();
  }
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`it is not so in time that ${what}`);
    await delay(20);
  }
}

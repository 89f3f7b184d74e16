import type { RedisHost } from "../config/redis-url.ts";
import { type BackoffOptions, backoffMs } from "../core/backoff.ts";
import type { Timer } from "../core/clock.ts";
import { hostAndPort, type RedisServers } from "./redis-address.ts";
import { RedisRefusal } from "./redis-client.ts";
import { askSeed, MAP_MS, rangesOf } from "./redis-cluster-map.ts";
import {
  createRedisConnection,
  type NodeConnection,
  type RedisCommand,
  type RedisConnection,
  type RedisConnectionDeps,
} from "./redis-connection.ts";
import { keyOf, SLOTS, type SlotRange, slotOf } from "./redis-slots.ts";
import { StoreUnavailable } from "./store.ts";

export type ClusterServers = Extract<RedisServers, { kind: "cluster" }>;

export interface ClusterDeps extends Omit<RedisConnectionDeps, "address" | "role" | "onLost"> {
  /** Asked each time; throws `ConfigError`. */
  servers(): ClusterServers;
}

interface Node extends RedisHost {
  readonly connection: NodeConnection;
  /** When a command was last sent here by order of another node. */
  redirectedMs: number;
}

/** While a node is out of reach the map is asked for anew, as often as this. */
const BACKOFF: BackoffOptions = { baseMs: 100, maxMs: 1_000 };
/** A map that nothing speaks against is asked for as often. */
const MAP_INTERVAL_MS = 30_000;
/** How often a command follows from node to node. */
const MAX_REDIRECTS = 5;
/** How long a command waits for the first connection to a node: shorter than its callers wait for it. */
const FIRST_ATTEMPT_MS = 400;
/** A node without slots is let go when none sent anything there for so long. */
const IDLE_NODE_MS = 60_000;

/**
 * A Redis Cluster as if it were one connection: a plain one to each primary, and the map of slots that any node has.
 * `MOVED` and `ASK` are followed; nothing else makes a command go twice. Each command has one key, and what commands of
 * one key are in order stays in order, but where they are redirected.
 */
export function createRedisCluster(deps: ClusterDeps): RedisConnection {
  const { clock, log, random, serverClock, servers } = deps;
  const closing = new AbortController();
  const nodes = new Map<string, Node>();
  const owners: (Node | undefined)[] = new Array(SLOTS);
  let reason = "not connected yet";
  let troubles = 0;
  let mapping = false;
  let next: { readonly timer: Timer; readonly atMs: number } | undefined;

  function nodeAt(host: RedisHost): Node {
    const name = hostAndPort(host);
    const present = nodes.get(name);
    if (present !== undefined) return present;
    const connection = createRedisConnection({
      ...deps,
      address: () => servers().nodeAt(host),
      onLost: () => mapWithin(backoffMs(troubles, BACKOFF, random)),
    });
    const node: Node = { ...host, connection, redirectedMs: Number.NEGATIVE_INFINITY };
    nodes.set(name, node);
    return node;
  }

  function mapWithin(delayMs: number): void {
    const atMs = clock.now() + delayMs;
    if (closing.signal.aborted || mapping || (next !== undefined && next.atMs <= atMs)) return;
    next?.timer.cancel();
    next = { atMs, timer: clock.schedule(delayMs, () => void map()) };
  }

  async function map(): Promise<void> {
    next = undefined;
    mapping = true;
    try {
      apply(await askForMap());
      reason = "";
    } catch (error) {
      const why = error instanceof Error ? error.message : "unknown";
      if (why !== reason && !closing.signal.aborted) log.warn("store_disconnected", { reason: why });
      reason = why;
    }
    mapping = false;
    const isWhole = reason === "" && [...nodes.values()].every(({ connection }) => connection.isLive());
    troubles = isWhole ? 0 : troubles + 1;
    mapWithin(isWhole ? MAP_INTERVAL_MS : backoffMs(troubles, BACKOFF, random));
  }

  /** From a node that is connected, in any order, since one may be cut off from the others; or else from one of the URL. */
  async function askForMap(): Promise<readonly SlotRange[]> {
    const reasons = new Set<string>();
    const live = [...nodes.values()].filter(({ connection }) => connection.isLive());
    const start = Math.floor(random() * live.length);
    const sources = [
      ...[...live.slice(start), ...live.slice(0, start)].map((node) => () => askNode(node)),
      ...servers().seeds.map((seed) => () => askSeed(seed, { clock, serverClock, signal: closing.signal })),
    ];
    for (const source of sources) {
      try {
        return await source();
      } catch (error) {
        reasons.add(error instanceof Error ? error.message : "unknown");
        if (closing.signal.aborted) break;
      }
    }
    throw new Error(`no node gives the cluster's map: ${[...reasons].join("; ")}`);
  }

  function askNode(node: Node): Promise<readonly SlotRange[]> {
    const asking = node.connection.send(["CLUSTER", "SLOTS"], (reply) => rangesOf(reply, node));
    return within(MAP_MS, asking, () => {
      throw new Error(`${hostAndPort(node)} let it wait for ${MAP_MS} ms`);
    });
  }

  function apply(ranges: readonly SlotRange[]): void {
    if (closing.signal.aborted) return;
    const named = new Set<Node>();
    owners.fill(undefined);
    for (const { first, last, primary } of ranges) {
      const node = nodeAt(primary);
      named.add(node);
      owners.fill(node, first, last + 1);
    }
    for (const [name, node] of nodes) {
      if (named.has(node) || clock.now() - node.redirectedMs < IDLE_NODE_MS) continue;
      nodes.delete(name);
      node.connection.close();
    }
  }

  /** Resolves when the first attempt to connect has ended, or would take longer than a command can wait. */
  async function attempted({ connection }: Node): Promise<void> {
    if (!connection.isLive()) await within(FIRST_ATTEMPT_MS, connection.tried, () => {});
  }

  function within<T>(limitMs: number, task: Promise<T>, over: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = clock.schedule(limitMs, () => {
        try {
          resolve(over());
        } catch (error) {
          reject(error);
        }
      });
      task.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  async function send<T>(
    command: RedisCommand,
    judge: (reply: unknown) => T,
    expected: readonly string[] = [],
  ): Promise<T> {
    const slot = slotOf(keyOf(command));
    let node = owners[slot];
    if (node === undefined) {
      throw new StoreUnavailable(
        `redis: ${reason === "" ? "a part of the cluster's keys is at no node" : reason}`,
      );
    }
    let isAsking = false;
    const awaited = [...expected, "MOVED", "ASK"];
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects += 1) {
      await attempted(node);
      try {
        // Good for the one command that follows.
        if (isAsking) node.connection.send(["ASKING"], () => {}).catch(() => {});
        return await node.connection.send(command, judge, awaited);
      } catch (error) {
        if (!(error instanceof RedisRefusal) || (error.code !== "MOVED" && error.code !== "ASK")) throw error;
        const { redirect } = error;
        if (redirect === undefined || closing.signal.aborted) {
          throw new StoreUnavailable(`redis: ${error.message}`, { cause: error });
        }
        node = nodeAt({ host: redirect.host === "" ? node.host : redirect.host, port: redirect.port });
        node.redirectedMs = clock.now();
        isAsking = error.code === "ASK";
        if (!isAsking) {
          owners[slot] = node;
          mapWithin(backoffMs(troubles, BACKOFF, random));
        }
      }
    }
    throw new StoreUnavailable("redis: the nodes of the cluster send a command from one to the other");
  }

  async function start(): Promise<void> {
    await map();
    await Promise.all([...nodes.values()].map(({ connection }) => connection.tried));
  }

  return {
    send,
    tried: start(),
    time: serverClock.time,
    partOf(key) {
      const owner = owners[slotOf(key)];
      return owner === undefined ? undefined : hostAndPort(owner);
    },
    close() {
      reason = "closed";
      closing.abort();
      next?.timer.cancel();
      owners.fill(undefined);
      for (const { connection } of nodes.values()) connection.close();
      nodes.clear();
    },
  };
}

/** A Redis over virtual time: the memory store's records, one thread that takes its time, and a network before it. */
import type { Clock } from "../../src/core/clock.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { type Lock, type Store, wallTime } from "../../src/store/store.ts";
import type { OpenedRecord, Vault } from "../../src/store/vault.ts";
import { type Delay, drawMs } from "./delay.ts";
import { createTally, type Tally } from "./figures.ts";

export interface RedisModel {
  /** There and back, without the server's own time. */
  readonly roundTrip: Delay;
  /** What its one thread is busy for with a plain command, and with a script. */
  readonly commandMs: number;
  readonly scriptMs: number;
}

/** Within one zone of a cloud; a server that manages 100 000 plain commands a second. */
export const REDIS: RedisModel = {
  roundTrip: { medianMs: 0.5, p99Ms: 3 },
  commandMs: 0.01,
  scriptMs: 0.02,
};

export interface ModelledRedis {
  /** One sidecar's connection: its answers come in the order in which it asked. */
  connect(): Store;
  readonly commands: Tally;
  /** How long a command waited for others at most. */
  readonly longestQueueMs: number;
}

export function createModelledRedis(clock: Clock, random: () => number, model: RedisModel): ModelledRedis {
  const records = createMemoryStore(clock);
  const commands = createTally();
  let busyUntilMs = 0;
  let longestQueueMs = 0;

  const serve = (busyMs: number): number => {
    const nowMs = clock.now();
    commands.add(nowMs);
    longestQueueMs = Math.max(longestQueueMs, busyUntilMs - nowMs);
    busyUntilMs = Math.max(nowMs, busyUntilMs) + busyMs;
    return busyUntilMs - nowMs;
  };

  const connect = (): Store => {
    let askedMs = 0;
    let answeredMs = 0;
    const send = <T>(busyMs: number, task: () => Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        const wayMs = drawMs(model.roundTrip, random) / 2;
        askedMs = Math.max(askedMs, clock.now() + wayMs);
        clock.schedule(askedMs - clock.now(), () => {
          const doneMs = clock.now() + serve(busyMs);
          const result = task();
          answeredMs = Math.max(answeredMs, doneMs + wayMs);
          clock.schedule(answeredMs - clock.now(), () => void result.then(resolve, reject));
        });
      });
    const { commandMs, scriptMs } = model;
    return {
      kind: "redis",
      shared: true,
      read: (name) => send(commandMs, () => records.read(name)),
      write: (name, value, options) => send(scriptMs, () => records.write(name, value, options)),
      remove: (name, expected) => send(scriptMs, () => records.remove(name, expected)),
      take: (name) => send(commandMs, () => records.take(name)),
      async lock(name, ttlMs): Promise<Lock | undefined> {
        const lock = await send(commandMs, () => records.lock(name, ttlMs));
        if (lock === undefined) return undefined;
        return {
          renew: (nextTtlMs) => send(scriptMs, () => lock.renew(nextTtlMs)),
          release: () => send(scriptMs, () => lock.release()),
        };
      },
      countByCredential: () => Promise.resolve(new Map()),
      time: () => wallTime(clock),
      close: () => Promise.resolve(),
    };
  };

  return {
    connect,
    commands,
    get longestQueueMs() {
      return longestQueueMs;
    },
  };
}

/** Records as they are: what sealing costs is no part of virtual time. `failed` is told of operations without an answer. */
export function createOpenVault(store: Store, failed: () => void): Vault {
  const counted = async <T>(task: Promise<T>): Promise<T> => {
    try {
      return await task;
    } catch (error) {
      failed();
      throw error;
    }
  };
  return {
    shared: store.shared,
    async read(kind, key): Promise<OpenedRecord | undefined> {
      const stored = await counted(store.read(`${kind}:${key}`));
      if (stored === undefined) return undefined;
      return { content: JSON.parse(Buffer.from(stored.value).toString()), version: stored.version };
    },
    write: (kind, key, content, options) =>
      counted(store.write(`${kind}:${key}`, Buffer.from(JSON.stringify(content)), options)),
    remove: (kind, key, expected) => counted(store.remove(`${kind}:${key}`, expected)),
    take: () => Promise.reject(new Error("machine tokens are not taken")),
    lock: (kind, key, ttlMs) => counted(store.lock(`lock:${kind}:${key}`, ttlMs)),
    countByCredential: () => store.countByCredential(),
    time: () => store.time(),
    partOf: () => undefined,
    close: () => store.close(),
  };
}

import { beforeEach, describe, expect, it } from "vitest";
import { type LogFields, silentLogger } from "../../src/core/log.ts";
import { createGuardedStore, DEADLINE_MS, PROBE_INTERVAL_MS } from "../../src/store/guarded-store.ts";
import { createMemoryStore } from "../../src/store/memory-store.ts";
import { type Store, StoreUnavailable } from "../../src/store/store.ts";
import { createFakeClock, type FakeClock, settle } from "../support/fake-clock.ts";

type Behaviour = "well" | "failing" | "silent";

describe("the guard of a store", () => {
  let clock: FakeClock;
  let behaviour: Behaviour;
  let asked: string[];
  let events: string[];
  let late: (() => void)[];
  let memory: Store;
  let store: Store;

  beforeEach(() => {
    clock = createFakeClock();
    behaviour = "well";
    [asked, events, late] = [[], [], []];
    memory = createMemoryStore(clock);
    const behave = async <T>(name: string, task: () => Promise<T>): Promise<T> => {
      asked.push(name);
      if (behaviour === "failing") throw new StoreUnavailable("broken");
      if (behaviour === "silent") await new Promise<void>((resolve) => late.push(resolve));
      return task();
    };
    const scripted: Store = {
      ...memory,
      kind: "redis",
      read: (name) => behave(name, () => memory.read(name)),
      lock: (name, ttlMs) => behave(name, () => memory.lock(name, ttlMs)),
    };
    const note = (event: string, fields?: LogFields) =>
      void events.push([event, fields?.reason].filter((part) => part !== undefined).join(" "));
    store = createGuardedStore(scripted, { clock, log: { ...silentLogger, warn: note, info: note } });
  });

  const outcome = (name = "a") =>
    store.read(name).then(
      () => "read",
      (error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
        return `${error.skipped ? "skipped" : "unavailable"}: ${error.message}`;
      },
    );

  it("passes on what a store that is well answers, and leaves no timer behind", async () => {
    await store.write("a", Buffer.of(1), { expiresAtMs: clock.wall() + 1_000 });
    expect((await store.read("a"))?.value).toEqual(Uint8Array.of(1));
    expect(await (await store.lock("l", 10))?.release()).toBeUndefined();
    await store.close();
    expect(clock.pending()).toEqual([]);
  });

  it("gives up after the deadline", async () => {
    behaviour = "silent";
    const waiting = outcome();
    await clock.advance(DEADLINE_MS - 1);
    expect(await Promise.race([waiting, settle()])).toBeUndefined();
    await clock.advance(1);
    expect(await waiting).toBe(`unavailable: the redis store gave no answer within ${DEADLINE_MS} ms`);
  });

  it("refuses at once after a failure, without asking", async () => {
    behaviour = "failing";
    expect(await outcome()).toBe("unavailable: broken");
    expect(await outcome()).toBe("skipped: broken");
    expect(await outcome()).toBe("skipped: broken");
    expect(asked).toEqual(["a"]);
  });

  it("makes one request of an outage wait, however long that takes, and asks in the background", async () => {
    behaviour = "silent";
    const first = outcome();
    await clock.advance(DEADLINE_MS);
    await first;
    for (let second = 0; second < 60; second += 1) {
      await clock.advance(1_000);
      expect(await outcome()).toMatch(/^skipped/);
    }
    const period = DEADLINE_MS + PROBE_INTERVAL_MS;
    expect(asked.length).toBeGreaterThan(60_000 / period - 2);
    expect(asked.length).toBeLessThan(60_000 / period + 2);
  });

  it("heals by itself", async () => {
    behaviour = "failing";
    await outcome();
    behaviour = "well";
    expect(await outcome()).toMatch(/^skipped/);
    await clock.advance(PROBE_INTERVAL_MS);
    expect(await outcome()).toBe("read");
    expect(events).toEqual(["store_unavailable broken", "store_available"]);
    expect(clock.pending()).toEqual([]);
  });

  it("logs a store that comes and goes once in 30 s", async () => {
    for (let turn = 0; turn < 40; turn += 1) {
      behaviour = "failing";
      await outcome();
      behaviour = "well";
      await clock.advance(PROBE_INTERVAL_MS);
    }
    expect(events).toEqual(["store_unavailable broken", "store_available"]);
    await clock.advance(30_000);
    behaviour = "failing";
    await outcome();
    expect(events).toHaveLength(3);
  });

  it("releases a lock that it was given too late", async () => {
    behaviour = "silent";
    const refused = store.lock("l", 60_000).catch((error: unknown) => error);
    await clock.advance(DEADLINE_MS);
    expect(await refused).toBeInstanceOf(StoreUnavailable);
    expect(await memory.lock("l", 1)).toBeDefined();
    await clock.advance(1);
    for (const answer of late) answer();
    await settle();
    expect(await memory.lock("l", 1)).toBeDefined();
  });

  it("turns whatever a store throws into the one rejection that its callers know", async () => {
    const faulty = { ...memory, read: () => Promise.reject(new TypeError("undefined is not a function")) };
    const guarded = createGuardedStore(faulty, { clock, log: silentLogger });
    await expect(guarded.read("a")).rejects.toThrow(StoreUnavailable);
    await guarded.close();
  });

  it("asks no more once it is closed", async () => {
    behaviour = "failing";
    await outcome();
    await store.close();
    expect(clock.pending()).toEqual([]);
  });

  it("of a store in parts refuses what is in the part that failed, and nothing else", async () => {
    const down = new Set(["x"]);
    const partOf = (name: string): string =>
      name.startsWith("probe:") ? (name.endsWith("7") ? "x" : "y") : name;
    const parted: Store = {
      ...memory,
      async read(name) {
        asked.push(name);
        if (down.has(partOf(name))) throw new StoreUnavailable("that part is down");
        return memory.read(name);
      },
      partOf,
    };
    store = createGuardedStore(parted, { clock, log: silentLogger });
    expect([await outcome("x"), await outcome("y")]).toEqual(["unavailable: that part is down", "read"]);
    expect([await outcome("x"), await outcome("y")]).toEqual(["skipped: that part is down", "read"]);
    expect(store.partOf?.("x")).toBe("x");
    asked.length = 0;
    await clock.advance(PROBE_INTERVAL_MS);
    expect(asked).toEqual(["probe:7"]);
    down.clear();
    await clock.advance(PROBE_INTERVAL_MS);
    expect(await outcome("x")).toBe("read");
    await store.close();
    expect(clock.pending()).toEqual([]);
  });

  it("forgets a part that there is no more", async () => {
    let part = "x";
    const parted: Store = {
      ...memory,
      async read() {
        throw new StoreUnavailable(`${part} is down`);
      },
      partOf: () => part,
    };
    store = createGuardedStore(parted, { clock, log: silentLogger });
    expect(await outcome()).toBe("unavailable: x is down");
    part = "y";
    await clock.advance(PROBE_INTERVAL_MS);
    expect(clock.pending()).toEqual([]);
    expect(await outcome()).toBe("unavailable: y is down");
    await store.close();
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Store, WriteOptions } from "../../src/store/store.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { type StoreFixture, storeFixtures } from "./stores.ts";

const HOUR_MS = 3_600_000;
const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();

const fixtures = Object.entries<() => Promise<StoreFixture>>(storeFixtures);

describe.each(fixtures)("the %s store", (_, createFixture) => {
  let fixture: StoreFixture;
  let clock: FakeClock;
  let store: Store;
  let count = 0;
  let name = "";
  const write = (value: string, options: Partial<WriteOptions> = {}, under = name) =>
    store.write(under, bytes(value), { expiresAtMs: clock.wall() + HOUR_MS, ...options });
  const read = async (under = name) => text((await store.read(under))?.value);

  beforeAll(async () => {
    fixture = await createFixture();
  });
  beforeEach(async () => {
    clock = createFakeClock();
    store = await fixture.open(clock);
    count += 1;
    name = `session:${count}`;
  });
  afterEach(() => store.close());
  afterAll(() => fixture.stop());

  it("says what it is", () => {
    expect([store.kind, store.shared]).toEqual([fixture.kind, fixture.persistent]);
  });

  it("gives back what was written, byte for byte, and nothing where nothing was", async () => {
    const value = Uint8Array.from({ length: 5_000 }, (_, index) => (index * 7) % 256);
    await store.write(name, value, { expiresAtMs: clock.wall() + HOUR_MS });
    expect(Buffer.from((await store.read(name))?.value ?? []).equals(value)).toBe(true);
    expect(await store.read("session:none")).toBeUndefined();
  });

  it("does not let a caller change what it wrote by changing its buffer", async () => {
    const value = Buffer.from("before");
    await store.write(name, value, { expiresAtMs: clock.wall() + HOUR_MS });
    value.write("after!");
    expect(await read()).toBe("before");
  });

  it("overwrites, with a new version each time, even by the same value", async () => {
    const versions = [await write("a"), await write("b"), await write("b")];
    expect(await read()).toBe("b");
    expect(new Set(versions).size).toBe(3);
    expect((await store.read(name))?.version).toBe(versions[2]);
  });

  it("writes only over the version that is expected", async () => {
    const first = await write("a");
    const second = await write("b", { expected: first ?? "" });
    expect(second).toBeDefined();
    expect(await write("c", { expected: first ?? "" })).toBeUndefined();
    expect(await read()).toBe("b");
  });

  it("writes only where nothing is, when that is expected", async () => {
    expect(await write("a", { expected: "absent" })).toBeDefined();
    expect(await write("b", { expected: "absent" })).toBeUndefined();
    expect(await read()).toBe("a");
  });

  it("does not write over a version that was removed, nor over its successor", async () => {
    const first = await write("a");
    await store.remove(name);
    expect(await write("b", { expected: first ?? "" })).toBeUndefined();
    await write("a");
    expect(await write("b", { expected: first ?? "" })).toBeUndefined();
    expect(await read()).toBe("a");
  });

  it("lets one of many that expect the same version write", async () => {
    const first = await write("a");
    const writers = Array.from({ length: 20 }, (_, index) => write(`${index}`, { expected: first ?? "" }));
    const written = (await Promise.all(writers)).filter((version) => version !== undefined);
    expect(written).toEqual([(await store.read(name))?.version]);
  });

  it("has no record any more from its expiry on, for whatever asks", async () => {
    const expiresAtMs = clock.wall() + 1_000;
    const version = await write("a", { expiresAtMs, credentials: ["user"] });
    await clock.advance(999);
    expect(await read()).toBe("a");
    await clock.advance(1);
    expect(await read()).toBeUndefined();
    expect((await store.countByCredential()).get("user")).toBeUndefined();
    expect(await write("b", { expected: version ?? "" })).toBeUndefined();
    expect(await store.take(name)).toBeUndefined();
    expect(await write("b", { expected: "absent" })).toBeDefined();
  });

  it("takes an expired record's place when nothing is expected there", async () => {
    await write("a", { expiresAtMs: clock.wall() + 1_000 });
    await clock.advance(1_000);
    expect(await write("b", { expected: "absent" })).toBeDefined();
    expect(await read()).toBe("b");
  });

  it("removes, and says whether something was there", async () => {
    await write("a");
    expect([await store.remove(name), await store.remove(name)]).toEqual([true, false]);
    expect(await read()).toBeUndefined();
  });

  it("gives a record that is taken to one of those who want it", async () => {
    await write("a");
    const taken = await Promise.all(Array.from({ length: 20 }, () => store.take(name)));
    expect(taken.filter((each) => each !== undefined).map(({ value }) => text(value))).toEqual(["a"]);
    expect(await read()).toBeUndefined();
  });

  it("gives a lock to one, and to the next once it is released", async () => {
    const locks = await Promise.all(Array.from({ length: 10 }, () => store.lock("lock:a", 10_000)));
    const held = locks.filter((lock) => lock !== undefined);
    expect(held).toHaveLength(1);
    await held[0]?.release();
    const next = await store.lock("lock:a", 10_000);
    expect(next).toBeDefined();
    await held[0]?.release();
    expect(await store.lock("lock:a", 10_000)).toBeUndefined();
    await next?.release();
  });

  it("has a lock run out", async () => {
    expect(await store.lock("lock:b", 200)).toBeDefined();
    expect(await store.lock("lock:b", 200)).toBeUndefined();
    await clock.advance(200);
    // Redis goes by a clock of its own.
    const next = await vi.waitUntil(() => store.lock("lock:b", 60_000), { interval: 10 });
    await next.release();
  });

  it("holds a lock on for whoever renews it, and not once it ran out", async () => {
    const lock = await store.lock("lock:c", 200);
    expect(await lock?.renew(60_000)).toBe(true);
    await clock.advance(1_000);
    expect(await store.lock("lock:c", 200)).toBeUndefined();
    await lock?.renew(200);
    await clock.advance(200);
    const next = await vi.waitUntil(() => store.lock("lock:c", 60_000), { interval: 10 });
    expect(await lock?.renew(60_000)).toBe(false);
    await lock?.release();
    expect(await store.lock("lock:c", 200)).toBeUndefined();
    await next.release();
  });

  it("removes one version, and no other", async () => {
    const first = await write("a", { credentials: [`r${count}`] });
    const second = await write("b", { credentials: [`r${count}`] });
    expect(await store.remove(name, first)).toBe(false);
    expect(await read()).toBe("b");
    expect(await store.remove(name, second)).toBe(true);
    expect(await store.remove(name, second)).toBe(false);
    expect(await read()).toBeUndefined();
    expect((await store.countByCredential()).get(`r${count}`)).toBeUndefined();
  });

  it("knows what time it is", () => {
    const { earliestMs, latestMs } = store.time();
    expect(latestMs).toBeGreaterThanOrEqual(earliestMs);
    const nowMs = fixture.kind === "redis" ? Date.now() : clock.wall();
    expect(Math.abs(latestMs - nowMs)).toBeLessThan(5_000);
  });

  it("keeps no more of a class than its limit, the least recently written going first", async () => {
    const options = { class: { name: `class${count}`, limit: 3 } };
    const names = ["a", "b", "c", "d", "e"].map((letter) => `${name}${letter}`);
    const [a = "", b = "", c = "", d = "", e = ""] = names;
    for (const each of [a, b, c, a, d, e]) await write(each, options, each);
    await vi.waitFor(async () =>
      expect(await Promise.all(names.map((each) => read(each)))).toEqual([a, undefined, undefined, d, e]),
    );
    expect(await write("uncounted")).toBeDefined();
    expect(await read(a)).toBe(a);
  });

  it("counts a record that was removed, taken or moved to another class no longer towards its class", async () => {
    const options = { class: { name: `left${count}`, limit: 2 } };
    const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((letter) => `${name}${letter}`);
    for (const each of [a, b]) await write("x", options, each);
    await store.remove(a ?? "");
    await write("x", options, c);
    await store.take(b ?? "");
    await write("x", options, d);
    await write("x", { class: { name: `other${count}`, limit: 2 } }, c);
    await write("x", options, e);
    await store.countByCredential();
    expect(await Promise.all([c, d, e].map((each) => read(each)))).toEqual(["x", "x", "x"]);
  });

  it("counts what is there by credential", async () => {
    const counts = async () => Object.fromEntries(await store.countByCredential());
    await write("a", { credentials: [`x${count}`] }, `${name}a`);
    await write("b", { credentials: [`x${count}`, `y${count}`] }, `${name}b`);
    await write("c", { credentials: [`x${count}`], expiresAtMs: clock.wall() + 10 }, `${name}c`);
    expect(await counts()).toMatchObject({ [`x${count}`]: 3, [`y${count}`]: 1 });
    await clock.advance(10);
    await store.remove(`${name}a`);
    await write("b", { credentials: [`y${count}`] }, `${name}b`);
    expect(await counts()).toEqual({ [`y${count}`]: 1 });
    await store.take(`${name}b`);
    expect(await counts()).toEqual({});
  });

  it("keeps what was written for the next process, if it is one that outlives its own", async () => {
    await write("kept", { credentials: [`kept${count}`] });
    const other = await fixture.open(clock);
    expect(text((await other.read(name))?.value)).toBe(fixture.persistent ? "kept" : undefined);
    expect((await other.countByCredential()).get(`kept${count}`)).toBe(fixture.persistent ? 1 : undefined);
    await other.close();
  });

  it("closes more than once", async () => {
    await store.close();
    await store.close();
  });
});

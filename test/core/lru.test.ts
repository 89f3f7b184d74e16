import { LRUCache } from "lru-cache";
import { describe, expect, it } from "vitest";
import { atMost } from "../../src/core/lru.ts";

describe("a cache bounded by its entries", () => {
  const filled = (...keys: readonly string[]): LRUCache<string, object> => {
    const cache = new LRUCache<string, object>(atMost(3));
    for (const key of keys) cache.set(key, {});
    return cache;
  };

  it.each([
    [[], []],
    [
      ["a", "b", "c"],
      ["c", "b", "a"],
    ],
    [
      ["a", "b", "c", "d"],
      ["d", "c", "b"],
    ],
    [
      ["a", "b", "c", "a", "d"],
      ["d", "a", "c"],
    ],
    [["a", "a", "a", "a"], ["a"]],
  ])("given %j holds %j", (given, held) => {
    expect([...filled(...given).keys()]).toEqual(held);
  });

  it("counts a read as a use", () => {
    const cache = filled("a", "b", "c");
    cache.get("a");
    cache.set("d", {});
    expect([...cache.keys()]).toEqual(["d", "a", "c"]);
  });

  it("has room again for what was deleted", () => {
    const cache = filled("a", "b", "c");
    cache.delete("b");
    cache.set("d", {});
    expect([...cache.keys()]).toEqual(["d", "c", "a"]);
  });

  it("tells what fell out", () => {
    const fallen: string[] = [];
    const cache = new LRUCache<string, object>({
      ...atMost(1),
      dispose: (_value, key, reason) => fallen.push(`${key} ${reason}`),
    });
    cache.set("a", {});
    cache.set("b", {});
    expect(fallen).toEqual(["a evict"]);
  });

  it("takes no memory for entries that it does not have", () => {
    const before = process.memoryUsage().arrayBuffers;
    const caches = Array.from({ length: 10 }, () => new LRUCache<string, object>(atMost(1_000_000)));
    expect(caches[0]?.size).toBe(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  });
});

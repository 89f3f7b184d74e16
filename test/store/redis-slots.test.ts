import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rangesOf } from "../../src/store/redis-cluster-map.ts";
import { keyOf, readSlotRanges, slotOf } from "../../src/store/redis-slots.ts";

const asked = { host: "asked", port: 1 };

describe("a cluster's slots", () => {
  // Of the cluster specification and of CLUSTER KEYSLOT.
  it.each([
    ["123456789", 0x31c3],
    ["foo", 12_182],
    ["", 0],
    ["{user1000}.following", slotOf("user1000")],
    ["foo{}{bar}", slotOf("foo{}{bar}")],
    ["foo{{bar}}zap", slotOf("{bar")],
    ["foo{bar}{zap}", slotOf("bar")],
    ["foo{bar", 15_278],
  ])("%j is in slot %i", (key, slot) => {
    expect(slotOf(key)).toBe(slot);
  });

  it.each([
    [["GET", "k"], "k"],
    [["SET", "k", "v", "NX"], "k"],
    [["EVALSHA", "abc", "1", "k", "arg"], "k"],
    [["EVAL", "return 1", "1", "k"], "k"],
    [["ZCOUNT", "k", "0", "1"], "k"],
  ])("%j has the key %s", (command, key) => {
    expect(keyOf(command)).toBe(key);
  });

  it.each([
    [[[0, 5, [Buffer.from("10.0.0.1"), 7, Buffer.from("id"), []], [Buffer.from("replica"), 8]]], "10.0.0.1"],
    [[[0, 5, [Buffer.from(""), 7]]], "asked"],
    [[[0, 5, [null, 7]]], "asked"],
    [[[0, 5, [Buffer.from("?"), 7]]], "asked"],
    [[[0, 5, [Buffer.from("2001:db8::1"), 7]]], "2001:db8::1"],
  ])("%j names %s", (reply, host) => {
    expect(readSlotRanges(reply, asked)).toEqual([{ first: 0, last: 5, primary: { host, port: 7 } }]);
  });

  it("come from nothing else, whatever it is", () => {
    expect(readSlotRanges([], asked)).toEqual([]);
    for (const reply of [
      null,
      7,
      "x",
      [[]],
      [[0, 5]],
      [[0, 16_384, ["a", 1]]],
      [[-1, 5, ["a", 1]]],
      [[0, 5, ["a", 0]]],
    ]) {
      expect(readSlotRanges(reply, asked)).toBeUndefined();
    }
    fc.assert(fc.property(fc.anything(), (reply) => void readSlotRanges(reply, asked)));
  });

  it("are told to be wanting where a cluster speaks TLS to its clients and names them no port", () => {
    const reply = [[0, 16_383, ["", 0, Buffer.from("id"), []]]];
    expect(() => rangesOf(reply, asked)).toThrow("needs `tls-cluster yes`");
    for (const other of [null, [], [[]], [[0, 5, []]]])
      expect(() => rangesOf(other, asked)).toThrow(/answers|slots/);
  });
});

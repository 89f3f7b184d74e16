import { describe, expect, it } from "vitest";
import { joined } from "../../src/transport/http2-fields.ts";

describe("fields that are repeated become one field of HTTP/2", () => {
  it.each([
    [["A", "1", "a", "2"], { a: "1, 2" }],
    [["Cookie", "a=1", "cookie", "b=2"], { cookie: "a=1; b=2" }],
    [["A", ""], { a: "" }],
    [["A", "1", "A", ""], { a: "1," }],
    [["A", "", "A", "1"], { a: ", 1" }],
    [["A", "", "A", ""], { a: "," }],
    [["A", "1", "A", "", "A", "2"], { a: "1,, 2" }],
    [["Cookie", "a=1", "Cookie", ""], { cookie: "a=1;" }],
  ])("%j", (flat, expected) => {
    const fields = joined(flat);
    expect({ ...fields }).toEqual(expected);
    // RFC 9113 §8.2.1: strict peers answer a blank at either end with a reset of the stream.
    for (const value of Object.values(fields)) expect(String(value)).toBe(String(value).trim());
  });
});

import { describe, expect, it } from "vitest";
import { ConfigError, formatFault } from "../../src/config/fault.ts";
import { showValue } from "../../src/config/printable.ts";
import { faultsOf } from "./config-fixture.ts";

const FAULT = {
  file: "a.yaml",
  line: 3,
  column: 7,
  path: "routes[0].path",
  kind: "wrong-form",
  message: "must begin with /",
} as const;

describe("file:line:column path: message", () => {
  it("is one line", () => {
    expect(formatFault(FAULT)).toBe("a.yaml:3:7 routes[0].path: must begin with / [errors.md#wrong-form]");
  });

  it("has no path where the whole document is meant", () => {
    expect(formatFault({ ...FAULT, path: "" })).toBe("a.yaml:3:7: must begin with / [errors.md#wrong-form]");
  });

  it("stays one line whatever the file is called", () => {
    expect(formatFault({ ...FAULT, file: "a\nb\u001b[31m\u2028.yaml" })).toBe(
      "a\\x0ab\\x1b[31m\\u{2028}.yaml:3:7 routes[0].path: must begin with / [errors.md#wrong-form]",
    );
  });

  it("quotes keys that are no names, escaped and shortened", () => {
    expect(faultsOf('"a\\nb\\e[0m": 1')).toEqual(['1:1 ["a\\x0ab\\x1b[0m"]: unknown key']);
    expect(faultsOf(`${"k".repeat(80)}: 1`)).toEqual([`1:1 ["${"k".repeat(64)}…"]: unknown key`]);
  });

  it.each([
    ["a\tb", '"a\\x09b"'],
    ["x".repeat(50), `"${"x".repeat(40)}…"`],
    ["\u202eevil", '"\\u{202e}evil"'],
    [12, "12"],
    [null, "nothing"],
    [[1], "a list"],
    [{}, "a mapping"],
  ])("shows the value %j as %s", (value, shown) => {
    expect(showValue(value)).toBe(shown);
  });

  it("a ConfigError's message is its faults, line by line", () => {
    const error = new ConfigError([FAULT, { ...FAULT, line: 4 }]);
    expect(error.message.split("\n")).toEqual([
      "a.yaml:3:7 routes[0].path: must begin with / [errors.md#wrong-form]",
      "a.yaml:4:7 routes[0].path: must begin with / [errors.md#wrong-form]",
    ]);
    expect(error.faults).toHaveLength(2);
  });
});

import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "./config-fixture.ts";

describe("faults of the form of the text", () => {
  it.each([
    ["", "1:1: the file is empty; a configuration needs at least `routes` and `credentials`"],
    [
      "# only a comment\n",
      "1:1: the file is empty; a configuration needs at least `routes` and `credentials`",
    ],
    ["- a", "1:1: expected a mapping, not a list"],
    ["text", "1:1: expected a mapping, not text"],
    ["drain: {}\n---\nreload: {}", "2:1: expected one YAML document, but `---` starts another"],
    ["drain: {}\ndrain: {}", "2:1 drain: is given twice; keep one"],
    ["drain: { delay: 1s, delay: 2s }", "1:21 drain.delay: is given twice; keep one"],
    ["? [a]\n: b", "1:3: a key must be plain text"],
    ["log:\n\tlevel: info", "2:1: not valid YAML: tabs are not allowed as indentation; use spaces"],
    ["log: 'x", "1:8: not valid YAML: missing closing 'quote"],
    ["log: `x", "1:6: not valid YAML: text cannot begin with this character; put it in quotes"],
    [
      "log: a: b",
      "1:6: not valid YAML: a second `: ` on one line; put text that holds it in quotes, or begin a new line",
    ],
    ["log: !x {}", "1:6: not valid YAML: tags are not supported; put text that begins with ! in quotes"],
    ["log: *x", "1:6 log: this alias names no anchor; put text that begins with * in quotes"],
    ["log:", "1:5 log: is empty: expected a mapping"],
  ])("%j", (text, fault) => {
    expect(faultsOf(text)).toEqual([fault]);
  });

  it("a byte order mark and Windows line ends are no faults", () => {
    expect(configOf("\ufeffdrain:\r\n  delay: 3s\r\n").drain.delayMs).toBe(3_000);
  });

  it("JSON is YAML", () => {
    expect(configOf('{ "drain": { "delay": "3s" } }').drain.delayMs).toBe(3_000);
  });

  it("anchors and aliases stand for values", () => {
    expect(configOf("drain: { delay: &d 3s, timeout: *d }").drain).toEqual({
      delayMs: 3_000,
      timeoutMs: 3_000,
    });
  });

  it("a fault within an alias points at what the anchor names", () => {
    expect(faultsOf("drain: &d { delay: 3 }\nlimits: *d")).toEqual([
      "1:13 limits.delay: unknown key; expected header_bytes, headers, connections, body_idle or header_timeout",
      "1:20 drain.delay: expected a duration such as 250ms, 30s, 5m or 1h, not 3; a bare number has no unit, write 3s",
    ]);
  });

  it("off is a word, not a switch", () => {
    const text =
      "routes: [{ name: a, path: /a, credential: none, upstream: 'https://a/', replay_on_401: off }]";
    expect(configOf(text).routes[0]?.replayOn401).toBe("off");
  });
});

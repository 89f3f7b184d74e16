import { describe, expect, it } from "vitest";
import { nodeVersionFault } from "../../src/core/node-version.ts";

describe("a Node that can be smuggled through is refused", () => {
  it.each([
    ["0.12.18", false],
    ["18.20.8", false],
    ["20.20.2", false],
    ["22.23.3", false],
    ["24.0.0", false],
    ["24.18.0", false],
    ["24.18.1", true],
    ["24.18.2-nightly20260801", true],
    ["24.21.0", true],
    ["25.9.0", false],
    ["26.0.0", false],
    ["26.5.0", false],
    ["26.5.1", true],
    ["26.10.0", true],
    ["27.0.0", true],
    ["nonsense", false],
  ])("%s may serve: %s", (version, allowed) => {
    expect(nodeVersionFault(version) === undefined).toBe(allowed);
  });

  it("says in one line which version was found and which would do", () => {
    expect(nodeVersionFault("20.20.2")).toMatch(/^Node 20\.20\.2 [^\n]*24\.18\.1[^\n]*26\.5\.1[^\n]*$/);
  });

  it("needs nothing from outside itself, so that a build can copy its source", () => {
    const copy: unknown = new Function(`return (${nodeVersionFault})("24.18.0")`)();
    expect(copy).toBe(nodeVersionFault("24.18.0"));
  });
});

import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "./config-fixture.ts";

const FILE = "listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\nlog: { level: error }";

describe("PILLION_LISTEN, PILLION_ADMIN and PILLION_LOG_LEVEL", () => {
  it("win over the file", () => {
    const env = { PILLION_LISTEN: "[::1]:0", PILLION_ADMIN: "unix:/a.sock", PILLION_LOG_LEVEL: "debug" };
    const { listen, admin, log } = configOf(FILE, { env });
    expect(listen).toEqual({ kind: "tcp", host: "::1", port: 0 });
    expect(admin).toEqual({ kind: "unix", path: "/a.sock" });
    expect(log.level).toBe("debug");
  });

  it("count as absent when empty", () => {
    const env = { PILLION_LISTEN: "", PILLION_ADMIN: "", PILLION_LOG_LEVEL: "" };
    expect(configOf(FILE, { env })).toMatchObject({
      listen: { port: 1 },
      admin: { port: 2 },
      log: { level: "error" },
    });
  });

  it.each([
    [
      { PILLION_LISTEN: "x" },
      'PILLION_LISTEN: expected HOST:PORT or unix:/PATH, not "x"; the port is missing',
    ],
    [{ PILLION_LISTEN: "0.0.0.0:1" }, /^PILLION_LISTEN: reachable from other machines/],
    [{ PILLION_LISTEN: "127.0.0.1:2" }, /^PILLION_LISTEN: listen and admin must be different/],
    [{ PILLION_ADMIN: "x:y" }, 'PILLION_ADMIN: expected HOST:PORT or unix:/PATH, not "x:y"'],
    [
      { PILLION_LOG_LEVEL: "warning" },
      'PILLION_LOG_LEVEL: expected error, warn, info or debug, not "warning" \\(did you mean "warn"\\?\\)',
    ],
  ])("%j is a fault that names the variable", (env, fault) => {
    const faults = faultsOf(FILE, { env }).map((line) => line.replace(/^1:1 /, ""));
    expect(faults).toEqual([expect.stringMatching(fault)]);
  });
});

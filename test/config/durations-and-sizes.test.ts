import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "./config-fixture.ts";

const DURATION = "expected a duration such as 250ms, 30s, 5m or 1h, not";
const SIZE = "expected a size such as 512B, 64KiB or 2MiB, not";

describe("durations and sizes have a unit", () => {
  it.each([
    ["250ms", 250],
    ["1.5s", 1_500],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["2d", 172_800_000],
    ["0s", 0],
  ])("delay %s is %d ms", (text, delayMs) => {
    expect(configOf(`drain: { delay: ${text} }`).drain.delayMs).toBe(delayMs);
  });

  it.each([
    ["1KiB", 1_024],
    ["16KiB", 16_384],
    ["1MiB", 1_048_576],
  ])("header_bytes %s is %d bytes", (text, bytes) => {
    expect(configOf(`limits: { header_bytes: ${text} }`).limits.headerBytes).toBe(bytes);
  });

  it.each([
    ["drain: { delay: 30 }", `${DURATION} 30; a bare number has no unit, write 30s`],
    ['drain: { delay: "30" }', `${DURATION} "30"; a bare number has no unit, write 30s`],
    ["drain: { delay: -1s }", `${DURATION} "-1s"`],
    ["drain: { delay: 30 s }", `${DURATION} "30 s"`],
    ["drain: { delay: 30sec }", `${DURATION} "30sec"`],
    ["drain: { delay: [] }", `${DURATION} a list`],
    ["drain: { delay: 25d }", 'must not be longer than 24 days, not "25d"'],
    ["limits: { body_idle: 0s }", 'must be at least 1ms, not "0s"'],
    ["limits: { header_bytes: 16 }", `${SIZE} 16; a bare number has no unit, write 16KiB`],
    ["limits: { header_bytes: 16KB }", `${SIZE} "16KB"`],
    ["limits: { header_bytes: 16B }", 'must be from 1024B to 1048576B, not "16B"'],
    ["limits: { headers: 0 }", "must be at least 1, not 0"],
    ["limits: { headers: 2000 }", "must be at most 1000, not 2000"],
    ["limits: { headers: 1.5 }", "expected a whole number, not 1.5"],
    ["limits: { headers: many }", 'expected a number, not "many"'],
    ["admin_lifecycle: yes", 'expected true or false, not "yes"'],
    ["log: { level: debugg }", 'expected error, warn, info or debug, not "debugg" (did you mean "debug"?)'],
  ])("%j is refused", (text, message) => {
    expect(faultsOf(text).map((line) => line.replace(/^\d+:\d+ \S+: /, ""))).toEqual([message]);
  });

  it("the defaults are the contract's", () => {
    const { limits, drain, listen, admin, reload, adminLifecycle, log, access } = configOf("routes: []");
    expect(limits).toEqual({
      headerBytes: 16_384,
      headers: 100,
      connections: 1_024,
      bodyIdleMs: 60_000,
      headerTimeoutMs: 10_000,
    });
    expect(drain).toEqual({ delayMs: 0, timeoutMs: 25_000 });
    expect(listen).toEqual({ kind: "tcp", host: "127.0.0.1", port: 8_080 });
    expect(admin).toEqual({ kind: "tcp", host: "127.0.0.1", port: 9_090 });
    expect(reload).toEqual({ watch: true });
    expect(adminLifecycle).toBe(false);
    expect(log).toEqual({ level: "info", format: undefined, access: false });
    expect(access).toEqual({ hosts: [], origins: [], token: undefined });
  });
});

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { projectDirectory } from "../support/project.ts";

describe("the measurement of session lookups", () => {
  it("fills a store, looks sessions up and prints what that took", async () => {
    // A small machine under the other tests says nothing about the limits: those are for a run by hand.
    const args = ["--sessions", "300", "--lookups", "200", "--limit-ms", "1000", "--limit-mib", "1000"];
    const { stdout } = await promisify(execFile)(process.execPath, ["bench/sessions.ts", ...args], {
      cwd: projectDirectory,
    });
    expect(stdout).toMatch(/^300 sessions in SQLite: \d+ MiB on disk, \d+ writes\/s .*counted \(300\)/);
    expect(stdout).toMatch(/^lookups( +\d+\.\d{3}){4}$/m);
    expect(stdout).toMatch(/^and a write each 10( +\d+\.\d{3}){4}$/m);
    expect(stdout).toMatch(/p99 limit 1000 ms; resident set grew by -?\d+\.\d MiB/);
  });

  it("fails when a limit is passed", async () => {
    const args = ["--sessions", "20", "--lookups", "20", "--limit-ms", "0.000001"];
    const run = promisify(execFile)(process.execPath, ["bench/sessions.ts", ...args], {
      cwd: projectDirectory,
    });
    await expect(run).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringContaining("p99 limit 0.000001 ms"),
    });
  });
});

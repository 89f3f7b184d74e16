import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { projectDirectory } from "../support/project.ts";

/** Whether the measurements work, not what they measure: at this size two busy cores say nothing about limits. */
it("B01, B03, C04, C05: bench/bounds.ts measures each bound and ends by itself", {
  timeout: 60_000,
}, async () => {
  const script = join(projectDirectory, "bench", "bounds.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [script, "--scale", "0.02"]).catch(
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? "" }),
  );
  const lines = stdout.trim().split("\n");
  expect(lines.map((line) => line.slice(4).split(":")[0])).toEqual([
    "slow-heads",
    "slow-readers",
    "aborts",
    "reloads",
    "sigterm",
  ]);
  expect(lines[0]).toMatch(/: 40 of 40 slow heads cut, .* 0 failed$/);
  expect(lines[1]).toMatch(/: 4 readers at \d+\.\d+ KiB\/s .* none broken off$/);
  expect(lines[2]).toMatch(/: 200 aborts: \d+ descriptors before, \d+ after \d+ ms/);
  // These two have nothing to do with speed.
  expect(lines[3]).toMatch(/^ok {2}reloads: 1 reloads with 20 requests in flight: 200 \d+ times/);
  expect(lines[4]).toMatch(/^ok {2}sigterm: .* exit code 0, 200 \d+ times, last 10 times/);
});

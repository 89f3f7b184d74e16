import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { fakeTimeLibrary } from "../support/fake-time.ts";
import { projectDirectory } from "../support/project.ts";

/** Without a clock that can be turned, what a dead process claims takes 16 s to run out. */
const PATIENCE_MS = 60_000;

describe("processes that are killed amid a refresh", () => {
  it("at each step of it lose no session whose answer arrived, and resend no refresh token that was used up", {
    timeout: PATIENCE_MS,
  }, async () => {
    const clock = fakeTimeLibrary === undefined ? [] : ["--clock-ahead", fakeTimeLibrary];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["bench/session-crash.ts", "--kills", "10", ...clock],
      { cwd: projectDirectory },
    );
    for (const store of ["sqlite", "redis"]) {
      const line = stdout.split("\n").find((each) => each.startsWith(store));
      expect(line).toMatch(/: 5 kills, \d+ refreshes; .* otherwise: 0; consumed tokens resent: 0$/);
    }
    // The measurement itself works: it did kill before, amid and after. Where processors are short a kill may come late.
    expect(stdout).toMatch(/^ {2}connected .*(?:untouched 1 \(lost 0\)|unanswered 1 \(lost 1\))/m);
    expect(stdout).toMatch(/^ {2}granted .*unanswered 1 \(lost 1\)/m);
    expect(stdout).toMatch(/^ {2}served .*stored 1 \(lost 0\)/m);
  });
});

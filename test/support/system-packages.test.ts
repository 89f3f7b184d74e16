import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { missingPackages } from "./system-packages.ts";

describe("system packages", () => {
  it("are missing when no directory of the path holds their command as an executable", () => {
    const directory = mkdtempSync(join(tmpdir(), "pillion-path-"));
    const wanted = ["present", "not-executable", "absent"].map((command) => ({
      command,
      debianPackage: `package-of-${command}`,
      reason: "test",
    }));
    writeFileSync(join(directory, "present"), "");
    chmodSync(join(directory, "present"), 0o755);
    writeFileSync(join(directory, "not-executable"), "", { mode: 0o644 });

    const missing = missingPackages(wanted, `/nonexistent::${directory}`);

    expect(missing.map((each) => each.command)).toEqual(["not-executable", "absent"]);
    rmSync(directory, { recursive: true });
  });
});

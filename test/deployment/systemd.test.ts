import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { formatFault } from "../../src/config/fault.ts";
import { systemFiles } from "../../src/config/files.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { secretReferences } from "../../src/config/secret-references.ts";
import { parseDuration } from "../../src/core/units.ts";
import { providers } from "../../src/provider/index.ts";
import { readProjectFile } from "../support/project.ts";

const unit = readProjectFile("config/systemd/pillion.service");
const { config, faults, warnings } = parseConfig(readProjectFile("config/systemd/pillion.yaml"), {
  file: "pillion.yaml",
  directory: "/etc/pillion",
  providers,
  env: {},
  files: systemFiles,
});

function valuesOf(key: string): readonly string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

describe("the systemd unit", () => {
  it("comes with a configuration that check accepts", () => {
    expect([...faults, ...warnings].map(formatFault)).toEqual([]);
    expect(valuesOf("ExecStart")[0]).toMatch(/ run --config \/etc\/pillion\/pillion\.yaml$/);
  });

  it("loads every credential that the configuration refers to, by the path at which systemd shows it", () => {
    const named = [...(config === undefined ? [] : secretReferences(config))].map((reference) =>
      reference.kind === "file" ? reference.path : `env ${reference.name}`,
    );
    const loaded = valuesOf("LoadCredential").map((value) => value.split(":")[0]);
    expect([...new Set(named)].sort()).toEqual(
      loaded.map((name) => `/run/credentials/pillion.service/${name}`).sort(),
    );
  });

  it("has the flags of the image, but for what is a container's", () => {
    const entryPoint = /^ENTRYPOINT (\[.*\])$/m.exec(readProjectFile("Dockerfile"))?.[1] ?? "[]";
    const flags = (JSON.parse(entryPoint) as string[]).filter(
      (argument) => argument.startsWith("--") && !argument.startsWith("--max-old-space"),
    );
    expect(flags.length).toBeGreaterThan(3);
    for (const flag of flags) expect(valuesOf("ExecStart")[0]).toContain(` ${flag} `);
  });

  it("waits longer than a drain takes, reloads by SIGHUP, and does not repeat a faulty configuration", () => {
    const stop = parseDuration(valuesOf("TimeoutStopSec")[0] ?? "") ?? 0;
    expect(stop).toBeGreaterThan(config?.drain.timeoutMs ?? 0);
    expect(valuesOf("ExecReload")[0]).toMatch(/-HUP \$MAINPID$/);
    expect(valuesOf("RestartPreventExitStatus")).toEqual(["2"]);
  });
});

/** Where there is no systemd there is nobody to ask. */
const present = spawnSync("systemd-analyze", ["--version"]).status === 0 ? ["systemd-analyze"] : [];

describe.each(present)("%s", (command) => {
  const directory = mkdtempSync(join(tmpdir(), "pillion-systemd-"));
  const file = join(directory, "pillion.service");
  // Asks for programs that are there.
  writeFileSync(file, unit.replace("ExecStart=/usr/bin/node", `ExecStart=${process.execPath}`));
  afterAll(() => rmSync(directory, { recursive: true }));

  it("finds no fault", () => {
    const verified = spawnSync(command, ["verify", "--man=no", file], { encoding: "utf8" });
    expect(verified.stderr.split("\n").filter((line) => line.includes("pillion.service"))).toEqual([]);
  });

  it("calls its exposure low", () => {
    const judged = spawnSync(command, ["security", "--offline=yes", "--threshold=20", "--no-pager", file], {
      encoding: "utf8",
    });
    expect(judged.stdout).toMatch(/Overall exposure level for pillion\.service: [01]\.\d/);
    expect(judged.status).toBe(0);
  });
});

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { projectDirectory } from "../support/project.ts";

/** Each file, what it imports, and what the lint says of it (undefined: nothing). */
const planted: readonly [file: string, source: string, complaint: string | undefined][] = [
  ["src/core/a.ts", `import "../config/config.ts";`, "src/core is room 0"],
  [
    "src/config/a.ts",
    `import type { A } from "../provider/index.ts"; export type B = A;`,
    "src/config is room 1",
  ],
  ["src/transport/a.ts", `import "../token/token-source.ts";`, "src/transport is room 1"],
  ["src/store/a.ts", `import "../token/token-source.ts";`, "src/store is room 1"],
  ["src/provider/a.ts", `import "../token/token-cache.ts";`, "A provider is data and small pure functions"],
  ["src/token/a.ts", `import "../proxy/handler.ts";`, "src/token is room 2"],
  ["src/token/b.ts", `import "../provider/zocdoc.ts";`, "never depends on a provider's name"],
  ["src/token/c.ts", `import "node:fs/promises";`, "never touch a file system"],
  ["src/token/deep/d.ts", `export * as m from "../../admin/metrics.ts";`, "src/token is room 2"],
  ["src/proxy/a.ts", `import "../token/token-cache.ts";`, "only through the TokenSource interface"],
  ["src/proxy/b.ts", `export const load = () => import("../admin/metrics.ts");`, "src/proxy is room 3"],
  ["src/proxy/c.ts", `import "node:fs";`, "never touch a file system"],
  ["src/proxy/d.ts", `import "prom-client";`, "Only src/admin knows prom-client"],
  ["src/proxy/e.ts", `import "pino";`, "only src/core and cmd/ know pino"],
  ["src/proxy/f.ts", `import "../sidecar.ts";`, "no room imports it"],
  ["src/proxy/g.ts", `import "../emulator/server.ts";`, "The emulator is a stand-in"],
  ["src/proxy/h.ts", `import "http-proxy";`, "the baseline of the benchmarks only"],
  [
    "src/admin/a.ts",
    `import "undici";`,
    "Outbound traffic leaves from src/transport, src/token and src/proxy only",
  ],
  [
    "src/admin/b.ts",
    `import "../../test/support/fake-clock.ts";`,
    "Production code does not depend on tests",
  ],
  ["src/admin/c.ts", `export const path = process.env;`, "Do not use the global variable process"],
  [
    "src/admin/d.ts",
    `import process from "node:process"; export const path = process.env;`,
    "handed in by cmd/",
  ],
  ["src/admin/e.ts", `import "../diagnosis/diagnose.ts";`, "nothing that serves depends on them"],
  ["src/token/e.ts", `import "../diagnosis/finding.ts";`, "src/diagnosis and src/explanation are room 4"],
  ["src/diagnosis/a.ts", `import "../proxy/handler.ts";`, "it asks what requests depend on"],
  ["src/diagnosis/b.ts", `import "../provider/index.ts";`, "their advice is handed in"],
  ["src/diagnosis/c.ts", `import "undici";`, "Outbound traffic leaves from"],
  [
    "src/proxy/x.ts",
    `import "../explanation/explain-request.ts";`,
    "src/diagnosis and src/explanation are room 4",
  ],
  ["src/explanation/a.ts", `import "../admin/handler.ts";`, "it asks the data plane"],
  ["src/explanation/fine.ts", `import "../proxy/handler.ts";`, undefined],
  ["src/diagnosis/fine.ts", `import "../session/anonymous.ts"; import "../token/pacer.ts";`, undefined],
  ["src/emulator/a.ts", `import "../token/token-source.ts";`, "it imports only src/core"],
  ["src/sidecar.ts", `import "./emulator/server.ts";`, "The emulator is a stand-in"],
  ["cmd/a.ts", `import "../test/support/fake-clock.ts";`, "Production code does not depend on tests"],

  [
    "src/config/fine.ts",
    `import "../core/units.ts"; import "node:fs"; import "yaml"; import "zod";`,
    undefined,
  ],
  [
    "src/proxy/fine.ts",
    `import "../token/token-source.ts"; import "../core/log.ts"; import "undici";`,
    undefined,
  ],
  ["src/transport/fine.ts", `import "../config/config.ts"; import "undici";`, undefined],
  ["src/admin/fine.ts", `import "../proxy/observer.ts"; import "prom-client";`, undefined],
  ["src/emulator/fine.ts", `import "../core/units.ts"; import "node:http";`, undefined],
  ["cmd/fine.ts", `import "../src/sidecar.ts"; import "../src/emulator/fine.ts"; import "pino";`, undefined],
];

describe("imports go from the same or a lower room only", () => {
  const copy = mkdtempSync(join(tmpdir(), "pillion-import-direction-"));
  afterAll(() => rmSync(copy, { recursive: true }));
  for (const name of ["biome.json", "package.json", "tsconfig.json", ".gitignore"]) {
    cpSync(join(projectDirectory, name), join(copy, name));
  }
  symlinkSync(join(projectDirectory, "node_modules"), join(copy, "node_modules"));
  for (const [file, source] of planted) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    writeFileSync(join(copy, file), `${source}\n`);
  }
  const rules = ["style/noRestrictedImports", "style/noRestrictedGlobals"].map((rule) => `--only=${rule}`);
  const biome = join(projectDirectory, "node_modules/.bin/biome");
  const lint = spawnSync(biome, ["lint", "--reporter=github", "--max-diagnostics=none", ...rules, "."], {
    cwd: copy,
    encoding: "utf8",
  });
  const complaintsOf = (file: string): string =>
    lint.stdout
      .split("\n")
      .filter((line) => line.includes(`file=${join(copy, file)},`) || line.includes(`file=${file},`))
      .join("\n");

  it("and the lint fails on what was planted", () => {
    expect(lint.status).toBe(1);
  });

  it.each(planted)("%s: %s", (file, _source, complaint) => {
    if (complaint === undefined) expect(complaintsOf(file)).toBe("");
    else expect(complaintsOf(file)).toContain(complaint);
  });
});

/** `config/prometheus/pillion.rules.yaml`, judged by promtool. The stories are in pillion.rules.test.yaml beside this file. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { RULES_FILE, readDashboard, readRules, withoutVariables } from "../support/monitoring-files.ts";
import { projectDirectory, readProjectFile } from "../support/project.ts";

const STORIES = "test/deployment/pillion.rules.test.yaml";
const { alerts } = readRules();

function promtool(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const options = { cwd: projectDirectory, encoding: "utf8", timeout: 60_000 } as const;
  const { status, stdout, stderr, error } = spawnSync("promtool", args, options);
  return { status, output: `${error?.message ?? ""}${stdout}${stderr}` };
}

describe("the rules", () => {
  it("are what Prometheus takes", () => {
    const { status, output } = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES_FILE);
    expect(status, output).toBe(0);
  });

  it("fire and do not fire as the stories say", () => {
    const { status, output } = promtool("test", "rules", STORIES);
    expect(status, output).toBe(0);
  });

  it.each(alerts)("have a story in which $alert fires, and its paragraph in the runbook", (rule) => {
    expect(readProjectFile(STORIES)).toMatch(new RegExp(`alertname="${rule.alert}"`));
    expect(rule.annotations.runbook_url).toBe(`docs/runbook.md#${rule.alert.toLowerCase()}`);
    expect(readProjectFile("docs/runbook.md")).toContain(`\n## ${rule.alert}\n`);
  });

  it("are all that the runbook has paragraphs for", () => {
    const paragraphs = [...readProjectFile("docs/runbook.md").matchAll(/^## (Pillion\w+)$/gm)].map(
      ([, name]) => name,
    );
    expect(paragraphs).toEqual(alerts.map(({ alert }) => alert));
  });
});

describe("the dashboard's queries", () => {
  it("are PromQL", () => {
    const { panels, annotations } = readDashboard();
    const queries = [...panels.flatMap(({ targets }) => targets), ...annotations.list].map(
      ({ expr }) => expr,
    );
    const rules = queries.map((query, index) => ({ record: `q${index}`, expr: withoutVariables(query) }));
    const directory = mkdtempSync(join(tmpdir(), "pillion-queries-"));
    const file = join(directory, "queries.yaml");
    writeFileSync(file, stringify({ groups: [{ name: "queries", rules }] }));
    const { status, output } = promtool("check", "rules", "--lint=none", file);
    rmSync(directory, { recursive: true });
    expect(status, output).toBe(0);
    expect(output).toContain(`${queries.length} rules found`);
  });
});

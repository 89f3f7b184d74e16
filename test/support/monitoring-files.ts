/** The rules and the dashboard of `config/`, as far as tests read them. */
import { parse } from "yaml";
import { z } from "zod";
import { readProjectFile } from "./project.ts";

export const RULES_FILE = "config/prometheus/pillion.rules.yaml";

const rulesFile = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.union([
          z.strictObject({ record: z.string(), expr: z.string() }),
          z.strictObject({
            alert: z.string(),
            expr: z.string(),
            for: z.string().optional(),
            labels: z.object({ severity: z.enum(["warning", "critical"]) }),
            annotations: z.strictObject({
              summary: z.string(),
              description: z.string(),
              runbook_url: z.string(),
            }),
          }),
        ]),
      ),
    }),
  ),
});
type Rule = z.infer<typeof rulesFile>["groups"][number]["rules"][number];
export type AlertingRule = Extract<Rule, { alert: string }>;
export type RecordingRule = Extract<Rule, { record: string }>;

export function readRules(): {
  readonly alerts: readonly AlertingRule[];
  readonly records: readonly RecordingRule[];
} {
  const rules = rulesFile.parse(parse(readProjectFile(RULES_FILE))).groups.flatMap((group) => group.rules);
  return {
    alerts: rules.filter((rule) => "alert" in rule),
    records: rules.filter((rule) => "record" in rule),
  };
}

const dashboard = z.object({
  panels: z.array(
    z.object({
      id: z.number(),
      type: z.string(),
      title: z.string(),
      description: z.string().optional(),
      datasource: z.object({ uid: z.string() }).optional(),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z
        .array(
          z.object({
            datasource: z.object({ uid: z.string() }),
            expr: z.string(),
            legendFormat: z.string(),
          }),
        )
        .default([]),
    }),
  ),
  templating: z.object({
    list: z.array(z.object({ name: z.string(), type: z.string(), definition: z.string().optional() })),
  }),
  annotations: z.object({ list: z.array(z.object({ expr: z.string() })) }),
});

export function readDashboard(): z.infer<typeof dashboard> {
  return dashboard.parse(JSON.parse(readProjectFile("config/grafana/pillion.json")));
}

/** A query with Grafana's variables filled in, so that Prometheus can read it. */
export function withoutVariables(query: string): string {
  return query.replaceAll("$__rate_interval", "5m").replaceAll(/\$\w+/g, ".*");
}

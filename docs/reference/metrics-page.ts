import { createMetrics, type MetricDefinition } from "../../src/admin/metrics.ts";
import { cell, GENERATED } from "./markdown.ts";

/** Every metric, from the registry that counts. */
export function metricsPage(): string {
  const metrics = createMetrics({ version: "", node: "" }, { sessions: async () => new Map() });
  const all = [...metrics.definitions()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const own = all.filter(({ name }) => name.startsWith("pillion_"));
  const others = all.filter(({ name }) => !name.startsWith("pillion_"));
  return `# Metrics reference

${GENERATED}

\`GET /metrics\` on the admin listener, in Prometheus' text format. Times are seconds. \`tenant\` holds configured tenants only, never a
value from a request; no label is unbounded, and no metric holds a token, a secret or a person.

${table(own)}

Alerting rules lie in \`config/prometheus/\`, a dashboard in \`config/grafana/\`; [the runbook](../runbook.md) says what to do.

## Of the process

Of every Node process; they help to tell a leak or a busy event loop from a slow upstream.

${table(others)}
`;
}

function table(metrics: readonly MetricDefinition[]): string {
  const rows = metrics.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(" ")} | ${cell(help)} |`,
  );
  return ["| metric | type | labels | |", "|---|---|---|---|", ...rows].join("\n");
}

/** Every metric and label that the rules and the dashboard name is one that a running Pillion has. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { send } from "../e2e/support/http-client.ts";
import { type Metrics, scrape } from "../e2e/support/metrics.ts";
import { type Serving, serve } from "../e2e/support/serve.ts";
import { readDashboard, readRules, withoutVariables } from "../support/monitoring-files.ts";
import { promqlNames } from "../support/promql.ts";

/** What Prometheus itself adds. */
const TARGET_LABELS = ["job", "instance"];
const OF_PROMETHEUS = ["up", "ALERTS"];

const { alerts, records } = readRules();
const recorded = new Set(records.map(({ record }) => record));
const { panels, annotations } = readDashboard();
const targets = panels.flatMap((panel) => panel.targets);
const expressions = [
  ...alerts.map(({ alert, expr }) => ({ of: alert, expr })),
  ...records.map(({ record, expr }) => ({ of: record, expr })),
  ...panels.flatMap(({ title, targets: each }) =>
    each.map(({ expr }) => ({ of: title, expr: withoutVariables(expr) })),
  ),
  ...annotations.list.map(({ expr }) => ({ of: "annotation", expr: withoutVariables(expr) })),
];

let emulator: Emulator;
let pillion: Serving;
let metrics: Metrics;
/** By metric: counters and gauges by their own name, histograms by that of their parts. */
const labelsOf = new Map<string, Set<string>>();

beforeAll(async () => {
  emulator = createEmulator({});
  await emulator.start();
  const { tokenUrl, apiUrl, authorizeUrl } = emulator.endpoints["zocdoc/sandbox"];
  pillion = await serve(
    `credentials:
  zocdoc: { provider: zocdoc, environment: sandbox, token_url: ${tokenUrl}, api_url: ${apiUrl}, client_id: zocdoc-sandbox-client, client_secret: { env: SECRET } }
  zocdoc-user: { provider: zocdoc, grant: user, environment: sandbox, authorize_url: ${authorizeUrl}, token_url: ${tokenUrl}, api_url: ${apiUrl}, client_id: some-client, scopes: [offline_access] }
  away: { provider: oauth2, token_url: "http://127.0.0.1:1/", client_auth: basic, client_id: some-client, client_secret: { env: SECRET } }
routes:
  - { name: zocdoc, path: /zocdoc/, credential: zocdoc }
  - { name: user, path: /user/, credential: zocdoc-user }
  - { name: away, path: /away/, upstream: ${apiUrl}, credential: away }
`,
    { env: { SECRET: "fake-zocdoc-sandbox-secret" } },
  );
  await send(`${pillion.origin}/zocdoc/v1/specialties`);
  emulator.setFaults({ api: "unauthorized_once" });
  await send(`${pillion.origin}/zocdoc/v1/specialties`);
  await send(`${pillion.origin}/away/`);
  metrics = await scrape(pillion.adminOrigin);
  for (const { name, labels } of metrics.samples) {
    const known = labelsOf.get(name) ?? new Set(TARGET_LABELS);
    for (const label of Object.keys(labels)) known.add(label);
    labelsOf.set(name, known);
  }
});
afterAll(async () => {
  await pillion.stop();
  await emulator.stop();
});

const allLabels = (): ReadonlySet<string> => new Set([...labelsOf.values()].flatMap((labels) => [...labels]));

describe("the process that is scraped", () => {
  it("was brought to show every metric that it has, with its labels", () => {
    const shown = [...metrics.types.keys()].filter((name) => name.startsWith("pillion_"));
    const silent = shown.filter((name) => ![...labelsOf.keys()].some((each) => each.startsWith(name)));
    expect(shown.length).toBeGreaterThan(15);
    expect(silent).toEqual([]);
  });
});

describe("metrics and labels", () => {
  it.each(expressions)("of $of exist", ({ expr }) => {
    const { selectors, groupings } = promqlNames(expr);
    expect(selectors.length).toBeGreaterThan(0);
    for (const { metric, labels } of selectors) {
      if (recorded.has(metric)) expect([...allLabels()]).toEqual(expect.arrayContaining([...labels]));
      else if (!OF_PROMETHEUS.includes(metric)) {
        // A histogram without labels of its own, of something that has not happened yet, as a collection of garbage.
        const histogram = metrics.types.get(metric.replace(/_(?:bucket|count|sum)$/, "")) === "histogram";
        if (histogram && !labelsOf.has(metric)) continue;
        expect([...labelsOf.keys()]).toContain(metric);
        expect([...(labelsOf.get(metric) ?? [])], metric).toEqual(expect.arrayContaining([...labels]));
      }
    }
    expect([...allLabels()]).toEqual(expect.arrayContaining([...groupings]));
  });

  it("of legends and annotations exist", () => {
    const texts = [
      ...targets.map(({ legendFormat }) => legendFormat.replaceAll(/\{\{(\w+)\}\}/g, "{{ $labels.$1 }}")),
      ...alerts.flatMap(({ annotations: { summary, description } }) => [summary, description]),
    ];
    const named = texts.flatMap((text) => [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label));
    expect(named.length).toBeGreaterThan(20);
    expect([...allLabels()]).toEqual(expect.arrayContaining(named));
  });
});

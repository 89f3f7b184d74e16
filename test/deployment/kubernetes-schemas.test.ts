/** What `config/kubernetes/` renders to is what the API server takes: in the oldest supported version and in a new one. */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createSchemaCheck, type Resource, renderKustomization } from "../support/kubernetes.ts";
import { projectDirectory } from "../support/project.ts";

const EXAMPLES = "config/kubernetes/examples";
const rendered = [
  ...readdirSync(`${projectDirectory}/${EXAMPLES}`).map((name) => `${EXAMPLES}/${name}`),
  "test/deployment/all-kinds",
].map((path) => ({ path, resources: renderKustomization(path) }));

const resource = (kind: string): Resource =>
  rendered.flatMap(({ resources }) => resources).find((each) => each.kind === kind) as Resource;

// 1.29 is the first with native sidecars switched on.
describe.each(["v1.29", "v1.37"])("Kubernetes %s", (version) => {
  const faults = createSchemaCheck(version);

  it.each(rendered)("takes all of $path", ({ resources }) => {
    expect(resources.length).toBeGreaterThan(1);
    expect(resources.flatMap(faults)).toEqual([]);
  });

  it.each([
    ["a misspelt field", "Deployment", { replicass: 2 }],
    ["a missing field", "CronJob", { schedule: undefined }],
    ["a wrong type", "PodDisruptionBudget", { maxUnavailable: true }],
    ["an unknown field of a custom resource", "PodMonitor", { podMetricsEndpoint: [] }],
    ["a wrong duration in a custom resource", "PodMonitor", { podMetricsEndpoints: [{ interval: "soon" }] }],
  ])("refuses %s", (_what, kind, change) => {
    const good = resource(kind);
    const bad = { ...good, spec: { ...(good["spec"] as object), ...change } };
    expect(faults(JSON.parse(JSON.stringify(bad)) as Resource).length).toBeGreaterThan(0);
  });
});

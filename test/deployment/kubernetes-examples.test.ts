/** The parts of each example in `config/kubernetes/examples` fit together. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { parseDuration } from "../../src/core/units.ts";
import {
  type PodTemplate,
  podTemplateOf,
  type Resource,
  renderKustomization,
} from "../support/kubernetes.ts";
import { runPillion } from "../support/pillion-process.ts";
import { projectDirectory, readProjectFile } from "../support/project.ts";

const EXAMPLES = "config/kubernetes/examples";
const examples = readdirSync(join(projectDirectory, EXAMPLES)).map((name) => {
  const resources = renderKustomization(`${EXAMPLES}/${name}`);
  const pods = resources.flatMap((resource) => podTemplateOf(resource) ?? []);
  return { name, resources, pod: pods[0] as PodTemplate, pods };
});

const labelSelector = z.object({ matchLabels: z.record(z.string(), z.string()) });
const configMap = z.object({ data: z.record(z.string(), z.string()) });
const named = z.array(z.looseObject({ name: z.string() }));

function ofKind(resources: readonly Resource[], kind: string): readonly Resource[] {
  return resources.filter((resource) => resource.kind === kind);
}

function configurationOf(resources: readonly Resource[]): string {
  const texts = ofKind(resources, "ConfigMap").map((each) => configMap.parse(each).data["pillion.yaml"]);
  return texts[0] ?? "";
}

function selects(selector: unknown, { metadata }: PodTemplate): boolean {
  const { matchLabels } = labelSelector.parse(selector);
  return Object.entries(matchLabels).every(([name, value]) => metadata.labels?.[name] === value);
}

describe.each(examples)("the example $name", ({ resources, pod, pods }) => {
  it("has one workload, with Pillion in it", () => {
    expect(pods).toHaveLength(1);
    const containers = [...pod.spec.initContainers, ...pod.spec.containers];
    expect(containers.filter(({ image }) => /\/pillion:\d/.test(image))).toHaveLength(1);
  });

  it("has a configuration that `pillion check` finds nothing wrong with", async () => {
    const directory = mkdtempSync(join(tmpdir(), "pillion-example-"));
    const file = join(directory, "pillion.yaml");
    writeFileSync(file, configurationOf(resources));
    const { exitCode, stderr } = await runPillion(["check", "-c", file], {
      env: { PILLION_ADMIN: "0.0.0.0:9090" },
    });
    rmSync(directory, { recursive: true });
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
  });

  it("gives Pillion the time to drain that its configuration asks for", () => {
    const { drain } = z
      .object({ drain: z.object({ delay: z.string().default("0s"), timeout: z.string() }) })
      .parse(parse(configurationOf(resources)));
    const drainMs = (parseDuration(drain.delay) ?? Number.NaN) + (parseDuration(drain.timeout) ?? Number.NaN);
    expect(drainMs).toBeLessThan(pod.spec.terminationGracePeriodSeconds * 1_000);
  });

  it("mounts the Secret that its configuration's secrets lie in, and the ConfigMap that there is", () => {
    const [, directory] = /\{ file: (\/[^}]*)\/[^/}]+ \}/.exec(configurationOf(resources)) ?? [];
    const mounts = [...pod.spec.initContainers, ...pod.spec.containers].flatMap((each) => each.volumeMounts);
    expect(mounts.map(({ mountPath }) => mountPath)).toEqual(["/etc/pillion", directory]);
    const volumes = z
      .array(z.looseObject({ configMap: z.object({ name: z.string() }).optional() }))
      .parse(pod.spec.volumes);
    const mounted = volumes.flatMap((volume) => volume.configMap?.name ?? []);
    expect(mounted).toEqual(ofKind(resources, "ConfigMap").map(({ metadata }) => metadata.name));
  });

  it("exchanges its ConfigMap in place: no hash in the name", () => {
    for (const { metadata } of ofKind(resources, "ConfigMap"))
      expect(metadata.name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  it("has no container that the restricted Pod Security Standard would refuse", () => {
    for (const container of [...pod.spec.initContainers, ...pod.spec.containers]) {
      expect({ ...pod.spec.securityContext, ...container.securityContext }).toMatchObject({
        runAsNonRoot: true,
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { drop: ["ALL"] },
        seccompProfile: { type: "RuntimeDefault" },
      });
    }
  });

  it("selects its own pod, and ports that the pod has, wherever something selects", () => {
    const ports = [...pod.spec.initContainers, ...pod.spec.containers].flatMap((each) => each.ports);
    const portNames = ports.map(({ name }) => name);
    for (const { kind, spec } of resources.map((each) => ({
      ...each,
      spec: z.looseObject({}).parse(each["spec"] ?? {}),
    }))) {
      if (kind === "NetworkPolicy") expect(selects(spec["podSelector"], pod)).toBe(true);
      if (["Deployment", "PodDisruptionBudget", "PodMonitor"].includes(kind)) {
        expect(selects(spec["selector"], pod), kind).toBe(true);
      }
      if (kind === "Service") {
        expect(selects({ matchLabels: spec["selector"] }, pod)).toBe(true);
        for (const { targetPort } of named.parse(spec["ports"])) expect(portNames).toContain(targetPort);
      }
      if (kind === "PodMonitor")
        expect(spec["podMetricsEndpoints"]).toMatchObject([{ port: "pillion-admin" }]);
    }
    expect(portNames).toContain("pillion-admin");
  });
});

describe("the gateway", () => {
  const { resources, pod } = examples.find(({ name }) => name === "gateway") as (typeof examples)[number];

  it("is scaled and kept by the budget and the autoscaler of its own Deployment", () => {
    const [deployment] = ofKind(resources, "Deployment");
    expect(deployment?.["spec"]).not.toHaveProperty("replicas");
    const [autoscaler] = ofKind(resources, "HorizontalPodAutoscaler");
    expect(autoscaler?.["spec"]).toMatchObject({
      scaleTargetRef: { kind: "Deployment", name: deployment?.metadata.name },
    });
    expect(ofKind(resources, "PodDisruptionBudget")).toHaveLength(1);
  });

  it("is taken out of its Service before it stops to serve", () => {
    const [{ readinessProbe } = {}] = pod.spec.containers;
    expect(readinessProbe).toMatchObject({
      httpGet: { path: "/readyz" },
      periodSeconds: 2,
      failureThreshold: 2,
    });
    expect(configurationOf(resources)).toContain("delay: 5s");
  });

  it("asks every caller for a token, and shares its own by Redis", () => {
    expect(parse(configurationOf(resources))).toMatchObject({
      access: { token: { file: expect.any(String) } },
      store: { redis: { url: { file: expect.any(String) } } },
    });
  });
});

describe("the PrometheusRule", () => {
  it("holds the groups of config/prometheus/pillion.rules.yaml", () => {
    const rule = z
      .object({ spec: z.object({ groups: z.unknown() }) })
      .parse(parse(readProjectFile("config/kubernetes/monitoring/prometheus-rule.yaml")));
    const { groups } = z
      .object({ groups: z.unknown() })
      .parse(parse(readProjectFile("config/prometheus/pillion.rules.yaml")));
    expect(rule.spec.groups).toEqual(groups);
  });
});

/** What the component `config/kubernetes/sidecar` makes of a workload. */
import { describe, expect, it } from "vitest";
import {
  type Container,
  type PodTemplate,
  podTemplateOf,
  renderKustomization,
} from "../support/kubernetes.ts";

const workloads = renderKustomization("test/deployment/all-kinds").map((resource) => {
  const template = podTemplateOf(resource) as PodTemplate;
  const sidecar = template.spec.initContainers.find(({ name }) => name === "pillion");
  return { name: resource.metadata.name, template, sidecar };
});
const asked = workloads.filter(({ name }) => name !== "bystander");
const workloadOf = (name: string): (typeof workloads)[number] =>
  workloads.find((workload) => workload.name === name) as (typeof workloads)[number];
const sidecarOf = (name: string): Container => workloadOf(name).sidecar as Container;

describe("a workload without the label", () => {
  it("stays as it is", () => {
    const { template } = workloadOf("bystander");
    expect(template.spec.initContainers).toEqual([]);
    expect(template.spec.volumes.map(({ name }) => name)).toEqual(["data"]);
    expect(template.metadata.labels).toEqual({ app: "bystander" });
  });
});

describe("the sidecar", () => {
  it("is the same in a Deployment, a StatefulSet, a Job and a CronJob", () => {
    expect(asked.map(({ name }) => name).toSorted()).toEqual([
      "cron-job",
      "deployment",
      "job",
      "stateful-set",
    ]);
    for (const { name } of asked) expect(sidecarOf(name)).toEqual(sidecarOf("deployment"));
  });

  it.each(asked)("is native, and there before every other container of a $name", ({ template }) => {
    const [first] = template.spec.initContainers;
    expect(first).toMatchObject({ name: "pillion", restartPolicy: "Always" });
    expect(template.spec.containers.map(({ name }) => name)).toEqual(["app"]);
  });

  it("leaves other init containers and volumes as they were", () => {
    const { spec } = workloadOf("deployment").template;
    expect(spec.initContainers.map(({ name }) => name)).toEqual(["pillion", "migrate"]);
    expect(spec.volumes.map(({ name }) => name).toSorted()).toEqual([
      "data",
      "pillion-config",
      "pillion-secrets",
    ]);
  });

  it("has the image that the kustomization names", () => {
    expect(sidecarOf("deployment").image).toBe("registry.example.com/pillion:0.1.0");
  });

  it("keeps to the restricted Pod Security Standard, with a root file system that is read-only", () => {
    expect(sidecarOf("deployment").securityContext).toEqual({
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    });
  });

  it("asks for memory and CPU, and is limited in memory alone", () => {
    expect(sidecarOf("deployment").resources).toEqual({
      requests: { cpu: expect.stringMatching(/^\d+m$/), memory: expect.stringMatching(/^\d+Mi$/) },
      limits: { memory: expect.stringMatching(/^\d+Mi$/) },
    });
  });

  it("mounts whole directories, so that a changed ConfigMap and Secret arrive", () => {
    const { volumeMounts } = sidecarOf("deployment");
    expect(volumeMounts.map(({ mountPath }) => mountPath)).toEqual(["/etc/pillion", "/run/pillion/secrets"]);
    for (const mount of volumeMounts) {
      expect(mount.readOnly).toBe(true);
      expect(mount).not.toHaveProperty("subPath");
    }
  });

  it("has its application wait for /startupz, is restarted by /livez, and leaves the pod's readiness alone", () => {
    const { startupProbe, livenessProbe, readinessProbe } = sidecarOf("deployment");
    expect(startupProbe?.httpGet).toEqual({ path: "/startupz", port: "pillion-admin" });
    expect(livenessProbe?.httpGet).toEqual({ path: "/livez", port: "pillion-admin" });
    expect(readinessProbe).toBeUndefined();
  });

  it("has its admin listener where probes reach it", () => {
    const { env, ports } = sidecarOf("deployment");
    expect(env).toContainEqual({ name: "PILLION_ADMIN", value: "0.0.0.0:9090" });
    expect(ports).toEqual([{ name: "pillion-admin", containerPort: 9090 }]);
  });
});

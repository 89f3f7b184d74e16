/** Kubernetes resources as Kustomize renders them, judged by the schemas of the API server. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { kustomizeBuild } from "./kustomize.ts";
import { readProjectFile } from "./project.ts";

const labels = z.record(z.string(), z.string()).optional();

const resource = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels }),
});
export type Resource = z.infer<typeof resource>;

const probe = z.looseObject({ httpGet: z.object({ path: z.string(), port: z.string() }) }).optional();

const container = z.looseObject({
  name: z.string(),
  image: z.string(),
  restartPolicy: z.string().optional(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })).default([]),
  ports: z.array(z.looseObject({ name: z.string(), containerPort: z.number() })).default([]),
  volumeMounts: z
    .array(z.looseObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() }))
    .default([]),
  securityContext: z.looseObject({}).optional(),
  resources: z.looseObject({}).optional(),
  startupProbe: probe,
  readinessProbe: probe,
  livenessProbe: probe,
});
export type Container = z.infer<typeof container>;

const podTemplate = z.looseObject({
  metadata: z.looseObject({ labels }),
  spec: z.looseObject({
    initContainers: z.array(container).default([]),
    containers: z.array(container),
    volumes: z.array(z.looseObject({ name: z.string() })).default([]),
    securityContext: z.looseObject({}).optional(),
    terminationGracePeriodSeconds: z.number().default(30),
  }),
});
export type PodTemplate = z.infer<typeof podTemplate>;

/** Renders a directory of the project. */
export function renderKustomization(path: string): readonly Resource[] {
  // YAML 1.1, as kubectl reads it: 0440 is octal there.
  const documents = parseAllDocuments(kustomizeBuild(path), { version: "1.1" });
  return documents.map((document) => resource.parse(document.toJS()));
}

/** The pod template of a workload; undefined for everything else. */
export function podTemplateOf({ kind, ...rest }: Resource): PodTemplate | undefined {
  const path =
    kind === "CronJob"
      ? ["spec", "jobTemplate", "spec", "template"]
      : ["Deployment", "StatefulSet", "Job"].includes(kind)
        ? ["spec", "template"]
        : undefined;
  const at = (value: unknown, key: string): unknown => z.looseObject({}).parse(value)[key];
  return path === undefined ? undefined : podTemplate.parse(path.reduce(at, rest));
}

/** The faults of a resource by the schemas of this version (`v1.37`), unknown fields among them. */
export function createSchemaCheck(version: string): (resource: Resource) => readonly string[] {
  const file = readProjectFile(`test/support/kubernetes-schemas/${version}.json`);
  const { $defs } = z.object({ $defs: z.record(z.string(), z.unknown()) }).parse(JSON.parse(file));
  // Formats such as int32 are the API's own; without `strict` they pass.
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: "kubernetes", $defs });
  const names = Object.keys($defs);
  return ({ apiVersion, kind, ...rest }) => {
    const [version = "", group = "core"] = apiVersion.split("/").toReversed();
    const wanted = [
      `io.k8s.api.${group.replace(".k8s.io", "")}.${version}.${kind}`,
      `${group}.${version}.${kind}`,
    ];
    const name = names.find((each) => wanted.includes(each));
    if (name === undefined) return [`no schema for ${apiVersion} ${kind}`];
    const validate = ajv.getSchema(`kubernetes#/$defs/${name}`);
    if (validate?.({ apiVersion, kind, ...rest }) === true) return [];
    return (validate?.errors ?? []).map(
      ({ instancePath, message, params }) => `${kind} ${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  };
}

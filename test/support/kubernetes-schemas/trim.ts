/**
 * Makes the JSON files beside this one, so that tests need no network:
 *
 *   node test/support/kubernetes-schemas/trim.ts v1.37 _definitions.json podmonitors.yaml prometheusrules.yaml
 *
 * `_definitions.json` is a folder's in `kubernetes_validate/kubernetes-json-schema/` of the Python package
 * kubernetes-validate (`v1.37.0-local-strict`: the API server's OpenAPI with unknown fields refused); the others are the
 * Prometheus Operator's CustomResourceDefinitions. Both are under the Apache License 2.0. Kept are the kinds that
 * `config/kubernetes/` uses, without descriptions and what JavaScript cannot judge.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";

const KINDS = [
  "api.apps.v1.Deployment",
  "api.apps.v1.StatefulSet",
  "api.autoscaling.v2.HorizontalPodAutoscaler",
  "api.batch.v1.CronJob",
  "api.batch.v1.Job",
  "api.core.v1.ConfigMap",
  "api.core.v1.Service",
  "api.core.v1.ServiceAccount",
  "api.networking.v1.NetworkPolicy",
  "api.policy.v1.PodDisruptionBudget",
];

const customResource = z.object({
  spec: z.object({
    group: z.string(),
    names: z.object({ kind: z.string() }),
    versions: z
      .array(
        z.object({
          name: z.string(),
          schema: z.object({ openAPIV3Schema: z.record(z.string(), z.unknown()) }),
        }),
      )
      .min(1),
  }),
});

type Schemas = Record<string, unknown>;

function main([version = "", definitionsFile = "", ...customResourceFiles]: readonly string[]): void {
  const all = z
    .object({ $defs: z.record(z.string(), z.unknown()) })
    .parse(JSON.parse(readFileSync(definitionsFile, "utf8"))).$defs;
  const kept: Schemas = {};
  for (const kind of KINDS) keep(`io.k8s.${kind}`, all, kept);
  for (const file of customResourceFiles) {
    const { group, names, versions } = customResource.parse(parse(readFileSync(file, "utf8"))).spec;
    for (const { name, schema } of versions) {
      kept[`${group}.${name}.${names.kind}`] = strict(withoutProse(schema.openAPIV3Schema));
    }
  }
  const target = join(import.meta.dirname, `${version}.json`);
  writeFileSync(target, `${JSON.stringify({ $defs: kept })}\n`);
}

/** A definition and all that it refers to. */
function keep(name: string, all: Schemas, kept: Schemas): void {
  if (name in kept) return;
  const schema = withoutProse(all[name]);
  kept[name] = schema;
  for (const [, referred = ""] of JSON.stringify(schema).matchAll(/"#\/\$defs\/([^"]+)"/g)) {
    keep(referred, all, kept);
  }
}

function withoutProse(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutProse);
  if (typeof schema !== "object" || schema === null) return schema;
  // Go's patterns may begin with (?i), which JavaScript's cannot.
  const isProse = (key: string, value: unknown): boolean =>
    key.startsWith("x-kubernetes-") ||
    (key === "description" && typeof value === "string") ||
    (key === "pattern" && String(value).includes("(?i)"));
  return Object.fromEntries(
    Object.entries(schema).flatMap(([key, value]) =>
      isProse(key, value) ? [] : [[key, withoutProse(value)]],
    ),
  );
}

/** A custom resource's unknown fields are dropped without a word by the API server: here they are faults. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== "object" || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strict(value)]));
  const isObject = inner["type"] === "object" && typeof inner["properties"] === "object";
  return isObject ? { ...inner, additionalProperties: false } : inner;
}

main(process.argv.slice(2));

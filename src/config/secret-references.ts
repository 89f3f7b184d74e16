import type { Config, CredentialSpec, SecretReference, ValueReference } from "./config.ts";

/** Every reference of a configuration, each place once. */
export function secretReferences(config: Config): readonly SecretReference[] {
  const references = new Map<string, SecretReference>();
  const add = (reference: ValueReference): void => {
    if (reference.kind === "literal") return;
    const key = reference.kind === "env" ? `env:${reference.name}` : `file:${reference.path}`;
    if (!references.has(key)) references.set(key, reference);
  };
  if (config.access.token !== undefined) add(config.access.token);
  for (const spec of specsOf(config)) {
    if (spec.kind === "static") {
      add(spec.value);
    } else {
      add(spec.clientId);
      add(spec.clientSecret);
    }
  }
  return [...references.values()];
}

/** Every way to get a token, tenant by tenant. */
export function* specsOf(config: Config): Iterable<CredentialSpec> {
  for (const { spec, tenants } of config.credentials.values()) {
    if (spec !== undefined) yield spec;
    if (tenants !== undefined) yield* tenants.values();
  }
}

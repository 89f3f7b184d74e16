import type { Config, CredentialSpec, SecretReference, TlsOptions, ValueReference } from "./config.ts";

/** Every reference of a configuration, each place once. */
export function secretReferences(config: Config): readonly SecretReference[] {
  const references = new Map<string, SecretReference>();
  const add = (reference: ValueReference): void => {
    if (reference.kind === "literal") return;
    const key = reference.kind === "env" ? `env:${reference.name}` : `file:${reference.path}`;
    if (!references.has(key)) references.set(key, reference);
  };
  if (config.access.token !== undefined) add(config.access.token);
  const { store } = config;
  if (store.kind !== "memory") for (const key of store.encryptionKeys) add(key);
  if (store.kind === "redis") add(store.url);
  for (const spec of specsOf(config)) for (const reference of referencesOf(spec)) add(reference);
  return [...references.values()];
}

function referencesOf(spec: CredentialSpec): readonly ValueReference[] {
  switch (spec.kind) {
    case "static":
      return [spec.value];
    case "client_credentials":
      return [spec.clientId, spec.clientSecret];
    case "user":
      return spec.client === undefined ? [spec.clientId] : [spec.clientId, spec.client.secret];
    case "anonymous":
      // Those of `app` are the other credential's.
      return [spec.appClientId];
  }
}

/** Every TLS setting, each object once. */
export function tlsOptionsOf(config: Config): ReadonlySet<TlsOptions> {
  const all = new Set<TlsOptions>();
  const add = (tls: TlsOptions | undefined): void => void (tls !== undefined && all.add(tls));
  for (const { connection } of config.routes) add(connection.tls);
  for (const spec of specsOf(config)) if (spec.kind !== "static") add(spec.connection.tls);
  if (config.store.kind === "redis") add(config.store.tls);
  return all;
}

/** Every way to get a token, tenant by tenant. */
function* specsOf(config: Config): Iterable<CredentialSpec> {
  for (const { spec, tenants } of config.credentials.values()) {
    if (spec !== undefined) yield spec;
    if (tenants !== undefined) yield* tenants.values();
  }
}

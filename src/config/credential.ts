import { join, resolve } from "node:path";
import { z } from "zod";
import type { Credential, CredentialSpec } from "./config.ts";
import type { References } from "./credential-keys.ts";
import { refusedKeys, requireDefinition } from "./grant.ts";
import { INSECURE_HTTP, isInsecure } from "./insecure-http.ts";
import type { Grant, ProviderDefinition, SpecOf, Target } from "./provider-definition.ts";
import type { Reporter } from "./reporter.ts";
import { credentialKeys } from "./schema.ts";
import { readTenants, type TenantEntry, type Tenants, type TenantsDeps } from "./tenants.ts";
import { expectation, isMapping, requireKeys, type Shape, type Validated, validateKeys } from "./validate.ts";
import { NAME_PATTERN, NAME_RULE } from "./value-schemas.ts";
import type { RawMapping, ValuePath } from "./yaml-document.ts";

export interface CredentialDeps extends TenantsDeps {
  readonly providers: readonly ProviderDefinition[];
  readonly references: References;
  /** As `SpecContext.referTo`; `path` is of the key that refers. */
  referTo<G extends Grant>(path: ValuePath, name: string, target: Target<G>): SpecOf<G> | undefined;
}

/** A credential with what its routes must know to be judged, whether it has faults or not. */
export interface ReadCredential {
  readonly credential: Credential;
  /** undefined: of a provider without the key `grant`. */
  readonly grant: Grant | undefined;
  /** Names of tenants, those with faults among them. Empty for a credential without tenants. */
  readonly tenantNames: ReadonlySet<string>;
  /** False when a tenant that is not in `tenantNames` may yet exist, because a part could not be read. */
  readonly tenantsKnown: boolean;
  /** False when a default upstream may be missing only because of a fault that is reported already. */
  readonly upstreamKnown: boolean;
  /** Absolute path of `tenants_directory`. */
  readonly tenantsDirectory: string | undefined;
}

/** What the makers of specs share. */
interface Making {
  readonly raw: RawMapping;
  readonly own: Validated<Shape>;
  readonly path: ValuePath;
  readonly provider: ProviderDefinition;
  readonly deps: CredentialDeps;
}

/** Reads one entry of `credentials` and reports every fault in it; undefined when it cannot be told what it is. */
export function readCredential(name: string, raw: unknown, deps: CredentialDeps): ReadCredential | undefined {
  const { report } = deps;
  const path = ["credentials", name];
  if (name === "none") {
    const message = "the name none is reserved: a route writes it to forward without injecting";
    report.fault("reserved-name", path, message, "key");
  } else if (!NAME_PATTERN.test(name)) {
    report.fault("wrong-form", path, `not a valid name of a credential; expected ${NAME_RULE}`, "key");
  }
  if (!isMapping(raw)) {
    report.fault("wrong-type", path, expectation("a mapping", raw));
    return undefined;
  }
  const provider = requireDefinition(raw, path, deps.providers, report);
  if (provider === undefined) return undefined;

  const known = credentialKeys(provider);
  const keys: Shape = provider.tenantFiles === undefined ? known : { ...known, tenants: z.unknown() };
  const refused = refusedKeys(provider, deps.providers);
  const own = validateKeys(keys, raw, path, report, { refused });
  refuseInsecureUrls(own.values, own.values, path, report);
  const given = own.values["tenants_directory"];
  const tenantsDirectory = typeof given === "string" ? given : undefined;
  const tenants = readTenants(raw, tenantsDirectory, path, provider, deps);
  const making: Making = { raw, own, path, provider, deps };
  const spec = tenants === undefined ? makeSingle(making) : undefined;
  const tenantSpecs = tenants === undefined ? undefined : makeTenants(making, tenants);
  const specs = spec === undefined ? [...(tenantSpecs?.values() ?? [])] : [spec];
  return {
    credential: {
      name,
      provider: provider.name,
      prefetch: own.values["prefetch"] === true,
      defaultUpstream: provider.defaultUpstream(own.values),
      defaultDeny: provider.defaultDeny,
      injectedFields: [...new Set([...provider.injectedFields, ...specs.flatMap(injectedFields)])],
      spec,
      tenants: tenantSpecs,
    },
    grant: provider.grant,
    tenantNames: new Set(tenants?.entries.keys()),
    tenantsKnown: tenants?.complete ?? true,
    upstreamKnown: own.invalid.size === 0 && (tenants !== undefined || own.missing.length === 0),
    tenantsDirectory: tenantsDirectory === undefined ? undefined : resolve(deps.directory, tenantsDirectory),
  };
}

/** The one spec of a credential without tenants. */
function makeSingle(making: Making): CredentialSpec | undefined {
  const { own, path, provider, deps } = making;
  requireKeys(provider.keys, own.missing, path, deps.report);
  if (own.missing.length > 0 || own.invalid.size > 0) return undefined;
  return provider.createSpec(own.values, {
    tenant: undefined,
    references: deps.references,
    fault: (kind, key, message) => deps.report.fault(kind, [...path, key], message),
    warn: (kind, key, message) => deps.report.warn(kind, [...path, key], message),
    referTo: (key, name, target) => deps.referTo([...path, key], name, target),
  });
}

/** One spec per tenant; a tenant with faults has none. */
function makeTenants(making: Making, { entries }: Tenants): ReadonlyMap<string, CredentialSpec> {
  const { own, path, provider, deps } = making;
  // What no tenant gives is missed once, on the credential, and not once for each of thousands of tenants.
  const lackedByAll = own.missing.filter(
    (key) => entries.size > 1 && [...entries.values()].every(lacks(key)),
  );
  requireKeys(provider.keys, lackedByAll, path, deps.report, ", here or on every tenant");
  const specs = new Map<string, CredentialSpec>();
  for (const [name, tenant] of entries) {
    const lacked = own.missing.filter((key) => !lackedByAll.includes(key) && lacks(key)(tenant));
    requireTenantKeys(lacked, tenant, provider);
    const spec = lackedByAll.length + lacked.length > 0 ? undefined : makeTenant(name, tenant, making);
    if (spec !== undefined) specs.set(name, spec);
  }
  return specs;
}

function requireTenantKeys(keys: readonly string[], tenant: TenantEntry, provider: ProviderDefinition): void {
  const { folder, path, report } = tenant;
  const { references, texts } = provider.tenantFiles ?? { references: [], texts: [] };
  const isFile = (key: string): boolean =>
    folder !== undefined && (references.includes(key) || texts.includes(key));
  for (const key of keys.filter(isFile))
    report.fault(
      "missing-key",
      [...path, key],
      `is missing: give it as the file ${join(folder ?? "", key)}, or on the credential`,
    );
  const others = keys.filter((key) => !isFile(key));
  requireKeys(provider.keys, others, path, report, ", here or on the credential");
}

function lacks(key: string): (tenant: TenantEntry) => boolean {
  return (tenant) => !Object.hasOwn(tenant.values, key) && !tenant.invalid.has(key);
}

function makeTenant(name: string, tenant: TenantEntry, making: Making): CredentialSpec | undefined {
  const { raw, own, path, provider, deps } = making;
  const values = { ...own.values, ...tenant.values };
  refuseInsecureUrls(tenant.values, values, tenant.path, tenant.report);
  const isSpoilt = [...own.invalid].some((key) => !Object.hasOwn(tenant.values, key));
  if (isSpoilt || tenant.invalid.size > 0) return undefined;
  return provider.createSpec(values, {
    tenant: name,
    references: deps.references,
    fault(kind, key, message) {
      const isOwn = !Object.hasOwn(tenant.raw, key) && Object.hasOwn(raw, key);
      if (isOwn) deps.report.fault(kind, [...path, key], message);
      else tenant.report.fault(kind, [...tenant.path, key], message);
    },
    warn: (kind, key, message) => tenant.report.warn(kind, [...tenant.path, key], message),
    referTo: (key, referred, target) => deps.referTo([...tenant.path, key], referred, target),
  });
}

/** Plain http: shows secrets and tokens to the network. `http_proxy` is exempt: what goes through it is a TLS tunnel. */
function refuseInsecureUrls(
  values: Validated<Shape>["values"],
  flags: Validated<Shape>["values"],
  path: ValuePath,
  report: Reporter,
): void {
  if (flags["allow_insecure_http"] === true) return;
  for (const [key, url] of Object.entries(values)) {
    if (key === "http_proxy" || !(url instanceof URL) || !isInsecure(url)) continue;
    report.fault("plain-http", [...path, key], INSECURE_HTTP);
  }
}

/** Lower-case names of the fields that a spec injects. */
export function injectedFields(spec: CredentialSpec): readonly string[] {
  if (spec.kind === "static") return [spec.header.toLowerCase()];
  if (spec.kind !== "client_credentials") return ["authorization"];
  return [
    "authorization",
    ...spec.injectHeaders.filter((_, index) => index % 2 === 0).map((n) => n.toLowerCase()),
  ];
}

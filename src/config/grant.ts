/** Which definition a credential is of: by its provider, and by its grant where a provider has several. */
import { mismatch } from "./fault-kind.ts";
import { listOf, showValue } from "./printable.ts";
import { DEFAULT_GRANT, type ProviderDefinition } from "./provider-definition.ts";
import type { Reporter } from "./reporter.ts";
import { didYouMean } from "./suggestion.ts";
import { expectation } from "./validate.ts";
import type { RawMapping, ValuePath } from "./yaml-document.ts";

/** The definition of a credential as written; undefined when there is none of that provider and grant. */
export function findDefinition(
  raw: RawMapping,
  providers: readonly ProviderDefinition[],
): ProviderDefinition | undefined {
  const grant = raw["grant"] ?? DEFAULT_GRANT;
  return providers.find(
    (candidate) =>
      candidate.name === raw["provider"] && (candidate.grant === undefined || candidate.grant === grant),
  );
}

/** The same; reports what is wrong when there is none. */
export function requireDefinition(
  raw: RawMapping,
  path: ValuePath,
  providers: readonly ProviderDefinition[],
  report: Reporter,
): ProviderDefinition | undefined {
  const definition = findDefinition(raw, providers);
  if (definition !== undefined) return definition;
  const { provider, grant } = raw;
  const grants = grantsOf(provider, providers);
  if (grants.length > 0) {
    const expected = expectation(listOf(grants), grant);
    report.fault(
      typeof grant === "string" ? "not-a-choice" : mismatch(grant),
      [...path, "grant"],
      typeof grant === "string" ? `${expected}${didYouMean(grant, grants)}` : expected,
    );
    return undefined;
  }
  const names = [...new Set(providers.map(({ name }) => name))];
  const at = [...path, "provider"];
  if (typeof provider === "string") {
    const message = `unknown provider ${showValue(provider)}${didYouMean(provider, names)}; expected ${listOf(names)}`;
    report.fault("not-a-choice", at, message);
  } else {
    const part = provider === undefined ? "key" : "value";
    report.fault(mismatch(provider), at, expectation(listOf(names), provider), part);
  }
  return undefined;
}

/** Empty for a provider that has no key `grant`, or does not exist. */
function grantsOf(provider: unknown, providers: readonly ProviderDefinition[]): readonly string[] {
  return providers.flatMap(({ name, grant }) => (name === provider && grant !== undefined ? [grant] : []));
}

const ONE_TOKEN_PER_VISITOR = {
  tenants: "cannot be used here: a token belongs to one visitor, and there are no tenants",
  tenants_directory: "cannot be used here: a token belongs to one visitor, and there are no tenants",
  prefetch: "cannot be used here: a token belongs to one visitor, and there is none to fetch at start",
} as const;

/** Words for keys that a person may expect of this provider, and that its grant does not have. */
export function refusedKeys(
  definition: ProviderDefinition,
  providers: readonly ProviderDefinition[],
): Readonly<Record<string, string>> {
  const { name, grant, keys, tenantFiles, refused } = definition;
  const words: Record<string, string> = Object.create(null);
  const siblings = providers.filter((other) => other.name === name && other !== definition);
  for (const key of new Set(siblings.flatMap((sibling) => Object.keys(sibling.keys)))) {
    if (Object.hasOwn(keys, key)) continue;
    const owners = siblings.filter((sibling) => Object.hasOwn(sibling.keys, key)).map((owner) => owner.grant);
    words[key] = `is for grant ${listOf(owners.map(String))}, and this credential is of grant ${grant}`;
  }
  return { ...words, ...(tenantFiles === undefined ? ONE_TOKEN_PER_VISITOR : {}), ...refused };
}

import { z } from "zod";
import type { ProviderDefinition } from "./provider-definition.ts";
import { routeKeys } from "./route-keys.ts";
import { credentialKeys, settingKeys } from "./schema.ts";
import { JSON_SCHEMA_OPTIONS, name } from "./value-schemas.ts";

/** A JSON Schema as plain data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * The JSON Schema (draft 07) of the configuration, from the same schemas that validate it. What goes beyond the form of
 * one value (names that must exist, tenants and routes that must fit) is for `check` to say.
 */
export function createJsonSchema(providers: readonly ProviderDefinition[]): JsonSchema {
  const byName = Map.groupBy(providers, ({ name: provider }) => provider);
  const [first, ...others] = [...byName.values()].map(providerSchema);
  if (first === undefined) throw new TypeError("a configuration needs at least one provider");
  const schema = z.strictObject({
    ...settingKeys,
    credentials: z
      .record(name, z.discriminatedUnion("provider", [first, ...others]))
      .optional()
      .describe(
        "What is injected, by name: a way to get tokens, or a fixed header field. Default: there are none.",
      ),
    routes: z
      .array(z.strictObject(routeKeys))
      .optional()
      .describe(
        "Which requests go where, with which credential. What no route matches is refused. Default: there are none.",
      ),
  });
  const { $schema, ...body } = z.toJSONSchema(schema, JSON_SCHEMA_OPTIONS);
  return {
    $schema,
    $id: "urn:pillion:schema:configuration",
    title: "Pillion configuration",
    description: "Configuration of Pillion, a sidecar reverse proxy that injects credentials.",
    ...body,
  };
}

/** One form of a credential for each grant of a provider. */
function providerSchema(grants: readonly ProviderDefinition[]) {
  const [first, ...others] = grants.map(credentialSchema);
  if (first === undefined) throw new TypeError("a provider needs at least one definition");
  return others.length === 0 ? first : z.discriminatedUnion("grant", [first, ...others]);
}

/** What a credential needs may stand on each of its tenants instead; with neither, an editor says what is missing. */
function credentialSchema(provider: ProviderDefinition) {
  const known = credentialKeys(provider) as Record<string, z.ZodType>;
  const title = provider.grant === undefined ? provider.name : `${provider.name}, ${provider.grant}`;
  const names = { provider: z.literal(provider.name).describe(provider.description) };
  if (provider.tenantFiles === undefined) return z.strictObject({ ...known, ...names }).meta({ title });
  const keys: Record<string, z.ZodType> = {};
  const required: string[] = [];
  for (const [key, schema] of Object.entries(known)) {
    const isRequired = key !== "provider" && !schema.safeParse(undefined).success;
    if (isRequired) required.push(key);
    keys[key] = isRequired ? schema.optional().meta(z.globalRegistry.get(schema) ?? {}) : schema;
  }
  return z.strictObject({ ...keys, ...names }).meta({
    title,
    if: { not: { anyOf: [{ required: ["tenants"] }, { required: ["tenants_directory"] }] } },
    // biome-ignore lint/suspicious/noThenProperty: the keyword of JSON Schema
    then: { required },
  });
}

import type { z } from "zod";
import type { CredentialSpec } from "./config.ts";
import type { References } from "./credential-keys.ts";

/** What the configuration knows while it makes one credential, or one tenant of it. */
export interface SpecContext {
  /** The tenant's name; undefined for a credential without tenants. */
  readonly tenant: string | undefined;
  readonly references: References;
  /** Says that `key` is wrong, or missing, in this combination. Return undefined afterwards. */
  fault(key: string, message: string): void;
}

type Values<Keys extends z.ZodRawShape> = z.output<z.ZodObject<Keys>>;

/**
 * All that one provider differs in, as data and small pure functions. The configuration is handed a list of these and
 * knows no provider by name; a further provider is one more file and one more line in that list.
 */
export interface ProviderDefinition<Keys extends z.ZodRawShape = z.ZodRawShape> {
  /** The value of `provider:`. */
  readonly name: string;
  /** One sentence for the JSON Schema. */
  readonly description: string;
  /**
   * Its keys, each with a description, beside `provider`, `tenants` and `tenants_directory`. A key that is not optional
   * must be given on the credential or on every tenant.
   */
  readonly keys: Keys;
  /** Keys that are the credential's alone; a tenant may override every other one. */
  readonly sharedKeys: readonly (keyof Keys & string)[];
  /** Files of a tenant's folder in `tenants_directory`, named as the key they give. */
  readonly tenantFiles: {
    /** Referred to, and read when they are needed: secrets. */
    readonly references: readonly (keyof Keys & string)[];
    /** Read with the configuration: plain values. */
    readonly texts: readonly (keyof Keys & string)[];
  };
  /** Lower-case names of the header fields that only this proxy may state on its routes. */
  readonly injectedFields: readonly string[];
  /** Operations (`POST /path`) denied on a route without a `deny` of its own. */
  readonly defaultDeny: readonly string[];
  /** What a route's `upstream` defaults to. Keys may be missing where every tenant gives its own. */
  defaultUpstream(values: Partial<Values<Keys>>): URL | undefined;
  /** The credential's keys, overridden by the tenant's, all valid and complete, as one way to get a token. */
  createSpec(values: Values<Keys>, context: SpecContext): CredentialSpec | undefined;
}

/** Infers the types of the keys for a provider's file, and forgets them for the list of all providers. */
export function defineProvider<const Keys extends z.ZodRawShape>(
  definition: ProviderDefinition<Keys>,
): ProviderDefinition {
  // Sound, since the configuration hands over only what this definition's own keys have validated.
  return definition as unknown as ProviderDefinition;
}

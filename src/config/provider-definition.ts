import type { z } from "zod";
import type { ClientCredentialsSpec, CredentialSpec, VisitorSpec } from "./config.ts";
import type { References } from "./credential-keys.ts";
import type { FaultKind } from "./fault-kind.ts";

/** What the configuration knows while it makes one credential, or one tenant of it. */
export interface SpecContext {
  /** The tenant's name; undefined for a credential without tenants. */
  readonly tenant: string | undefined;
  readonly references: References;
  /** Says that `key` is wrong, or missing, in this combination. Return undefined afterwards. */
  fault(kind: FaultKind, key: string, message: string): void;
  /** Says that `key` is good, yet probably not what was meant. */
  warn(kind: FaultKind, key: string, message: string): void;
  /**
   * The credential that `key` refers to by `name`; it must be of that provider and grant. undefined: there is none, or
   * it is faulty, which is reported.
   */
  referTo<G extends Grant>(key: string, name: string, target: Target<G>): SpecOf<G> | undefined;
}

/** What stands behind the key `grant`. */
export type Grant = "client_credentials" | VisitorSpec["kind"];
/** What is meant where the key is left out. */
export const DEFAULT_GRANT = "client_credentials";
export type SpecOf<G extends Grant> = Extract<CredentialSpec, { readonly kind: G }>;

/** What a credential that another one refers to must be. */
export interface Target<G extends Grant = Grant> {
  readonly provider: string;
  readonly grant: G;
}

export interface TenantFiles<Key extends string = string> {
  /** Referred to, and read when they are needed: secrets. */
  readonly references: readonly Key[];
  /** Read with the configuration: plain values. */
  readonly texts: readonly Key[];
}

/** What a provider's own rules make of a credential that does not work, in words for a person. */
export interface ProviderAdvice {
  /** The likely cause of a refusal (an RFC 6749 §5.2 error code) and the next step; undefined: nothing special to it. */
  refusal?(spec: ClientCredentialsSpec, error: string): string | undefined;
  /** What a token alone is not enough for; undefined: nothing is missing. */
  omission?(spec: ClientCredentialsSpec): { readonly reason: string; readonly hint: string } | undefined;
}

type Values<Keys extends z.ZodRawShape> = z.output<z.ZodObject<Keys>>;

/**
 * All that one provider differs in, as data and small pure functions. The configuration is handed a list of these and
 * knows no provider by name; a further provider is one more file and one more line in that list. A provider with several
 * grants has one definition for each, under the same name.
 */
export interface ProviderDefinition<Keys extends z.ZodRawShape = z.ZodRawShape> {
  /** The value of `provider:`. */
  readonly name: string;
  /**
   * The value of `grant:`; client_credentials is meant where that key is left out. undefined: a provider with one way
   * only, without the key.
   */
  readonly grant?: Grant;
  /** One sentence for the JSON Schema. */
  readonly description: string;
  /**
   * Its keys, each with a description, beside `provider`, `grant`, `tenants` and `tenants_directory`. A key that is not optional
   * must be given on the credential or on every tenant.
   */
  readonly keys: Keys;
  /** Why keys of other grants, or of people's expectation, are not there, in words that say what to do instead. */
  readonly refused?: Readonly<Record<string, string>>;
  /** Keys that are the credential's alone; a tenant may override every other one. */
  readonly sharedKeys: readonly (keyof Keys & string)[];
  /** Files of a tenant's folder in `tenants_directory`, named as the key they give. undefined: there are no tenants. */
  readonly tenantFiles: TenantFiles<keyof Keys & string> | undefined;
  /** Lower-case names of the header fields that only this proxy may state on its routes. */
  readonly injectedFields: readonly string[];
  /** Operations (`POST /path`) denied on a route without a `deny` of its own. */
  readonly defaultDeny: readonly string[];
  /** For `doctor`. Default: none. */
  readonly advice?: ProviderAdvice;
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

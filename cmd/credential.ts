import type { Config, Credential } from "../src/config/config.ts";
import { printable } from "../src/config/printable.ts";
import { didYouMean } from "../src/config/suggestion.ts";
import { CommandError, EXIT } from "./exit-code.ts";

/**
 * The credential that the command line names, whose tenant there is if one is named.
 *
 * @throws CommandError with what there is, and exit code 2
 */
export function namedCredential(config: Config, name: string, tenant: string | undefined): Credential {
  const { credentials } = config;
  const credential = credentials.get(name);
  if (credential === undefined) {
    throw new CommandError(
      `no credential is named ${printable(name)}${didYouMean(name, credentials.keys())}; there are ${list(credentials.keys())}`,
      EXIT.usage,
    );
  }
  if (tenant === undefined || credential.tenants?.has(tenant) === true) return credential;
  const { tenants } = credential;
  throw new CommandError(
    tenants === undefined
      ? `credential ${name} has no tenants; leave --tenant out`
      : `credential ${name} has no tenant ${printable(tenant)}${didYouMean(tenant, tenants.keys())}; there are ${list(tenants.keys())}`,
    EXIT.usage,
  );
}

/** Names for a message, the first twenty of them. */
export function list(names: Iterable<string>): string {
  const all = [...names];
  return all.length === 0 ? "none" : all.slice(0, 20).join(", ") + (all.length > 20 ? ", …" : "");
}

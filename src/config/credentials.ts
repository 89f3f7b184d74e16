import type { CredentialDeps, ReadCredential } from "./credential.ts";
import { readCredential } from "./credential.ts";
import { findDefinition } from "./grant.ts";
import { showValue } from "./printable.ts";
import type { Grant, SpecOf, Target } from "./provider-definition.ts";
import { didYouMean } from "./suggestion.ts";
import { isMapping } from "./validate.ts";
import type { RawMapping, ValuePath } from "./yaml-document.ts";

export interface ReadCredentials {
  /** In the order of the file; undefined for one that is not understood. */
  readonly byName: ReadonlyMap<string, ReadCredential | undefined>;
  /** Names that other credentials refer to. */
  readonly referred: ReadonlySet<string>;
}

/** Reads `credentials` and reports every fault in them. One that another refers to is read first, wherever it stands. */
export function readCredentials(raw: RawMapping, deps: Omit<CredentialDeps, "referTo">): ReadCredentials {
  const { providers, report } = deps;
  const known = new Map<string, ReadCredential | undefined>();
  const referred = new Set<string>();

  // It ends, since grants refer one way only: user → anonymous → client_credentials.
  function read(name: string): ReadCredential | undefined {
    if (!known.has(name)) known.set(name, readCredential(name, raw[name], { ...deps, referTo }));
    return known.get(name);
  }

  function isTarget(name: string, { provider, grant }: Target): boolean {
    const candidate = raw[name];
    const definition = isMapping(candidate) ? findDefinition(candidate, providers) : undefined;
    return definition?.name === provider && definition.grant === grant;
  }

  function referTo<G extends Grant>(path: ValuePath, name: string, target: Target<G>): SpecOf<G> | undefined {
    const expected = `expected one of provider ${target.provider} and grant ${target.grant}`;
    if (!Object.hasOwn(raw, name)) {
      const candidates = Object.keys(raw).filter((candidate) => isTarget(candidate, target));
      const suggestion = didYouMean(name, candidates);
      report.fault(
        "unknown-name",
        path,
        `no credential has the name ${showValue(name)}${suggestion}; ${expected}`,
      );
      return undefined;
    }
    if (!isTarget(name, target)) {
      report.fault(
        "unsuitable-credential",
        path,
        `credential ${showValue(name)} is of another kind; ${expected}`,
      );
      return undefined;
    }
    referred.add(name);
    const credential = read(name)?.credential;
    if (credential?.tenants !== undefined) {
      const message = `credential ${showValue(name)} has tenants; ${expected}, without tenants`;
      report.fault("unsuitable-credential", path, message);
    }
    // Its kind is that of the definition it was made by.
    return credential?.spec as SpecOf<G> | undefined;
  }

  const names = Object.keys(raw);
  return { byName: new Map(names.map((name) => [name, read(name)])), referred };
}

import { join, resolve } from "node:path";
import { type Files, reasonOf } from "./files.ts";
import type { ProviderDefinition } from "./provider-definition.ts";
import type { Reporter } from "./reporter.ts";
import { tenantKeys } from "./schema.ts";
import { readTenantsDirectory } from "./tenants-directory.ts";
import { isMapping, type Shape, type Validated, validateKeys } from "./validate.ts";
import { NAME_PATTERN, NAME_RULE } from "./value-schemas.ts";
import type { RawMapping, ValuePath } from "./yaml-document.ts";

/** One tenant's own keys, and the place where its faults are reported. */
export interface TenantEntry extends Validated<Shape> {
  readonly raw: RawMapping;
  readonly path: ValuePath;
  readonly report: Reporter;
  /** Whose files its keys are; undefined: they are written out in the configuration. */
  readonly folder: string | undefined;
}

export interface Tenants {
  readonly entries: ReadonlyMap<string, TenantEntry>;
  /** False when tenants may be missing from `entries`, because a part could not be read. */
  readonly complete: boolean;
}

export interface TenantsDeps {
  readonly report: Reporter;
  readonly files: Files;
  /** Where the configuration lies. */
  readonly directory: string;
  /** Validating away from where the configuration runs: a directory that is not there is no fault. */
  readonly checkOnly: boolean;
}

/** The tenants of a credential, from `tenants` and `tenants_directory`; undefined when it has neither, or cannot have any. */
export function readTenants(
  raw: RawMapping,
  tenantsDirectory: string | undefined,
  path: ValuePath,
  provider: ProviderDefinition,
  deps: TenantsDeps,
): Tenants | undefined {
  const hasMapping = Object.hasOwn(raw, "tenants");
  const hasDirectory = Object.hasOwn(raw, "tenants_directory");
  if (provider.tenantFiles === undefined || (!hasMapping && !hasDirectory)) return undefined;

  const keys = tenantKeys(provider);
  const refused = Object.fromEntries(
    [...provider.sharedKeys, "grant"].map((key) => [
      key,
      "is shared by all tenants: write it on the credential",
    ]),
  );
  const entries = new Map<string, TenantEntry>();
  let complete = true;

  function add(
    name: string,
    tenantRaw: RawMapping,
    tenantPath: ValuePath,
    report: Reporter,
    folder?: string,
  ): void {
    const validated = validateKeys(keys, tenantRaw, tenantPath, report, { onlyGiven: true, refused });
    entries.set(name, { ...validated, raw: tenantRaw, path: tenantPath, report, folder });
  }

  if (hasMapping)
    complete = readMapping(raw["tenants"], hasDirectory, [...path, "tenants"], add, deps.report);
  if (tenantsDirectory !== undefined) {
    const at = [...path, "tenants_directory"];
    const directory = resolve(deps.directory, tenantsDirectory);
    const found = readDirectory(directory, at, provider, deps);
    if (found === undefined) complete = false;
    for (const [name, tenantRaw] of found ?? []) {
      if (entries.has(name)) {
        deps.report.fault("conflict", at, `tenant ${name} is both in tenants and in the directory; keep one`);
      } else {
        add(name, tenantRaw, at, reportAsTenant(deps.report, name, at), join(directory, name));
      }
    }
  } else if (hasDirectory) {
    complete = false;
  }
  return { entries, complete };
}

/** Returns false when something could not be read. */
function readMapping(
  tenants: unknown,
  mayBeEmpty: boolean,
  path: ValuePath,
  add: (name: string, raw: RawMapping, path: ValuePath, report: Reporter) => void,
  report: Reporter,
): boolean {
  if (!isMapping(tenants) || (Object.keys(tenants).length === 0 && !mayBeEmpty)) {
    report.fault("wrong-type", path, "expected a mapping of tenants: the name of each, and its keys below");
    return false;
  }
  let complete = true;
  for (const [name, raw] of Object.entries(tenants)) {
    if (!NAME_PATTERN.test(name)) {
      report.fault("wrong-form", [...path, name], `not a valid tenant name; expected ${NAME_RULE}`, "key");
    }
    if (isMapping(raw)) {
      add(name, raw, [...path, name], report);
    } else {
      report.fault(
        "wrong-type",
        [...path, name],
        raw === null ? "is empty: expected a mapping; write {} for no keys of its own" : "expected a mapping",
      );
      complete = false;
    }
  }
  return complete;
}

function readDirectory(
  directory: string,
  path: ValuePath,
  provider: ProviderDefinition,
  { files, report, checkOnly }: TenantsDeps,
): ReadonlyMap<string, RawMapping> | undefined {
  try {
    const { tenants, problems } = readTenantsDirectory(directory, provider, files);
    for (const problem of problems) report.fault("unreadable", path, problem);
    return tenants;
  } catch (error) {
    const message = `cannot read the directory ${directory}: ${reasonOf(error)}`;
    if (checkOnly) report.warn("unreadable", path, `${message}; its tenants are not checked`);
    else report.fault("unreadable", path, message);
    return undefined;
  }
}

/** Faults of a tenant's files have no place in the configuration: the message says which file is meant. */
function reportAsTenant(report: Reporter, name: string, at: ValuePath): Reporter {
  const within = (path: ValuePath, message: string): string =>
    `tenant ${name}: ${path.slice(at.length).join(".")} ${message}`;
  return {
    ...report,
    fault: (kind, path, message) => report.fault(kind, at, within(path, message)),
    warn: (kind, path, message) => report.warn(kind, at, within(path, message)),
  };
}

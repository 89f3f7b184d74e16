import { join } from "node:path";
import { type Files, reasonOf } from "./files.ts";
import type { ProviderDefinition } from "./provider-definition.ts";
import { NAME_PATTERN } from "./value-schemas.ts";
import type { RawMapping } from "./yaml-document.ts";

/** More than any account or tenant id; the content goes into a header field. */
const MAX_TEXT_BYTES = 4_096;

const NO_FILES = { references: [], texts: [] };

export interface TenantsDirectory {
  /** One raw mapping per tenant, as if it had been written under `tenants`. */
  readonly tenants: ReadonlyMap<string, RawMapping>;
  /** What is wrong with single folders. */
  readonly problems: readonly string[];
}

/**
 * Reads the tenants of a directory: each subfolder whose name is a tenant's name and that holds any of the provider's
 * files. What else lies there is passed over: plain files, Kubernetes' `..data`, a folder that is still empty.
 * Throws when the directory itself cannot be read.
 */
export function readTenantsDirectory(
  directory: string,
  provider: ProviderDefinition,
  files: Files,
): TenantsDirectory {
  const tenants = new Map<string, RawMapping>();
  const problems: string[] = [];
  for (const folder of files.readDirectory(directory)) {
    if (!folder.isDirectory || !NAME_PATTERN.test(folder.name)) continue;
    const path = join(directory, folder.name);
    try {
      const raw = readTenant(path, provider, files);
      if (Object.keys(raw).length > 0) tenants.set(folder.name, raw);
    } catch (error) {
      problems.push(`cannot read tenant ${folder.name} (${path}): ${reasonOf(error)}`);
    }
  }
  return { tenants, problems };
}

function readTenant(path: string, provider: ProviderDefinition, files: Files): RawMapping {
  const raw: Record<string, unknown> = Object.create(null);
  const present = new Set(files.readDirectory(path).map((entry) => entry.name));
  const { references, texts } = provider.tenantFiles ?? NO_FILES;
  for (const key of references) {
    if (present.has(key)) raw[key] = { file: join(path, key) };
  }
  for (const key of texts) {
    if (present.has(key)) raw[key] = files.readFile(join(path, key), MAX_TEXT_BYTES).replace(/\r?\n$/, "");
  }
  return raw;
}

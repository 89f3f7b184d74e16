import { resolve, sep } from "node:path";
import type { Config, SecretReference } from "../src/config/config.ts";
import { ConfigError, type Fault } from "../src/config/fault.ts";
import { systemFiles } from "../src/config/files.ts";
import { createReporter } from "../src/config/reporter.ts";
import { secretReferences } from "../src/config/secret-references.ts";
import type { SecretFault, SecretSource } from "../src/config/secret-source.ts";
import { isMapping } from "../src/config/validate.ts";
import { readYaml, type ValuePath } from "../src/config/yaml-document.ts";

const MAX_CONFIG_BYTES = 64 * 1_024 * 1_024;

/**
 * Throws `ConfigError` unless all of `references` (default: every one of the configuration) can be read: the ones that
 * cannot at once, one line each, at the place that refers to it. `file` is how faults name the configuration. Values are
 * read, and never shown.
 */
export function requireSecrets(
  config: Config,
  file: string,
  secrets: SecretSource,
  references: Iterable<SecretReference> = secretReferences(config),
): void {
  const unreadable = secrets.resolveAll(references);
  if (unreadable.length > 0) throw new ConfigError(placed(unreadable, config, file));
}

/** References know no place; it is looked up in the file only when there is something to complain of. */
function placed(unreadable: readonly SecretFault[], config: Config, file: string): readonly Fault[] {
  const directory = resolve(config.file, "..");
  const document = readYaml(textOf(config.file));
  const report = createReporter(file, document.locate);
  const places = findPlaces(document.value, directory);
  for (const { reference, message } of unreadable) {
    const place = places.find(({ refersTo }) => refersTo(reference));
    if (place === undefined) report.faultAt({ line: 1, column: 1 }, [], message);
    else report.fault(place.path, message);
  }
  return report.faults();
}

function textOf(file: string): string {
  try {
    return systemFiles.readFile(file, MAX_CONFIG_BYTES);
  } catch {
    return ""; // A built-in configuration has no file, and one that was just removed has no places any more.
  }
}

interface Place {
  readonly path: ValuePath;
  refersTo(reference: SecretReference): boolean;
}

/** Every `{ env: … }`, `{ file: … }` and `tenants_directory: …` of a document. */
function findPlaces(value: unknown, directory: string, path: ValuePath = []): readonly Place[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => findPlaces(item, directory, [...path, index]));
  }
  if (!isMapping(value)) return [];
  return Object.entries(value).flatMap(([key, child]): readonly Place[] => {
    if (typeof child !== "string") return findPlaces(child, directory, [...path, key]);
    switch (key) {
      case "env":
        return [{ path, refersTo: (reference) => reference.kind === "env" && reference.name === child }];
      case "file":
        return [{ path, refersTo: isFile((file) => file === resolve(directory, child)) }];
      case "tenants_directory": {
        const inside = resolve(directory, child) + sep;
        return [{ path: [...path, key], refersTo: isFile((file) => file.startsWith(inside)) }];
      }
      default:
        return [];
    }
  });
}

function isFile(test: (path: string) => boolean): Place["refersTo"] {
  return (reference) => reference.kind === "file" && test(reference.path);
}

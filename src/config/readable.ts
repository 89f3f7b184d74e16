import { createPrivateKey, X509Certificate } from "node:crypto";
import { resolve, sep } from "node:path";
import type { Secret } from "../core/secret.ts";
import { parseEncryptionKey } from "../store/encryption-keys.ts";
import type { Config, SecretReference, TlsOptions, ValueReference } from "./config.ts";
import { ConfigError, type Fault } from "./fault.ts";
import type { FaultKind, Wrong } from "./fault-kind.ts";
import { MAX_CONFIG_BYTES, reasonOf, systemFiles } from "./files.ts";
import { redisUrlProblem } from "./redis-url.ts";
import { createReporter } from "./reporter.ts";
import { secretReferences, tlsOptionsOf } from "./secret-references.ts";
import type { SecretSource } from "./secret-source.ts";
import { isMapping } from "./validate.ts";
import { readYaml, type ValuePath } from "./yaml-document.ts";

const MAX_PEM_BYTES = 4 * 1_024 * 1_024;

/** Something that a configuration refers to. */
type Reference = SecretReference | { readonly kind: "pem"; readonly path: string };

interface Unreadable extends Wrong {
  readonly reference: Reference;
}

/**
 * Throws `ConfigError` unless every secret and every PEM file that the configuration refers to can be read, and is what it should be: all that
 * cannot at once, one line each, at the place that refers to it. `file` is how faults name the configuration; `text` is its
 * text where that lies in no file. Values are read, and never shown.
 */
export function requireReadable(config: Config, file: string, secrets: SecretSource, text?: string): void {
  const unreadable = secrets.resolveAll(secretReferences(config));
  refuse([...unreadable, ...malformed(config, secrets), ...unreadablePem(config)], config, file, text);
}

/** The same for these secrets alone. */
export function requireSecrets(
  config: Config,
  file: string,
  secrets: SecretSource,
  references: Iterable<SecretReference>,
): void {
  refuse(secrets.resolveAll(references), config, file);
}

function unreadablePem(config: Config): readonly Unreadable[] {
  const faults = new Map<string, Unreadable>();
  const judge = (path: string | undefined, parse: (pem: string) => unknown, content: string): void => {
    if (path === undefined || faults.has(path)) return;
    const fault = (kind: FaultKind, reason: string): void =>
      void faults.set(path, {
        reference: { kind: "pem", path },
        kind,
        message: `PEM file ${path}: ${reason}`,
      });
    let pem: string;
    try {
      pem = systemFiles.readFile(path, MAX_PEM_BYTES);
    } catch (error) {
      fault("unreadable", reasonOf(error));
      return;
    }
    try {
      parse(pem);
    } catch {
      fault("unusable-secret", `it holds no ${content}`);
    }
  };
  /** Files that are swapped one after the other do not fit for a moment: the pair before them serves on. */
  const judgePair = ({ cert, key }: TlsOptions): void => {
    if (cert === undefined || key === undefined || faults.has(cert) || faults.has(key)) return;
    const belongs = new X509Certificate(systemFiles.readFile(cert, MAX_PEM_BYTES)).checkPrivateKey(
      createPrivateKey(systemFiles.readFile(key, MAX_PEM_BYTES)),
    );
    if (belongs) return;
    const message = `PEM file ${key}: it is not the private key of the certificate in ${cert}`;
    faults.set(key, { reference: { kind: "pem", path: key }, kind: "unusable-secret", message });
  };
  for (const tls of tlsOptionsOf(config)) {
    judge(tls.ca, (pem) => new X509Certificate(pem), "certificate in PEM");
    judge(tls.cert, (pem) => new X509Certificate(pem), "certificate in PEM");
    judge(tls.key, (pem) => createPrivateKey(pem), "unencrypted private key in PEM");
    judgePair(tls);
  }
  return [...faults.values()];
}

/** Secrets of the store have a form; a wrong one would else show only when the store is opened, without its place. */
function malformed({ store }: Config, secrets: SecretSource): readonly Unreadable[] {
  const faults: Unreadable[] = [];
  const judge = (reference: ValueReference, problemOf: (secret: Secret) => string | undefined): void => {
    // Judged with the configuration, or found unreadable already.
    if (reference.kind === "literal" || secrets.resolveAll([reference]).length > 0) return;
    const problem = problemOf(secrets.read(reference));
    if (problem === undefined) return;
    faults.push({ reference, kind: "unusable-secret", message: `${nameOf(reference)}: ${problem}` });
  };
  if (store.kind === "redis") judge(store.url, (secret) => redisUrlProblem(secret.reveal()));
  if (store.kind !== "memory") for (const key of store.encryptionKeys) judge(key, keyProblem);
  return faults;
}

function keyProblem(secret: Secret): string | undefined {
  try {
    parseEncryptionKey(secret, "");
    return undefined;
  } catch {
    return "it is not 32 bytes in base64; make one with openssl rand -base64 32";
  }
}

function nameOf(reference: SecretReference): string {
  return reference.kind === "env"
    ? `environment variable ${reference.name}`
    : `secret file ${reference.path}`;
}

/** References know no place; it is looked up in the file only when there is something to complain of. */
function refuse(unreadable: readonly Unreadable[], config: Config, file: string, text?: string): void {
  if (unreadable.length === 0) return;
  const document = readYaml(text ?? textOf(config.file));
  const report = createReporter(file, document.locate);
  const places = findPlaces(document.value, resolve(config.file, ".."));
  for (const { reference, kind, message } of unreadable) {
    const place = places.find(({ refersTo }) => refersTo(reference));
    if (place === undefined) report.faultAt(kind, { line: 1, column: 1 }, [], message);
    else report.fault(kind, place.path, message);
  }
  const faults: readonly Fault[] = report.faults();
  throw new ConfigError(faults);
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
  refersTo(reference: Reference): boolean;
}

/** Every `{ env: … }`, `{ file: … }`, PEM file and `tenants_directory: …` of a document. */
function findPlaces(value: unknown, directory: string, path: ValuePath = []): readonly Place[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => findPlaces(item, directory, [...path, index]));
  }
  if (!isMapping(value)) return [];
  return Object.entries(value).flatMap(([key, child]): readonly Place[] => {
    const here = [...path, key];
    if (typeof child !== "string") return findPlaces(child, directory, here);
    const target = resolve(directory, child);
    switch (key) {
      case "env":
        return [{ path, refersTo: (of) => of.kind === "env" && of.name === child }];
      case "file":
        return [{ path, refersTo: (of) => of.kind === "file" && of.path === target }];
      case "ca":
      case "cert":
      case "key":
        return [{ path: here, refersTo: (of) => of.kind === "pem" && of.path === target }];
      case "tenants_directory":
        return [{ path: here, refersTo: (of) => of.kind === "file" && of.path.startsWith(target + sep) }];
      default:
        return [];
    }
  });
}

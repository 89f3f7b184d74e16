import type { Logger } from "../core/log.ts";
import { Secret } from "../core/secret.ts";
import type { SecretReference, ValueReference } from "./config.ts";
import { ConfigError } from "./fault.ts";
import type { FaultKind, Wrong } from "./fault-kind.ts";
import { type Files, reasonOf } from "./files.ts";
import type { Environment } from "./parse.ts";

export { secretReferences } from "./secret-references.ts";

/** Larger than any secret; what is larger was referred to by mistake. */
const MAX_SECRET_BYTES = 65_536;

export interface SecretSourceDeps {
  readonly env: Environment;
  readonly files: Files;
  readonly log: Logger;
  /** Counts: a value changed, or one that was read before cannot be read now. */
  readonly onReload?: (outcome: "success" | "failure") => void;
}

/** A secret that cannot be had, in words without its value. */
export interface SecretFault extends Wrong {
  readonly reference: SecretReference;
}

/** The values behind references: read once, kept, and exchanged only for a good new value. */
export interface SecretSource {
  /**
   * The last good value; the same object until the value changes, so that callers can remember by identity what they
   * made of it. Throws `ConfigError` with name and reason while there has never been a good one.
   */
  read(reference: SecretReference): Secret;
  /** The text of a value that is no secret, such as a client id. Throws as `read` does. */
  value(reference: ValueReference): string;
  /** Reads again now; true when the value changed. On an error the last good value stays. Never throws. */
  refresh(reference: SecretReference): boolean;
  /** Refreshes every value that was read before. Returns how many changed. */
  refreshAll(): number;
  /** Calls `listener` after a refresh with what changed. Returns the way to stop that. */
  onChange(listener: (changed: readonly SecretReference[]) => void): () => void;
  /** Reads all of them; returns the ones that cannot be had. */
  resolveAll(references: Iterable<SecretReference>): readonly SecretFault[];
  /** Forgets every value but these, after a new configuration has taken the place of an old one. */
  retain(references: Iterable<SecretReference>): void;
}

interface Entry {
  readonly reference: SecretReference;
  secret: Secret;
  /** Why the last attempt failed; logged when it begins and when the reason changes, not at each attempt. */
  failure: string | undefined;
}

export function createSecretSource({ env, files, log, onReload }: SecretSourceDeps): SecretSource {
  const entries = new Map<string, Entry>();
  const byIdentity = new WeakMap<SecretReference, Entry>();
  const listeners = new Set<(changed: readonly SecretReference[]) => void>();

  function load(reference: SecretReference): Secret {
    return new Secret(
      reference.kind === "env" ? fromEnvironment(env, reference.name) : fromFile(files, reference.path),
    );
  }

  function read(reference: SecretReference): Secret {
    const remembered = byIdentity.get(reference);
    if (remembered !== undefined) return remembered.secret;
    const key = keyOf(reference);
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = { reference, secret: load(reference), failure: undefined };
      entries.set(key, entry);
    }
    byIdentity.set(reference, entry);
    return entry.secret;
  }

  function refreshEntry(entry: Entry): boolean {
    let next: Secret;
    try {
      next = load(entry.reference);
    } catch (error) {
      const failure = error instanceof Error ? error.message : "unknown";
      if (entry.failure !== failure)
        log.error("secret_reload_failed", { ...where(entry.reference), error: failure });
      entry.failure = failure;
      onReload?.("failure");
      return false;
    }
    const recovered = entry.failure !== undefined;
    entry.failure = undefined;
    if (next.equals(entry.secret)) {
      if (recovered) log.info("secret_readable_again", where(entry.reference));
      return false;
    }
    entry.secret = next;
    log.info("secret_reloaded", where(entry.reference));
    onReload?.("success");
    return true;
  }

  function notify(changed: readonly SecretReference[]): void {
    if (changed.length > 0) for (const listener of [...listeners]) listener(changed);
  }

  return {
    read,
    value: (reference) => (reference.kind === "literal" ? reference.value : read(reference).reveal()),
    refresh(reference) {
      const entry = byIdentity.get(reference) ?? entries.get(keyOf(reference));
      if (entry === undefined) return firstRead(() => read(reference));
      const changed = refreshEntry(entry);
      if (changed) notify([entry.reference]);
      return changed;
    },
    refreshAll() {
      const changed = [...entries.values()].filter(refreshEntry).map((entry) => entry.reference);
      notify(changed);
      return changed.length;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    resolveAll(references) {
      const faults = new Map<string, SecretFault>();
      for (const reference of references) {
        try {
          read(reference);
        } catch (error) {
          const wrong = error instanceof ConfigError ? error.wrong : undefined;
          faults.set(keyOf(reference), { reference, ...(wrong ?? CANNOT_BE_READ) });
        }
      }
      return [...faults.values()];
    },
    retain(references) {
      const kept = new Set<string>();
      for (const reference of references) kept.add(keyOf(reference));
      for (const key of entries.keys()) if (!kept.has(key)) entries.delete(key);
    },
  };
}

/** There was no good value before, so any value is a change. */
function firstRead(read: () => Secret): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

function keyOf(reference: SecretReference): string {
  return reference.kind === "env" ? `env:${reference.name}` : `file:${reference.path}`;
}

function where(reference: SecretReference): { readonly file: string } | { readonly detail: string } {
  return reference.kind === "file"
    ? { file: reference.path }
    : { detail: `environment variable ${reference.name}` };
}

const CANNOT_BE_READ: Wrong = { kind: "unreadable", message: "cannot be read" };

function unusable(kind: FaultKind, message: string, cause?: unknown): ConfigError {
  return new ConfigError({ kind, message }, { cause });
}

function fromEnvironment(env: Environment, name: string): string {
  const text = env[name];
  if (text === undefined) throw unusable("unreadable", `environment variable ${name}: it is not set`);
  return judge(text, `environment variable ${name}`);
}

function fromFile(files: Files, path: string): string {
  let text: string;
  try {
    text = files.readFile(path, MAX_SECRET_BYTES);
  } catch (cause) {
    throw unusable("unreadable", `secret file ${path}: ${reasonOf(cause)}`, cause);
  }
  return judge(text, `secret file ${path}`);
}

/** One trailing newline is the editor's; any other line break would let a value end a header field. */
function judge(text: string, subject: string): string {
  const value = text.replace(/\r?\n$/, "");
  if (value === "") throw unusable("unusable-secret", `${subject}: it is empty`);
  if (/[\r\n]/.test(value)) throw unusable("unusable-secret", `${subject}: it holds more than one line`);
  if (Buffer.byteLength(value) > MAX_SECRET_BYTES) {
    throw unusable("unusable-secret", `${subject}: it is larger than ${MAX_SECRET_BYTES} bytes`);
  }
  return value;
}

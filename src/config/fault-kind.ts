/**
 * The kinds of configuration faults and warnings. Each is the anchor of a section of docs/reference/errors.md and stands
 * at the end of a fault's line, so it is public: a kind is never renamed, and what a section says fits every fault of it.
 */
export const FAULT_KINDS = [
  // The file
  "unreadable",
  "not-yaml",
  // Keys
  "duplicate-key",
  "unknown-key",
  "misplaced-key",
  "missing-key",
  // Values
  "wrong-type",
  "not-a-choice",
  "wrong-form",
  "no-unit",
  "out-of-bounds",
  "reserved-name",
  // Secrets
  "secret-in-file",
  "env-or-file",
  "unusable-secret",
  // What belongs together
  "unknown-name",
  "unsuitable-credential",
  "conflict",
  "duplicate-route",
  "no-upstream",
  "no-tenant-rule",
  "no-tenants",
  // What would be unsafe
  "plain-http",
  "open-listener",
  "no-store-key",
  // Warnings
  "no-route",
  "unused-credential",
  "no-refresh-token",
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** The page that has the sections, as lines name it. */
export const FAULTS_PAGE = "errors.md";

/** No printable text holds it, and every message is made printable. */
const MARK = "\u0000";

/** What is wrong, in words, and of which kind that is. */
export interface Wrong {
  readonly kind: FaultKind;
  readonly message: string;
}

/** Words that know their kind on their way through a schema, which carries nothing but text. `readWords` takes them apart. */
export function ofKind(kind: FaultKind, words: string): string {
  return `${kind}${MARK}${words}`;
}

/** What a schema's own check finds, for zod: never without its kind. */
export function customIssue(
  kind: FaultKind,
  words: string,
): { readonly code: "custom"; readonly message: string } {
  return { code: "custom", message: ofKind(kind, words) };
}

/** What `ofKind` made; undefined for words without a kind. */
export function readWords(words: string): Wrong | undefined {
  const end = words.indexOf(MARK);
  const kind = FAULT_KINDS.find((known) => known.length === end && words.startsWith(known));
  return kind === undefined ? undefined : { kind, message: words.slice(end + 1) };
}

/** Words without the kind that they may carry, for whoever asks a schema directly. */
export function plainWords(words: string): string {
  return readWords(words)?.message ?? words;
}

/** The kind of a value that is not what `expectation` asks for. */
export function mismatch(input: unknown): "missing-key" | "wrong-type" {
  return input === undefined ? "missing-key" : "wrong-type";
}

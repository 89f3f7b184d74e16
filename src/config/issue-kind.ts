import type { z } from "zod";
import { type FaultKind, readWords, type Wrong } from "./fault-kind.ts";

const MISSING = /^is missing\b/;
const IS_MISSING: Wrong = { kind: "missing-key", message: "is missing" };

/**
 * What a schema found, as a fault says it; undefined: nothing, and so nothing was there. Words that do not know their kind
 * have the one of the check.
 */
export function wrongOf(issue: Pick<z.core.$ZodIssue, "code" | "message"> | undefined): Wrong {
  if (issue === undefined) return IS_MISSING;
  const { code, message } = issue;
  return readWords(message) ?? { kind: MISSING.test(message) ? "missing-key" : KINDS[code], message };
}

/** What a value can be at fault in, by the kind of check that it did not pass. */
const KINDS: Readonly<Record<z.core.$ZodIssue["code"], FaultKind>> = {
  invalid_type: "wrong-type",
  invalid_union: "wrong-type",
  unrecognized_keys: "unknown-key",
  invalid_value: "not-a-choice",
  too_small: "out-of-bounds",
  too_big: "out-of-bounds",
  not_multiple_of: "out-of-bounds",
  invalid_format: "wrong-form",
  invalid_key: "wrong-form",
  invalid_element: "wrong-form",
  custom: "wrong-form",
};

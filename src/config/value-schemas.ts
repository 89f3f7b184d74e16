/** The kinds of values that a configuration is made of: a zod schema each, with the words for what is wrong. */
import { z } from "zod";
import { MAX_TIMER_MS } from "../core/clock.ts";
import { parseDuration, parseSize } from "../core/units.ts";
import { customIssue, type FaultKind, ofKind, type Wrong } from "./fault-kind.ts";
import { listOf, showValue } from "./printable.ts";
import { didYouMean } from "./suggestion.ts";
import { expectation } from "./validate.ts";

/** JSON Schema draft 07: what YAML language servers understand. */
export const JSON_SCHEMA_OPTIONS = {
  target: "draft-7",
  io: "input",
  // zod drops the examples of values that are transformed; ours are of the text that is written.
  override({ zodSchema, jsonSchema }: { readonly zodSchema: z.core.$ZodType; readonly jsonSchema: object }) {
    const examples = z.globalRegistry.get(zodSchema)?.["examples"];
    if (examples !== undefined) Object.assign(jsonSchema, { examples });
  },
} as const;

export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
export const NAME_RULE = "a letter or digit, then at most 62 of letters, digits, `.`, `_` and `-`";

/** The name of a route, a credential or a tenant. */
export const name = z.string({ error: ({ input }) => expectation("a name", input) }).regex(NAME_PATTERN, {
  error: ({ input }) => `not a valid name: ${showValue(input)}; expected ${NAME_RULE}`,
});

/** RFC 9110 §5.6.2. */
const TOKEN_PATTERN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110 §5.5, without obsolete bytes and without blanks at the ends. */
const FIELD_VALUE_PATTERN = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;
/** RFC 6749 §3.3. */
const SCOPE_PATTERN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

export const KIB = 1_024;
export const MIB = 1_024 * KIB;
const DAY_MS = 86_400_000;

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

interface DurationRules extends Bounds {
  readonly examples?: string;
}

/** `250ms`, `30s`, `5m`, `1h`, `15d` → milliseconds; from 1 ms to what a timer takes, unless told otherwise. */
export function duration({
  min = 1,
  max = MAX_TIMER_MS,
  examples = "250ms, 30s, 5m or 1h",
}: DurationRules = {}) {
  const words = `a duration such as ${examples}`;
  return withUnit(words, "s", /^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/, parseDuration, (ms) => {
    if (ms < min) return `must be at least ${min}ms`;
    return ms > max ? `must not be longer than ${Math.floor(max / DAY_MS)} days` : undefined;
  }).meta({ examples: examples.split(/, | or /) });
}

/** `64KiB`, `2MiB` → bytes. */
export function size({ min = 1, max = Number.MAX_SAFE_INTEGER }: Bounds = {}) {
  return withUnit(
    "a size such as 512B, 64KiB or 2MiB",
    "KiB",
    /^\d+(?:\.\d+)?(?:B|KiB|MiB|GiB)$/,
    parseSize,
    (bytes) => (bytes < min || bytes > max ? `must be from ${min}B to ${max}B` : undefined),
  );
}

function withUnit(
  words: string,
  unit: string,
  pattern: RegExp,
  parse: (text: string) => number | undefined,
  judge: (value: number) => string | undefined,
) {
  const error = ({ input }: { readonly input?: unknown }): string => {
    const bare = typeof input === "number" || (typeof input === "string" && /^\d+$/.test(input));
    const expected = expectation(words, input);
    return bare
      ? ofKind("no-unit", `${expected}; a bare number has no unit, write ${input}${unit}`)
      : expected;
  };
  return z
    .string({ error })
    .regex(pattern, { error })
    .transform((text, context): number => {
      const value = parse(text);
      const problem = value === undefined ? `expected ${words}` : judge(value);
      if (value !== undefined && problem === undefined) return value;
      const kind = value === undefined ? "wrong-form" : "out-of-bounds";
      context.issues.push({ ...customIssue(kind, `${problem}, not ${showValue(text)}`), input: text });
      return z.NEVER;
    });
}

/** A text that is read into something else; `read` gives the value, or the words for what is wrong with the text. */
export function parsed<T>(
  words: string,
  read: (text: string) => { readonly value: T } | { readonly problem: string; readonly kind?: FaultKind },
) {
  return z.string({ error: ({ input }) => expectation(words, input) }).transform((text, context): T => {
    const result = read(text);
    if ("value" in result) return result.value;
    const { kind = "wrong-form", problem } = result;
    context.issues.push({ ...customIssue(kind, problem), input: text });
    return z.NEVER;
  });
}

/**
 * One of several forms. `shape` validates and describes the forms; `wrongOf` says what is wrong when none fits, since a
 * union's own words would speak of every form at once.
 */
export function oneOf<T extends z.ZodType>(shape: T, wrongOf: (input: unknown) => Wrong) {
  const { $schema: _, ...json } = z.toJSONSchema(shape, JSON_SCHEMA_OPTIONS);
  return z
    .unknown()
    .transform((input, context): z.output<T> => {
      const result = shape.safeParse(input);
      if (result.success) return result.data;
      const { kind, message } = wrongOf(input);
      context.issues.push({ ...customIssue(kind, message), input });
      return z.NEVER;
    })
    .meta(json);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a path with control characters is a pasted value
export const filePath = /^[^\x00-\x1f\x7f]+$/;

/** Path of a PEM file. What was pasted in place of a path is not quoted. */
export const pemFile = z
  .string({ error: ({ input }) => (input === undefined ? "is missing" : "expected the path of a PEM file") })
  .regex(filePath, { error: "expected the path of a PEM file, not its content" })
  .refine((text) => !text.includes("-----BEGIN"), {
    error: "expected the path of a PEM file, not its content",
  });

export const directory = z
  .string({ error: ({ input }) => expectation("the path of a directory", input) })
  .regex(filePath, { error: "expected the path of a directory" });

/** Path of a database file. */
export const storeFile = z
  .string({ error: ({ input }) => expectation("the path of a file", input) })
  .regex(filePath, { error: "expected the path of a file" })
  .refine((text) => text !== ":memory:", {
    error: "must be a file; leave store out to keep everything in memory",
  });

/** A header field's name, as written. */
export const fieldName = z
  .string({ error: ({ input }) => expectation("the name of a header field", input) })
  .regex(TOKEN_PATTERN, {
    error: ({ input }) => `not a valid name of a header field: ${showValue(input)}`,
  });

/** A header field's value; not quoted, since it could be a secret. */
export const fieldValue = z
  .string({
    error: ({ input }) => (typeof input === "object" ? "expected text" : "expected text; put it in quotes"),
  })
  .regex(FIELD_VALUE_PATTERN, {
    error: "must consist of printable ASCII characters, without blanks at the ends",
  });

/** A scope token of RFC 6749 §3.3. */
export const scope = z
  .string({ error: ({ input }) => expectation("the name of a scope", input) })
  .regex(SCOPE_PATTERN, {
    error: ({ input }) =>
      typeof input === "string" && input.includes(" ")
        ? `one scope an entry: [${input.trim().split(/ +/).slice(0, 8).map(showScope).join(", ")}]`
        : `not a valid scope: ${showValue(input)}`,
  });

function showScope(text: string): string {
  return showValue(text).slice(1, -1);
}

/** One of `choices`, with a suggestion for a near miss. */
export function choice<const C extends readonly [string, ...string[]]>(choices: C, words = listOf(choices)) {
  return z.enum(choices, {
    error: ({ input }) =>
      `${expectation(words, input)}${typeof input === "string" ? didYouMean(input, choices) : ""}`,
  });
}

/** An extra parameter of a token request; not quoted, since it could be a secret. */
export const parameterValue = z.string({
  error: ({ input }) => (typeof input === "object" ? "expected text" : "expected text; put it in quotes"),
});

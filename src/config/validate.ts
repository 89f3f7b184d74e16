import type { z } from "zod";
import { wrongOf } from "./issue-kind.ts";
import { listOf, showValue } from "./printable.ts";
import type { Reporter } from "./reporter.ts";
import { closestOf, didYouMean } from "./suggestion.ts";
import type { RawMapping, ValuePath } from "./yaml-document.ts";

export type Shape = z.core.$ZodShape;
type Schema = z.core.$ZodType;
type Values<S extends Shape> = { readonly [K in keyof S]?: z.core.output<S[K]> };

export interface Validated<S extends Shape> {
  /** What is valid, key by key, with defaults; a key that is missing or wrong is not there. */
  readonly values: Values<S>;
  /** Keys that must be given and are not. Reported only by `requireKeys`, since they may be given elsewhere. */
  readonly missing: readonly string[];
  /** Keys that are given and wrong, or that a misspelt key was meant for. Already reported. */
  readonly invalid: ReadonlySet<string>;
}

export interface ValidateOptions {
  /** Leave out defaults: the mapping overrides another one. */
  readonly onlyGiven?: boolean;
  /** Words for keys that are known, but cannot be used here. */
  readonly refused?: Readonly<Record<string, string>>;
}

export function isMapping(value: unknown): value is RawMapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Validates one mapping key by key, so that a fault in one key hides nothing of the others. Reports unknown and
 * wrong keys; no message quotes a value unless its own schema says so.
 */
export function validateKeys<S extends Shape>(
  shape: S,
  raw: RawMapping,
  path: ValuePath,
  report: Reporter,
  options: ValidateOptions = {},
): Validated<S> {
  const values: Record<string, unknown> = Object.create(null);
  const missing: string[] = [];
  const invalid = new Set<string>();
  const known = Object.keys(shape);

  for (const key of Object.keys(raw)) {
    if (Object.hasOwn(shape, key)) continue;
    reportUnknownKey(key, path, known, report, options.refused);
    // It is known, and cannot be a misspelling of another.
    if (options.refused !== undefined && Object.hasOwn(options.refused, key)) continue;
    const meant = closestOf(key, known);
    if (meant !== undefined && !Object.hasOwn(raw, meant)) invalid.add(meant);
  }
  for (const key of known) {
    const given = Object.hasOwn(raw, key);
    if (!given && (options.onlyGiven === true || invalid.has(key))) continue;
    const schema = shape[key] as z.ZodType;
    const result = schema.safeParse(given ? raw[key] : undefined, { error: explain });
    if (result.success) {
      if (result.data !== undefined) values[key] = result.data;
    } else if (given) {
      invalid.add(key);
      reportIssues(result.error.issues, schema, [...path, key], report);
    } else {
      missing.push(key);
    }
  }
  return { values: values as Values<S>, missing, invalid };
}

/** Reports the missing keys of a mapping, in the words of their own schema. */
export function requireKeys(
  shape: Shape,
  missing: readonly string[],
  path: ValuePath,
  report: Reporter,
  suffix = "",
): void {
  for (const key of missing) {
    const result = (shape[key] as z.ZodType).safeParse(undefined, { error: explain });
    const issue = result.error?.issues[0];
    const { kind, message } = wrongOf(issue);
    report.fault(kind, [...path, key], `${message}${suffix}`, "key");
  }
}

function reportUnknownKey(
  key: string,
  path: ValuePath,
  known: readonly string[],
  report: Reporter,
  refused: Readonly<Record<string, string>> = {},
): void {
  const reason = Object.hasOwn(refused, key) ? refused[key] : undefined;
  if (reason === undefined) report.fault("unknown-key", [...path, key], unknownKey(key, known), "key");
  else report.fault("misplaced-key", [...path, key], reason, "key");
}

function unknownKey(key: string, known: readonly string[]): string {
  const suggestion = didYouMean(key, known);
  if (suggestion !== "" || known.length > 8 || known.length === 0) return `unknown key${suggestion}`;
  return `unknown key; expected ${listOf(known)}`;
}

function reportIssues(
  issues: readonly z.core.$ZodIssue[],
  schema: Schema,
  path: ValuePath,
  report: Reporter,
): void {
  const misspelt = new Set<string>();
  for (const issue of issues) {
    if (issue.code !== "unrecognized_keys") continue;
    const known = keysAt(schema, issue.path);
    for (const key of issue.keys) {
      reportUnknownKey(key, [...path, ...steps(issue.path)], known, report);
      const meant = closestOf(key, known);
      if (meant !== undefined) misspelt.add(JSON.stringify([...issue.path, meant]));
    }
  }
  const seen = new Set<string>();
  for (const issue of issues) {
    const at = JSON.stringify(issue.path);
    if (issue.code === "unrecognized_keys" || seen.has(at)) continue;
    seen.add(at);
    const { kind, message } = wrongOf((issue.code === "invalid_key" ? issue.issues[0] : undefined) ?? issue);
    if (message.startsWith("is missing") && misspelt.has(at)) continue;
    const part = issue.code === "invalid_key" ? "key" : "value";
    report.fault(kind, [...path, ...steps(issue.path)], message, part);
  }
}

function steps(path: readonly PropertyKey[]): ValuePath {
  return path.map((step) => (typeof step === "symbol" ? String(step) : step));
}

/** The keys that the mapping at `path` may have, for suggestions. */
function keysAt(schema: Schema, path: readonly PropertyKey[]): readonly string[] {
  let current: Schema | undefined = unwrap(schema);
  for (const step of path) {
    const def = current?._zod.def as Partial<ObjectDef> | undefined;
    const shape: Shape | undefined = def?.shape;
    const next: Schema | undefined =
      shape !== undefined && Object.hasOwn(shape, step)
        ? shape[step as string]
        : (def?.valueType ?? def?.element);
    if (next === undefined) return [];
    current = unwrap(next);
  }
  return Object.keys((current?._zod.def as Partial<ObjectDef> | undefined)?.shape ?? {});
}

interface ObjectDef {
  readonly shape: Shape;
  readonly valueType: Schema;
  readonly element: Schema;
  readonly innerType: Schema;
  readonly in: Schema;
}

function unwrap(schema: Schema): Schema {
  const def = schema._zod.def as Partial<ObjectDef>;
  const inner = def.innerType ?? def.in;
  return inner === undefined ? schema : unwrap(inner);
}

/**
 * What is wrong with a value and what would be right, for schemas without words of their own. Values are quoted only
 * where they cannot be a secret: choices, numbers and switches.
 */
function explain(issue: z.core.$ZodRawIssue): string {
  const { input } = issue;
  switch (issue.code) {
    case "invalid_type":
      return expectation(describeType(issue.expected), input);
    case "invalid_value": {
      const choices = issue.values.map(String);
      return `${expectation(listOf(choices), input)}${typeof input === "string" ? didYouMean(input, choices) : ""}`;
    }
    case "too_small":
      if (issue.origin === "string") return "must not be empty";
      if (issue.origin === "array") return "must not be an empty list";
      return `must be ${issue.inclusive === false ? "more than" : "at least"} ${issue.minimum}, not ${showValue(input)}`;
    case "too_big":
      if (issue.origin === "string") return `must not have more than ${issue.maximum} characters`;
      if (issue.origin === "array") return `must not have more than ${issue.maximum} entries`;
      return `must be at most ${issue.maximum}, not ${showValue(input)}`;
    case "invalid_format":
      return "has a wrong form";
    default:
      return "is not valid";
  }
}

function describeType(expected: string): string {
  switch (expected) {
    case "string":
      return "text";
    case "int":
      return "a whole number";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    case "array":
      return "a list";
    case "object":
    case "record":
      return "a mapping";
    default:
      return expected;
  }
}

/**
 * `expected` in words, against what is there. Text is not quoted where a mapping or a list belongs: it may be a secret
 * that slipped one level up.
 */
export function expectation(expected: string, input: unknown): string {
  if (input === undefined) return `is missing: expected ${expected}`;
  if (input === null) return `is empty: expected ${expected}`;
  if (expected === "a mapping" || expected === "a list") return `expected ${expected}, not ${kindOf(input)}`;
  const hint =
    expected === "text" && typeof input !== "object" ? `; write "${String(input)}", in quotes` : "";
  return `expected ${expected}, not ${showValue(input)}${hint}`;
}

function kindOf(value: unknown): string {
  if (typeof value === "string") return "text";
  return typeof value === "object" ? showValue(value) : "a single value";
}

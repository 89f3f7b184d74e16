import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseAllDocuments,
  type Node as YamlNode,
} from "yaml";
import type { FaultKind } from "./fault-kind.ts";

/** A way down from the document's root: keys of mappings, positions in lists. */
export type ValuePath = readonly (string | number)[];

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

export interface YamlFault extends Position {
  readonly kind: FaultKind;
  readonly path: ValuePath;
  readonly message: string;
}

/** A mapping as read: no prototype, so that no key of the file can mean more than itself. */
export type RawMapping = Readonly<Record<string, unknown>>;

export interface YamlDocument {
  /** Plain values; undefined when the text is no YAML document, or more than one. */
  readonly value: unknown;
  readonly faults: readonly YamlFault[];
  /** Where the value at `path` stands, or its key; the nearest enclosing thing where there is no such value. */
  locate(path: ValuePath, part: "key" | "value"): Position;
}

/** More than any real configuration; what an alias bomb would need. */
const MAX_ALIASED_NODES = 100_000;
const MAX_DEPTH = 64;

/** Messages of these kinds name only YAML's own signs. All others may quote the text, which could be a secret. */
const QUOTES_NOTHING: ReadonlySet<string> = new Set([
  "BAD_INDENT",
  "BLOCK_IN_FLOW",
  "KEY_OVER_1024_CHARS",
  "MISSING_CHAR",
  "MULTILINE_IMPLICIT_KEY",
]);

const OWN_WORDS: Readonly<Record<string, string>> = {
  BAD_ALIAS: "a name must follow & or *; put text that begins with one of them in quotes",
  BAD_DIRECTIVE: "this % directive is not understood",
  BAD_DQ_ESCAPE: "invalid escape in a double-quoted text; use single quotes or double the backslash",
  BLOCK_AS_IMPLICIT_KEY: "a second `: ` on one line; put text that holds it in quotes, or begin a new line",
  BAD_SCALAR_START: "text cannot begin with this character; put it in quotes",
  RESOURCE_EXHAUSTION: "nested too deeply",
  TAB_AS_INDENT: "tabs are not allowed as indentation; use spaces",
  TAG_RESOLVE_FAILED: "tags are not supported; put text that begins with ! in quotes",
};

/** Reads one YAML 1.2 document into plain values, with every fault of its form. No message quotes a value. */
export function readYaml(text: string): YamlDocument {
  const lines = new LineCounter();
  const positionAt = (offset: number): Position => {
    const { line, col } = lines.linePos(Math.max(0, offset));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const nothing = (fault: YamlFault): YamlDocument => ({
    value: undefined,
    faults: [fault],
    locate: () => ({ line: 1, column: 1 }),
  });

  let documents: readonly Document.Parsed[];
  try {
    const parsed = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
    documents = Array.isArray(parsed) ? parsed : [];
  } catch (error) {
    // The parser descends by recursion; nothing else in it throws.
    if (!(error instanceof RangeError)) throw error;
    return nothing({ kind: "not-yaml", path: [], line: 1, column: 1, message: "nested too deeply" });
  }

  const syntax = syntaxFaults(documents, positionAt);
  const [document, second] = documents;
  if (syntax.length > 0) return { ...nothing(syntax[0] as YamlFault), faults: syntax };
  if (document === undefined || isEmpty(document)) {
    return nothing({
      kind: "not-yaml",
      path: [],
      line: 1,
      column: 1,
      message: "the file is empty; a configuration needs at least `routes` and `credentials`",
    });
  }
  if (second !== undefined) {
    const position = positionAt(second.range[0]);
    return nothing({
      kind: "not-yaml",
      path: [],
      ...position,
      message: "expected one YAML document, but `---` starts another",
    });
  }

  const root = document.contents as YamlNode | null;
  const conversion = convert(root, positionAt);
  return {
    value: conversion.value,
    faults: conversion.faults,
    locate: (path, part) => positionAt(offsetOf(root, path, part, conversion.anchors)),
  };
}

/** The first fault of each line: what follows on the same line is mostly its echo. */
function syntaxFaults(
  documents: readonly Document.Parsed[],
  positionAt: (offset: number) => Position,
): YamlFault[] {
  const byLine = new Map<number, YamlFault>();
  for (const document of documents) {
    for (const error of [...document.errors, ...document.warnings]) {
      const position = positionAt(error.pos[0]);
      const plain = QUOTES_NOTHING.has(error.code) ? lowerFirst(error.message) : OWN_WORDS[error.code];
      const message = `not valid YAML: ${plain ?? "unexpected text here; check the line's quotes, brackets and indentation"}`;
      if (!byLine.has(position.line))
        byLine.set(position.line, { kind: "not-yaml", path: [], ...position, message });
    }
  }
  return [...byLine.values()];
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function isEmpty(document: Document.Parsed): boolean {
  const { contents } = document;
  return (
    contents === null || (isScalar(contents) && contents.value === null && (contents.source ?? "") === "")
  );
}

interface Conversion {
  readonly value: unknown;
  readonly faults: readonly YamlFault[];
  readonly anchors: ReadonlyMap<unknown, YamlNode>;
}

/** Nodes to plain values: duplicate keys reported, aliases followed within bounds. */
function convert(root: YamlNode | null, positionAt: (offset: number) => Position): Conversion {
  const faults: YamlFault[] = [];
  const anchored = new Map<string, YamlNode>();
  const anchors = new Map<unknown, YamlNode>();
  const open = new Set<unknown>();
  let aliasedNodes = 0;
  let bombReported = false;

  function fault(node: unknown, path: ValuePath, message: string, kind: FaultKind = "not-yaml"): undefined {
    faults.push({ kind, path, ...positionAt(startOf(node)), message });
  }

  function visit(node: unknown, path: (string | number)[], inAlias: boolean): unknown {
    if (inAlias && ++aliasedNodes > MAX_ALIASED_NODES) return undefined;
    if (path.length > MAX_DEPTH) return fault(node, path.slice(0, 3), "nested too deeply");
    if (isAlias(node)) return visitAlias(node, path);
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined)
      anchored.set(node.anchor, node);
    if (isScalar(node)) return node.value;
    open.add(node);
    let value: unknown;
    if (isMap(node)) value = visitMap(node.items, path, inAlias);
    else if (isSeq(node)) value = node.items.map((item, index) => visit(item, [...path, index], inAlias));
    else value = null;
    open.delete(node);
    return value;
  }

  function visitAlias(node: { readonly source: string }, path: (string | number)[]): unknown {
    const target = anchors.get(node) ?? anchored.get(node.source);
    if (target === undefined) {
      return fault(node, path, "this alias names no anchor; put text that begins with * in quotes");
    }
    if (open.has(target)) return fault(node, path, "this alias stands inside of what it refers to");
    anchors.set(node, target);
    const value = visit(target, path, true);
    if (aliasedNodes > MAX_ALIASED_NODES && !bombReported) {
      bombReported = true;
      return fault(node, path, `aliases stand for more than ${MAX_ALIASED_NODES} values`);
    }
    return value;
  }

  function visitMap(items: readonly Pair[], path: (string | number)[], inAlias: boolean): RawMapping {
    const mapping: Record<string, unknown> = Object.create(null);
    for (const { key: keyNode, value } of items) {
      const key = keyOf(keyNode);
      if (key === undefined) {
        fault(keyNode, path, "a key must be plain text");
      } else if (key === "__proto__") {
        fault(keyNode, [...path, key], "unknown key", "unknown-key");
      } else if (Object.hasOwn(mapping, key)) {
        fault(keyNode, [...path, key], "is given twice; keep one", "duplicate-key");
      } else {
        mapping[key] = value === null ? null : visit(value, [...path, key], inAlias);
      }
    }
    return mapping;
  }

  return { value: visit(root, [], false), faults, anchors };
}

/** A key as written: a tenant named 0012 is not the number 12. */
function keyOf(node: unknown): string | undefined {
  if (!isScalar(node)) return undefined;
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}

function startOf(node: unknown): number {
  const range = (node as { readonly range?: readonly [number, number, number] | null } | null)?.range;
  return range?.[0] ?? 0;
}

function offsetOf(
  root: unknown,
  path: ValuePath,
  part: "key" | "value",
  anchors: ReadonlyMap<unknown, YamlNode>,
): number {
  let node: unknown = root;
  let keyOffset = startOf(root);
  let valueOffset = keyOffset;
  for (const step of path) {
    const resolved = anchors.get(node) ?? node;
    if (isMap(resolved)) {
      const pair = resolved.items.find(({ key }) => keyOf(key) === step);
      // A key that is missing is missed where its mapping is named.
      if (pair === undefined) return keyOffset;
      node = pair.value;
      keyOffset = startOf(pair.key);
      valueOffset = pair.value === null ? keyOffset : startOf(pair.value);
    } else if (isSeq(resolved) && typeof step === "number" && step < resolved.items.length) {
      node = resolved.items[step];
      keyOffset = startOf(node);
      valueOffset = keyOffset;
    } else {
      return valueOffset;
    }
  }
  return part === "key" ? keyOffset : valueOffset;
}

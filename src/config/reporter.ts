import type { Fault } from "./fault.ts";
import type { FaultKind } from "./fault-kind.ts";
import { printable } from "./printable.ts";
import type { Position, ValuePath } from "./yaml-document.ts";

/** Collects what is wrong, so that one run tells everything. */
export interface Reporter {
  /** `part` says what the position points at: the value (default), or its key where the key is the trouble. */
  fault(kind: FaultKind, path: ValuePath, message: string, part?: "key" | "value"): void;
  warn(kind: FaultKind, path: ValuePath, message: string, part?: "key" | "value"): void;
  /** A fault that has a position of its own. */
  faultAt(kind: FaultKind, position: Position, path: ValuePath, message: string): void;
  /** A fault of an environment variable, which has no place in the file. */
  faultInEnvironment(kind: FaultKind, name: string, message: string): void;
  /** In the order of the file. */
  faults(): readonly Fault[];
  warnings(): readonly Fault[];
}

export function createReporter(
  file: string,
  locate: (path: ValuePath, part: "key" | "value") => Position,
): Reporter {
  const faults = new Map<string, Fault>();
  const warnings = new Map<string, Fault>();

  // One cause can be met on several ways (10 000 tenants that share one address): it is one fault.
  function add(
    to: Map<string, Fault>,
    kind: FaultKind,
    position: Position,
    path: string,
    message: string,
  ): void {
    const { line, column } = position;
    const key = `${line}:${column} ${path} ${message}`;
    if (!to.has(key)) to.set(key, { file, line, column, path, kind, message });
  }

  return {
    fault: (kind, path, message, part = "value") =>
      add(faults, kind, locate(path, part), showPath(path), message),
    warn: (kind, path, message, part = "value") =>
      add(warnings, kind, locate(path, part), showPath(path), message),
    faultAt: (kind, position, path, message) => add(faults, kind, position, showPath(path), message),
    faultInEnvironment: (kind, name, message) => add(faults, kind, { line: 1, column: 1 }, name, message),
    faults: () => inOrder(faults),
    warnings: () => inOrder(warnings),
  };
}

function inOrder(faults: ReadonlyMap<string, Fault>): readonly Fault[] {
  return [...faults.values()].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** `credentials.qmatic.tenants["a b"].account`, `routes[0].path`. */
export function showPath(path: ValuePath): string {
  let shown = "";
  for (const step of path) {
    if (typeof step === "number") shown += `[${step}]`;
    else if (/^[\w-]{1,64}$/.test(step)) shown += shown === "" ? step : `.${step}`;
    else shown += `["${printable(step.length > 64 ? `${step.slice(0, 64)}…` : step)}"]`;
  }
  return shown;
}

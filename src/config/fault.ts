import { FAULTS_PAGE, type FaultKind, type Wrong } from "./fault-kind.ts";
import { printable } from "./printable.ts";

/** One thing that is wrong with a configuration, and where. Never holds the value of a secret. */
export interface Fault {
  /** The file as it was named by the person who runs the program. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** `routes[0].path`, the name of an environment variable, or "" for the document as a whole. */
  readonly path: string;
  /** The anchor of the section in docs/reference/errors.md that says more. */
  readonly kind: FaultKind;
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** A place in the configuration file, as faults name it. */
export interface Place extends Omit<Fault, "kind" | "message"> {
  /** False: nothing is written at `path`, and line and column are of the nearest thing around it. */
  readonly isWritten: boolean;
}

/** `file:line:column path`, always on one line. */
export function formatPlace({ file, line, column, path }: Omit<Fault, "kind" | "message">): string {
  return printable(`${file}:${line}:${column}${path === "" ? "" : ` ${path}`}`);
}

/** `file:line:column path: message`, always on one line; the message ends with the section that says more. */
export function formatFault(fault: Fault): string {
  return printable(`${formatPlace(fault)}: ${withSection(fault)}`);
}

/** `message [errors.md#kind]`. */
export function withSection({ kind, message }: Wrong): string {
  return `${message} [${FAULTS_PAGE}#${kind}]`;
}

/**
 * The configuration, or a secret that it refers to, cannot be used. The message is for a person: one line for each
 * fault. The command line ends with exit code 2.
 */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** Empty when the error is not about a place in the file: a missing file, an unreadable secret. */
  readonly faults: readonly Fault[];
  /** What is wrong where no place can be named, without its section; undefined where there are faults. */
  readonly wrong: Wrong | undefined;

  constructor(problem: Wrong | readonly Fault[], options?: { readonly cause?: unknown }) {
    super("kind" in problem ? printable(problem.message) : problem.map(formatFault).join("\n"), options);
    this.faults = "kind" in problem ? [] : problem;
    this.wrong = "kind" in problem ? problem : undefined;
  }
}

/** The error's message; of a configuration always with the section that says more. */
export function explained(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if (!(error instanceof ConfigError) || error.wrong === undefined) return error.message;
  return withSection({ kind: error.wrong.kind, message: error.message });
}

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
  /** What is wrong and what would be right. */
  readonly message: string;
}

/** A place in the configuration file, as faults name it. */
export interface Place extends Omit<Fault, "message"> {
  /** False: nothing is written at `path`, and line and column are of the nearest thing around it. */
  readonly isWritten: boolean;
}

/** `file:line:column path`, always on one line. */
export function formatPlace({ file, line, column, path }: Omit<Fault, "message">): string {
  return printable(`${file}:${line}:${column}${path === "" ? "" : ` ${path}`}`);
}

/** `file:line:column path: message`, always on one line. */
export function formatFault(fault: Fault): string {
  return printable(`${formatPlace(fault)}: ${fault.message}`);
}

/**
 * The configuration, or a secret that it refers to, cannot be used. The message is for a person: one line for each
 * fault. The command line ends with exit code 2.
 */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  /** Empty when the error is not about a place in the file: a missing file, an unreadable secret. */
  readonly faults: readonly Fault[];

  constructor(problem: string | readonly Fault[], options?: { readonly cause?: unknown }) {
    super(typeof problem === "string" ? printable(problem) : problem.map(formatFault).join("\n"), options);
    this.faults = typeof problem === "string" ? [] : problem;
  }
}

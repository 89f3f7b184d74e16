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

/** `file:line:column path: message`, always on one line. */
export function formatFault(fault: Fault): string {
  const subject = fault.path === "" ? "" : ` ${fault.path}`;
  return printable(`${fault.file}:${fault.line}:${fault.column}${subject}: ${fault.message}`);
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

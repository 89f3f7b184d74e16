import { ConfigError, explained } from "../src/config/fault.ts";

/** 0 fine · 1 runtime failure · 2 configuration or usage error. */
export const EXIT = { ok: 0, failure: 1, usage: 2 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A failure with a message for a person and its exit code. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: ExitCode;

  constructor(message: string, exitCode: ExitCode = EXIT.failure, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode;
  return error instanceof ConfigError ? EXIT.usage : EXIT.failure;
}

/** What was thrown, as the text for standard error: one line each, and a stack trace only where it was asked for. */
export function describeError(error: unknown, debug: boolean): string {
  if (!(error instanceof Error)) return `pillion: ${String(error)}\n`;
  const faults = error instanceof ConfigError && error.faults.length > 0;
  const text = faults ? error.message : `pillion: ${explained(error)}`;
  return debug && error.stack !== undefined ? `${text}\n${error.stack}\n` : `${text}\n`;
}

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    "the address is taken by another process. End that one, or choose another port (0 picks a free one)",
  EACCES: "this user may not open it. Choose a port above 1023, or a directory that the user may write to",
  EADDRNOTAVAIL: "this machine does not have it. Use 127.0.0.1, or one of its own addresses",
  ENOENT: "its directory does not exist",
};

/** Node's error of an address that cannot be had, in words. */
export function listenError(error: unknown): CommandError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const address = error instanceof Error && "address" in error ? String(error.address) : "";
  const port = error instanceof Error && "port" in error ? `:${String(error.port)}` : "";
  const reason = LISTEN_REASONS[code] ?? (error instanceof Error ? error.message : "unknown");
  return new CommandError(`cannot listen on ${address}${port}: ${reason}`, EXIT.failure, { cause: error });
}

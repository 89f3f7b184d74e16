import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";

/** Of a configuration: room for far more than 10 000 tenants. */
export const MAX_CONFIG_BYTES = 64 * 1_024 * 1_024;

export interface DirectoryEntry {
  readonly name: string;
  /** Also true for a symbolic link to a directory. */
  readonly isDirectory: boolean;
}

/** What the configuration asks of a file system; handed in so that embedders can answer from elsewhere. */
export interface Files {
  /**
   * The text of a regular file. Throws Node's errors (`code` ENOENT, EACCES, …), or `FileError` for what is no regular
   * file, not UTF-8, or larger than `maxBytes`.
   */
  readFile(path: string, maxBytes: number): string;
  readDirectory(path: string): readonly DirectoryEntry[];
}

/** A file that is there, yet not what was asked for. */
export class FileError extends Error {
  override readonly name = "FileError";
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  ELOOP: "its symbolic links go in a circle",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "no such file or directory",
  ENOTDIR: "a part of the path is not a directory",
  EPERM: "permission denied",
};

/** Why a file could not be read, in words. */
export function reasonOf(error: unknown): string {
  if (error instanceof FileError) return error.message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return REASONS[code] ?? (code === "" ? "it cannot be read" : `it cannot be read (${code})`);
}

/** The machine's file system. */
export const systemFiles: Files = {
  readFile(path, maxBytes) {
    // Non-blocking, so that a named pipe cannot hold up the process for ever.
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = fstatSync(descriptor);
      if (stats.isDirectory()) throw new FileError("it is a directory");
      if (!stats.isFile()) throw new FileError("it is not a regular file");
      return decode(readUpTo(descriptor, maxBytes));
    } finally {
      closeSync(descriptor);
    }
  },
  readDirectory(path) {
    return readdirSync(path, { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      isDirectory: entry.isDirectory() || (entry.isSymbolicLink() && isDirectory(join(path, entry.name))),
    }));
  },
};

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Reads to the end rather than to the size, which is 0 for files that the kernel makes up. */
function readUpTo(descriptor: number, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  let total = 0;
  while (true) {
    const chunk = Buffer.allocUnsafe(Math.min(65_536, maxBytes + 1));
    const length = readSync(descriptor, chunk);
    if (length === 0) return Buffer.concat(chunks);
    total += length;
    if (total > maxBytes) throw new FileError(`it is larger than ${maxBytes} bytes`);
    chunks.push(chunk.subarray(0, length));
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FileError("it is not UTF-8 text", { cause });
  }
}

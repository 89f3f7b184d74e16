import { writeSync } from "node:fs";

const STANDARD_OUTPUT = 1;
const BUSY_PAUSE_MS = 20;

/** Writes bytes to a file descriptor, returns how many went, and throws Node's error, as `writeSync` does. */
export type Write = (fd: number, bytes: Buffer) => number;

/**
 * Log lines to standard output, each whole before `write` returns, so that the last words are not lost. Never throws: a
 * full disk, or a reader that went away, costs the lines of that time, and the requests go on. A line that was cut is
 * ended before the next one.
 */
export function createStandardOutput(write: Write = writeSync): { write(line: string): void } {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let isCut = false;
  return {
    write(line) {
      let bytes = Buffer.from(isCut ? `\n${line}` : line);
      while (bytes.length > 0) {
        try {
          bytes = bytes.subarray(write(STANDARD_OUTPUT, bytes));
          isCut = bytes.length > 0;
        } catch (error) {
          // A pipe that does not block is full for the moment; one that blocks would wait just so.
          if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return;
          Atomics.wait(pause, 0, 0, BUSY_PAUSE_MS);
        }
      }
    },
  };
}

/** Reasons that people meet; others keep Node's own word for them. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on the device",
  EIO: "the device fails",
};

/**
 * Watches the two streams that a command writes to, whose errors would otherwise end it with a stack trace. A reader who
 * has seen enough (`pillion schema | head -1`) changes nothing: the exit code is the command's own. What else keeps
 * standard output from being written is one line on standard error, and exit code 1 instead of 0.
 */
export function watchOutput({ stdout, stderr }: NodeJS.Process): void {
  let isTold = false;
  stdout.on("error", ({ code = "unknown" }: NodeJS.ErrnoException) => {
    if (code === "EPIPE" || isTold) return;
    isTold = true;
    stderr.write(`pillion: cannot write to standard output: ${REASONS[code] ?? code}\n`);
    // Only now is it known what the command itself ends with.
    process.once("exit", () => {
      process.exitCode ||= 1;
    });
  });
  // There is nowhere left to say it.
  stderr.on("error", () => {});
}

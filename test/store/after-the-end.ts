/** Whether a store that was closed leaves a process anything to stay for. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SCRIPT = fileURLToPath(new URL("redis-end.ts", import.meta.url));
/** Far more than the start of a process takes, and less than what would end by itself some day. */
const PATIENCE_MS = 15_000;

/**
 * Uses and closes the store of each URL in a process that does no more. Gives what became of each, and last what was left
 * open; rejects when the process does not end by itself.
 */
export async function afterTheEnd(...urls: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, ...urls], { timeout: PATIENCE_MS });
  return stdout.trimEnd().split("\n");
}

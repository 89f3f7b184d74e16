/**
 * What callers can make the proxy spend, measured on the real process and held to its limits.
 *
 *     node bench/bounds.ts [slow-heads] [slow-readers] [aborts] [reloads] [sigterm] [--scale 1]
 *
 * Without a name all of them, which takes about two minutes. `--scale 0.02` is a quick look at whether they work. Each
 * ends by itself; exit code 1 when one is above its limit. Loopback only, on Linux.
 */
import { parseArgs } from "node:util";
import { aborts } from "./bounds/aborts.ts";
import type { Finding, Scale } from "./bounds/finding.ts";
import { reloads, sigterm } from "./bounds/restarts.ts";
import { slowHeads } from "./bounds/slow-heads.ts";
import { slowReaders } from "./bounds/slow-readers.ts";

const measurements: Readonly<Record<string, (scale: Scale) => Promise<Finding>>> = {
  "slow-heads": slowHeads,
  "slow-readers": slowReaders,
  aborts,
  reloads,
  sigterm,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { scale: { type: "string", default: "1" } },
});
const scale = Number(values.scale);
if (!(scale > 0 && scale <= 1)) throw new Error("--scale takes a number above 0, 1 at most");

for (const name of positionals.length > 0 ? positionals : Object.keys(measurements)) {
  const measure = measurements[name];
  if (measure === undefined) throw new Error(`measurements: ${Object.keys(measurements).join(", ")}`);
  const { ok, text } = await measure({ scale });
  console.log(`${ok ? "ok " : "BAD"} ${name}: ${text}`);
  if (!ok) process.exitCode = 1;
}

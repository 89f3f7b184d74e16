#!/usr/bin/env node
import { nodeVersionFault } from "../src/core/node-version.ts";

// Node opens a debugger at SIGUSR1 unless somebody listens. First of all, for the signal may come at any time; one that
// was earlier still has opened it, and then nothing starts (cmd/shut-doors.ts).
process.on("SIGUSR1", () => {});

const fault = nodeVersionFault(process.versions.node);
if (fault === undefined) {
  // Loaded only now: what it imports may need the very Node that was asked for.
  const { execute } = await import("./program.ts");
  process.exitCode = await execute(process.argv);
} else {
  process.stderr.write(`pillion: ${fault}\n`);
  process.exitCode = 2;
}

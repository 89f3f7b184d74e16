#!/usr/bin/env node
import { nodeVersionFault } from "../src/core/node-version.ts";

const fault = nodeVersionFault(process.versions.node);
if (fault === undefined) {
  // Loaded only now: what it imports may need the very Node that was asked for.
  const { execute } = await import("./program.ts");
  process.exitCode = await execute(process.argv);
} else {
  process.stderr.write(`pillion: ${fault}\n`);
  process.exitCode = 2;
}

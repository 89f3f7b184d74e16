import { ConfigError, type Fault, formatFault } from "../../src/config/fault.ts";
import { systemFiles } from "../../src/config/files.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { requireReadable } from "../../src/config/readable.ts";
import { createSecretSource } from "../../src/config/secret-source.ts";
import { silentLogger } from "../../src/core/log.ts";
import { providers } from "../../src/provider/index.ts";
import type { FaultText } from "./fault-texts.ts";

const FILE = "pillion.yaml";

/** What a sample really gets, with its line as `check --secrets` prints it. */
export interface FaultLine {
  readonly fault: Fault;
  readonly line: string;
}

/** Every fault of a sample; where it has none its warnings; where it has none of these either, what cannot be read. */
export function faultLines({ sample, env = {} }: Pick<FaultText, "sample" | "env">): readonly FaultLine[] {
  const surroundings = { file: FILE, directory: "/", providers, env, files: systemFiles };
  const { config, faults, warnings } = parseConfig(sample, surroundings);
  if (config === undefined) return faults.map((fault) => ({ fault, line: formatFault(fault) }));
  if (warnings.length > 0)
    return warnings.map((fault) => ({ fault, line: `warning: ${formatFault(fault)}` }));
  try {
    requireReadable(config, FILE, createSecretSource({ env, files: systemFiles, log: silentLogger }), sample);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((fault) => ({ fault, line: formatFault(fault) }));
  }
  return [];
}

import type { ValueReference } from "../config/config.ts";
import type { SecretSource } from "../config/secret-source.ts";
import type { Fault } from "./finding.ts";

/** What of these cannot be read, and how it is mended; undefined: all of it can. */
export function unreadable(secrets: SecretSource, references: readonly ValueReference[]): Fault | undefined {
  const kept = references.filter((reference) => reference.kind !== "literal");
  const faults = secrets.resolveAll(kept);
  if (faults.length === 0) return undefined;
  const steps = new Set(
    faults.map(({ reference }) =>
      reference.kind === "env"
        ? `set ${reference.name} for this process`
        : "write the file, readable by the user that Pillion runs as",
    ),
  );
  return { reason: faults.map(({ message }) => message).join("; "), hint: [...steps].join("; ") };
}

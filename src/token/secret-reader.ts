import type { SecretReference, ValueReference } from "../config/config.ts";
import type { Secret } from "../core/secret.ts";

/** Where secrets come from. Cheap to ask: it is asked for every request. */
export interface SecretReader {
  /** The present value: the same object until it changes. Throws while there is none. */
  read(ref: SecretReference): Secret;
  /** Reads again now; true when the value changed. */
  refresh(ref: SecretReference): boolean;
}

/** The text of a value that may be written out in the configuration. Throws as `read` does. */
export function readValue(secrets: SecretReader, ref: ValueReference): string {
  return ref.kind === "literal" ? ref.value : secrets.read(ref).reveal();
}

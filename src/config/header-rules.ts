import { z } from "zod";
import type { HeaderEdits } from "./config.ts";
import { customIssue } from "./fault-kind.ts";
import type { Reporter } from "./reporter.ts";
import { fieldName, fieldValue } from "./value-schemas.ts";
import type { ValuePath } from "./yaml-document.ts";

/** Fields that frame a message or belong to one connection (RFC 9110 §7.6.1); the proxy makes them itself. */
const CONNECTION_FIELDS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
]);

/** Why no configuration may touch this field; undefined when it may. `name` is lower-case. */
export function reservedField(name: string): string | undefined {
  if (CONNECTION_FIELDS.has(name)) return "the proxy makes this field itself";
  return name.startsWith("pillion-") ? "fields named Pillion-… are the proxy's own" : undefined;
}

/** The name of a field that a configuration may set, remove or inject. */
export const editableField = fieldName.superRefine((name, context) => {
  const reason = reservedField(name.toLowerCase());
  if (reason === undefined) return;
  context.addIssue(customIssue("reserved-name", `cannot be ${name}: ${reason}`));
});

export const headerEdits = z.strictObject({
  set: z
    .record(editableField, fieldValue)
    .prefault({})
    .describe(
      "Fields to set, name to value; they replace fields of the same name. Not for secrets: use a credential of provider static.",
    )
    .meta({ examples: [{ "X-Client": "appointments" }] }),
  remove: z
    .array(editableField)
    .prefault([])
    .describe("Names of fields to remove, before any is set.")
    .meta({ examples: [["X-Debug"]] }),
});

export interface HeaderEditRules {
  /** Why this field cannot be set (lower-case name); undefined when it can. */
  refuseSet(name: string): string | undefined;
}

/** Checks edits against the rules of their direction, and flattens them. */
export function readHeaderEdits(
  edits: z.output<typeof headerEdits>,
  path: ValuePath,
  rules: HeaderEditRules,
  report: Reporter,
): HeaderEdits {
  const seen = new Set<string>();
  const set: string[] = [];
  for (const [field, value] of Object.entries(edits.set)) {
    const name = field.toLowerCase();
    const reason = rules.refuseSet(name);
    const at = [...path, "set", field];
    if (reason !== undefined) report.fault("reserved-name", at, `cannot be set: ${reason}`, "key");
    else if (seen.has(name)) report.fault("duplicate-key", at, "is set twice; names have no case", "key");
    seen.add(name);
    set.push(field, value);
  }
  return { set, remove: new Set(edits.remove.map((field) => field.toLowerCase())) };
}

/** Fields that would grant other origins what `access.origins` grants, or speak for the proxy. */
export function refuseResponseField(name: string): string | undefined {
  if (name.startsWith("access-control-")) return "list the origin under access.origins instead";
  if (name === "proxy-status") return "it marks the proxy's own errors";
  return undefined;
}

/** Fields of a request that a credential states, or that would be a secret in plain sight. */
export function refuseRequestField(injected: ReadonlySet<string>, tenantHeader: string | undefined) {
  return (name: string): string | undefined => {
    if (injected.has(name)) return "the route's credential injects it";
    if (name === tenantHeader) return "it names the tenant and never reaches the upstream";
    return name === "authorization" ? "use a credential; of provider static for a fixed value" : undefined;
  };
}

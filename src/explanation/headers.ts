import { isDroppedByName, REQUEST_FIELDS } from "../proxy/fields.ts";
import { buildRequestHeaders } from "../proxy/headers.ts";
import type { RequestHead } from "../proxy/request-head.ts";
import type { RouteEntry } from "../proxy/route-table.ts";
import type { Injection } from "../token/token-source.ts";
import type { HeaderChanges } from "./explanation.ts";

const PLACEHOLDER_ID = "request-id";

/** What the outbound list, as the data plane builds it, has more and less than the caller's. `host` is always replaced. */
export function headerChanges(
  head: RequestHead,
  entry: RouteEntry,
  ownId: string | undefined,
  injection: Injection | undefined,
): HeaderChanges {
  const outbound = namesOf(buildRequestHeaders(head, entry, ownId ?? PLACEHOLDER_ID, injection));
  // The proxy's own come last, whatever the caller sent: so the list without the caller's is the other's end.
  const bare: RequestHead = { ...head, fields: [], contentLength: undefined, takesTrailers: false };
  const own = namesOf(buildRequestHeaders(bare, entry, ownId ?? PLACEHOLDER_ID, injection));
  const passed = new Set(outbound.slice(0, outbound.length - own.length).map(lowerCase));
  const isIdPassed = ownId !== undefined && own.some((name) => lowerCase(name) === "x-request-id");
  if (isIdPassed) passed.add("x-request-id");
  const written = spellings(entry);
  const made = own.filter((name) => !(isIdPassed && lowerCase(name) === "x-request-id"));
  return {
    set: unique(["Host", ...made.map((name) => written.get(lowerCase(name)) ?? name)]),
    removed: unique(namesOf(head.raw).filter((name) => !passed.has(lowerCase(name)) && !isReframed(name))),
  };
}

/** Made anew for this hop from what the caller sent, rather than taken away. */
function isReframed(name: string): boolean {
  return ["host", "transfer-encoding", "expect"].includes(lowerCase(name));
}

/** Why a field is not passed on, for people; the data plane decides by the same tables. */
export function removalReason(name: string, head: RequestHead, entry: RouteEntry): string {
  const lower = lowerCase(name);
  const { route } = entry;
  const role = REQUEST_FIELDS.get(lower);
  if (lower.startsWith("pillion-") || role === "pillion-access" || role === "pillion-session")
    return "for the proxy itself";
  if (lower.startsWith("x-forwarded-") || FORWARDING.has(lower))
    return "the caller's word on where it is from";
  if (role === "authorization" || lower === "x-account" || lower === "x-tenant-id")
    return "only the proxy states an identity";
  if (role === "cookie") return "holds the proxy's own cookies alone";
  if (role === "origin" || lower.startsWith("access-control-request-")) return "judged here";
  if (role === "x-request-id") return "a fresh one is made";
  if (lower.startsWith("x-") && role === "drop") return "would steer the upstream past the route's rules";
  if (role !== undefined) return "hop-by-hop";
  if (isDroppedByName(lower)) return "an underscore can pass for a dash";
  if (route.tenant.kind === "header" && route.tenant.name === lower) return "it names the tenant";
  if (route.requestHeaders.remove.has(lower)) return "request_headers.remove";
  if (namesOf(route.requestHeaders.set).some((set) => lowerCase(set) === lower)) return "request_headers.set";
  if (route.credential?.injectedFields.includes(lower) === true) return "the credential injects it";
  if (lower === "accept-encoding" && route.rewriteUrls) return "rewrite_urls";
  return head.fields.includes(lower) ? "dropped on this route" : "named by Connection";
}

const FORWARDING: ReadonlySet<string> = new Set(["forwarded", "x-real-ip"]);

/** How people write the fields that travel in lower case. */
function spellings({ route }: RouteEntry): ReadonlyMap<string, string> {
  const specs = [route.credential?.spec, ...(route.credential?.tenants?.values() ?? [])];
  const fixed = specs.flatMap((spec) => (spec?.kind === "static" ? [spec.header] : []));
  const names = ["Authorization", "X-ACCOUNT", "X-TENANT-ID", "Via", "X-Request-Id", ...fixed];
  return new Map(names.map((name) => [lowerCase(name), name]));
}

function namesOf(flat: readonly string[]): string[] {
  return flat.filter((_, index) => index % 2 === 0);
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Map(names.map((name) => [lowerCase(name), name])).values()];
}

function lowerCase(name: string): string {
  return name.toLowerCase();
}

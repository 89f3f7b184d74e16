import type { Route } from "../config/config.ts";
import type { OriginVerdict } from "../proxy/access.ts";
import type { RequestHead } from "../proxy/request-head.ts";
import { operationPaths, type RouteEntry } from "../proxy/route-table.ts";
import type { RouteMatch } from "../proxy/router.ts";
import type { Target } from "../proxy/target.ts";
import type { Explanation } from "./explanation.ts";

export function describeOrigin({ origin, secFetchSite }: RequestHead, verdict: OriginVerdict): string {
  if (verdict.kind === "listed") return `${verdict.origin} is listed: its pages may read the answer (CORS)`;
  if (verdict.kind === "navigation") return "a link of another site, which some routes take";
  if (origin !== undefined) return `${origin} is the proxy's own`;
  return `no Origin${secFetchSite === undefined ? " and no Sec-Fetch-Site" : ""}: no page of another site asks`;
}

export function describeTarget({ path, decodedPath, query }: Target): string {
  const judged = decodedPath === path ? "" : `, judged as ${decodedPath}`;
  return `${path}${query} is unambiguous and goes on byte for byte${judged}`;
}

export function describeOperation(match: RouteMatch<RouteEntry>, method: string): string {
  const { allow, deny } = match.route.route;
  const { below } = operationPaths(match);
  if (allow === undefined && deny.length === 0) return `${method} ${below}: neither allow nor deny is set`;
  return `${method} ${below} is ${allow === undefined ? "" : "among allow and "}not among deny`;
}

/** All tenants of a credential are of one kind. */
export function grantKind({ credential }: Route): Explanation["grant"] {
  if (credential === undefined) return "none";
  const [first] = credential.tenants?.values() ?? [];
  return credential.spec?.kind ?? first?.kind;
}

export const TENANT_RULES = {
  none: "no rule",
  fixed: "the route's fixed name",
  path: "its segment of the path",
  header: "its header field",
  host: "the Host",
} as const;

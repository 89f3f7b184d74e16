import type { Route } from "../config/config.ts";
import { ProxyError } from "../core/errors.ts";
import { matchHostPattern } from "./access.ts";
import type { RequestHead } from "./request-head.ts";

/**
 * Which tenant a request is for, by the route's rule and nothing else: there is never a default one. Undefined for a
 * route without tenants. Throws TENANT_REQUIRED when the request does not say, or says it twice; whether the tenant
 * exists is the caller's question.
 */
export function chooseTenant(
  route: Route,
  head: RequestHead,
  pathTenant: string | undefined,
): string | undefined {
  const rule = route.tenant;
  switch (rule.kind) {
    case "none":
      return undefined;
    case "fixed":
      return rule.tenant;
    case "path":
      return pathTenant;
    case "header":
      return byHeader(rule.name, head);
    case "host": {
      const tenant = matchHostPattern(rule, head.host);
      if (tenant === undefined) {
        throw new ProxyError(
          "TENANT_REQUIRED",
          `The Host must name the tenant, as ${rule.prefix}{tenant}${rule.suffix}.`,
        );
      }
      return tenant;
    }
  }
}

/** Reads the raw list: the tenant's field is for this hop, and may be one of those that never go on. */
function byHeader(name: string, head: RequestHead): string {
  let tenant: string | undefined;
  for (let index = 0; index < head.raw.length; index += 2) {
    if ((head.raw[index] as string).toLowerCase() !== name) continue;
    if (tenant !== undefined)
      throw new ProxyError("TENANT_REQUIRED", `The ${name} field must name one tenant, once.`);
    tenant = head.raw[index + 1];
  }
  if (tenant === undefined || tenant === "") {
    throw new ProxyError("TENANT_REQUIRED", `The ${name} field must name the tenant.`);
  }
  return tenant;
}

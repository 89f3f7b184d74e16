import type { Route } from "../config/config.ts";
import { printable } from "../config/printable.ts";
import { defaultDenials } from "../config/route.ts";
import { METHODS, parseOperation } from "../config/route-path.ts";
import { closestOf } from "../config/suggestion.ts";
import type { ValuePath } from "../config/yaml-document.ts";
import type { ProxyError } from "../core/errors.ts";
import { createDenial } from "../proxy/operation.ts";
import { operationPaths } from "../proxy/route-table.ts";
import type { Refused, Remedy } from "./explanation.ts";
import { nearestRoute } from "./nearest.ts";

export function routeRemedy({ config, target }: Refused): Remedy {
  const path = target?.decodedPath ?? "";
  const near = nearestRoute(config.routes, path);
  if (near === undefined) {
    const patterns = config.routes.map((route) => route.path.pattern);
    const shown = patterns.length > 10 ? [...patterns.slice(0, 10), "…"] : patterns;
    return {
      at: ["routes"],
      hint: patterns.length === 0 ? "add a route" : `add a route for it; there are ${shown.join(", ")}`,
    };
  }
  const { index, suggestion } = near;
  const { name, path: prefix } = config.routes[index] as Route;
  return {
    at: ["routes", index, "path"],
    hint: `route ${name} answers ${prefix.pattern}: did you mean ${printable(suggestion)}?`,
  };
}

/** The route that was found. */
function routeOf({ config, match }: Refused): { readonly route: Route; readonly at: ValuePath } | undefined {
  const index = config.routes.findIndex(({ name }) => name === match?.route.route.name);
  const route = config.routes[index];
  return route === undefined ? undefined : { route, at: ["routes", index] };
}

export function methodRemedy(error: ProxyError, refused: Refused): Remedy {
  const { method } = refused.asked;
  const found = routeOf(refused);
  if (found === undefined || found.route.methods === undefined || method === "TRACE" || method === "CONNECT")
    return { hint: `send another method than ${method}: ${error.allow ?? ""}` };
  const at = [...found.at, "methods"];
  return METHODS.some((known) => known === method)
    ? { at, hint: `add ${method} to methods` }
    : { at, hint: `methods cannot name ${printable(method)}; a route without methods takes it` };
}

export function operationRemedy(refused: Refused): Remedy {
  const found = routeOf(refused);
  const { match, asked } = refused;
  if (found === undefined || match === undefined) return { hint: "see allow and deny of the route" };
  const { route, at } = found;
  const { below, whole } = operationPaths(match);
  const operation = `${asked.method} ${below}`;
  const index = route.deny.findIndex((entry) => {
    const isDenied = createDenial([entry]);
    return isDenied(asked.method, below) || isDenied(asked.method, whole);
  });
  const denial = route.deny[index];
  if (denial === undefined)
    return { at: [...at, "allow"], hint: `allow does not list it: add ${entryFor(operation)}` };
  const text = `${denial.method} ${denial.path}`;
  if (!isDefault(route, index))
    return { at: [...at, "deny", index], hint: `"${text}" denies it: take that out of deny` };
  const others = route.allow === undefined ? ' beside "* /*" for all the rest' : "";
  return {
    at: [...at, "allow"],
    hint: `provider ${route.credential?.provider ?? ""} denies "${text}" by default: name it to the letter under allow${others}, if it should be let through`,
  };
}

/** Some paths cannot be written as an operation, only covered by one. */
function entryFor(operation: string): string {
  return "value" in parseOperation(operation) ? `"${printable(operation)}"` : "a pattern that covers it";
}

/** The credential's own denials stand behind the route's. */
function isDefault({ deny, allow, credential }: Route, index: number): boolean {
  return index >= deny.length - defaultDenials(credential, allow ?? []).length;
}

export function tenantRequiredRemedy(refused: Refused): Remedy {
  const found = routeOf(refused);
  if (found === undefined) {
    const index = refused.config.routes.findIndex(({ tenant }) => tenant.kind === "path");
    return {
      at: ["routes", index, "path"],
      hint: "put the tenant's name into the path, where {tenant} stands",
    };
  }
  const { route, at } = found;
  switch (route.tenant.kind) {
    case "header":
      return {
        at: [...at, "tenant", "header"],
        hint: `send ${route.tenant.name} with the tenant's name, once`,
      };
    case "host":
      return {
        at: [...at, "tenant", "host"],
        hint: `ask for ${route.tenant.prefix}TENANT${route.tenant.suffix}${exampleOf(route)}`,
      };
    default:
      return { at: [...at, "path"], hint: "put the tenant's name into the path, where {tenant} stands" };
  }
}

export function tenantUnknownRemedy(refused: Refused): Remedy {
  const { tenant = "" } = refused;
  const found = routeOf(refused);
  const credential = found?.route.credential;
  if (credential === undefined) return { at: ["credentials"], hint: "no credential has tenants" };
  const names = [...(credential.tenants?.keys() ?? [])];
  const close = closestOf(tenant, names);
  const suggestion = close === undefined ? exampleOf(found?.route) : ` (did you mean ${close}?)`;
  return {
    at: ["credentials", credential.name, "tenants"],
    orAt: ["credentials", credential.name, "tenants_directory"],
    hint: `credential ${credential.name} has no tenant ${printable(tenant)}${suggestion}: add it, names count to the letter`,
  };
}

function exampleOf(route: Route | undefined): string {
  const names = [...(route?.credential?.tenants?.keys() ?? [])].slice(0, 5);
  return names.length === 0 ? "; there is none" : `; there are ${names.join(", ")}`;
}

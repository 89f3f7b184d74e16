import type { Route } from "../config/config.ts";
import { ProxyError } from "../core/errors.ts";
import { ANY_METHOD } from "../transport/http-listener.ts";
import { createDestinations, type Destinations, type DestinationsDeps } from "./destination.ts";
import { callerFieldsDropped, upstreamFieldsDropped } from "./headers.ts";
import { createAllowance, createDenial, type OperationMatcher } from "./operation.ts";
import { createRouter, type RouteMatch, type Router } from "./router.ts";
import type { Target } from "./target.ts";
import { type Grant, grantOf } from "./visitor.ts";

/** A route with all that can be worked out before a request comes. */
export interface RouteEntry {
  readonly route: Route;
  readonly destinations: Destinations;
  /** Whose token it injects. */
  readonly grant: Grant;
  readonly callerFieldsDropped: ReadonlySet<string>;
  readonly upstreamFieldsDropped: ReadonlySet<string>;
  /** What a 405 and a preflight answer name. */
  readonly allowedMethods: string;
  /** The upstream's own path, which takes the prefix's place. */
  readonly basePath: BasePath;
  /** undefined: neither `allow` nor `deny`. */
  readonly operations: OperationRules | undefined;
}

interface BasePath {
  /** As in the configuration: for a request of the bare prefix. */
  readonly bare: string;
  /** With one slash at its end: for what lies behind the prefix. */
  readonly slashed: string;
  readonly decoded: string;
}

interface OperationRules {
  readonly isDenied: OperationMatcher;
  readonly isAllowed: OperationMatcher;
}

export interface RouteTable {
  readonly router: Router<RouteEntry>;
  close(): void;
}

export function createRouteTable(routes: readonly Route[], deps: DestinationsDeps): RouteTable {
  const entries = routes.map(
    (route): RouteEntry => ({
      route,
      destinations: createDestinations(route, deps),
      grant: grantOf(route.credential),
      callerFieldsDropped: callerFieldsDropped(route),
      upstreamFieldsDropped: upstreamFieldsDropped(route),
      allowedMethods: route.methods === undefined ? ANY_METHOD : [...route.methods].join(", "),
      basePath: basePathOf(route.upstream),
      operations: operationRules(route),
    }),
  );
  return {
    router: createRouter(entries),
    close() {
      for (const entry of entries) entry.destinations.close();
    },
  };
}

function basePathOf({ pathname }: URL): BasePath {
  const slashed = pathname.endsWith("/") ? pathname : `${pathname}/`;
  return { bare: pathname, slashed, decoded: decodeOrKeep(slashed) };
}

function decodeOrKeep(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function operationRules({ allow, deny }: Route): OperationRules | undefined {
  if (allow === undefined && deny.length === 0) return undefined;
  return {
    isDenied: createDenial(deny),
    isAllowed: allow === undefined ? () => true : createAllowance(allow),
  };
}

/** Throws ROUTE_NOT_FOUND: what no route names is refused. TENANT_REQUIRED where only the tenant is missing. */
export function matchRoute(router: Router<RouteEntry>, target: Target): RouteMatch<RouteEntry> {
  const match = router.match(target);
  if (match === undefined && router.lacksTenant(target)) {
    throw new ProxyError("TENANT_REQUIRED", "The path must name the tenant; its segment is empty.");
  }
  if (match === undefined)
    throw new ProxyError(
      "ROUTE_NOT_FOUND",
      "No route's path is a prefix of this one. Check its beginning; `pillion explain` says what it would match.",
    );
  return match;
}

/** Throws METHOD_NOT_ALLOWED. CONNECT and TRACE are never taken: one is a tunnel, the other would echo the token. */
export function checkMethod(entry: RouteEntry, method: string): void {
  const { methods, name } = entry.route;
  if (method !== "TRACE" && method !== "CONNECT" && (methods === undefined || methods.has(method))) return;
  const next =
    method === "TRACE" || method === "CONNECT"
      ? "no route does"
      : "it takes those that Allow lists (methods)";
  throw new ProxyError("METHOD_NOT_ALLOWED", `Route ${name} does not take ${method}; ${next}.`, {
    allow: entry.allowedMethods,
  });
}

/** The path at the upstream, byte for byte what the caller sent behind the prefix. Throws TARGET_INVALID for `//…`. */
export function upstreamPath({ route: { basePath }, rest, isBare }: RouteMatch<RouteEntry>): string {
  if (isBare) return basePath.bare;
  const path = basePath.slashed + rest;
  if (path.startsWith("//")) {
    throw new ProxyError(
      "TARGET_INVALID",
      "The path at the upstream would start with `//`; send one slash behind the prefix.",
    );
  }
  return path;
}

/** By which an operation is judged: the decoded path below the upstream's own, and the whole one at the upstream. */
export function operationPaths(match: RouteMatch<RouteEntry>): {
  readonly below: string;
  readonly whole: string;
} {
  const { basePath } = match.route;
  return {
    below: `/${match.decodedRest}`,
    whole: match.isBare ? decodeOrKeep(basePath.bare) : basePath.decoded + match.decodedRest,
  };
}

/**
 * Throws OPERATION_DENIED. Judges the decoded path, so that no encoding slips by: the whole one at the upstream, and the
 * part below the upstream's own path, by which an API's documentation names its operations.
 */
export function checkOperation(match: RouteMatch<RouteEntry>, method: string): void {
  const { operations, route } = match.route;
  if (operations === undefined) return;
  const { below, whole } = operationPaths(match);
  const isDenied = operations.isDenied(method, below) || operations.isDenied(method, whole);
  if (!isDenied && (operations.isAllowed(method, below) || operations.isAllowed(method, whole))) return;
  throw new ProxyError(
    "OPERATION_DENIED",
    isDenied
      ? `Route ${route.name} denies this operation (deny); change that in the configuration if it is meant to be used.`
      : `Route ${route.name} allows only the operations under allow; add this one if it is meant to be used.`,
  );
}

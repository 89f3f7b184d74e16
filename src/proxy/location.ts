import type { Route } from "../config/config.ts";

/**
 * An upstream's `Location` as the caller can follow it: what points into the route's upstream becomes the path that
 * leads back there through the proxy (RFC 9110 §10.2.2 allows a relative reference); everything else is unchanged.
 */
export function rewriteLocation(location: string, route: Route, prefix: string): string {
  const path = pathAtUpstream(location, route.upstream.origin);
  const base = basePath(route.upstream);
  if (path === undefined) return location;
  if (path === base.slice(0, -1)) return prefix;
  return path.startsWith(base) ? prefix + path.slice(base.length) : location;
}

/** The path on the upstream's origin that a reference names; undefined for another origin or a relative path. */
function pathAtUpstream(location: string, origin: string): string | undefined {
  if (location.startsWith("/") && !location.startsWith("//")) return location;
  if (location.length === origin.length && sameOrigin(location, origin)) return "/";
  const next = location.charAt(origin.length);
  if (!sameOrigin(location.slice(0, origin.length), origin) || !"/?#".includes(next)) return undefined;
  const rest = location.slice(origin.length);
  return next === "/" ? rest : `/${rest}`;
}

function sameOrigin(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** The upstream's own path with exactly one slash at its end. */
export function basePath(upstream: URL): string {
  return upstream.pathname.endsWith("/") ? upstream.pathname : `${upstream.pathname}/`;
}

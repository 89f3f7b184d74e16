/** Scheme and authority of an absolute reference, or the authority of one that leaves the scheme out (RFC 3986 §4.2). */
const ABSOLUTE = /^([a-z][a-z0-9+.-]*:)?\/\/([^/?#\\]*)(.*)$/i;

/**
 * An upstream's `Location` as the caller can follow it: what points into the route's upstream becomes the path that
 * leads back there through the proxy (RFC 9110 §10.2.2 allows a relative reference); everything else is unchanged.
 *
 * @param basePath the upstream's own path, with a slash at its end
 * @param prefix the prefix by which the caller reached the route, with a slash at its end
 */
export function rewriteLocation(location: string, upstream: URL, basePath: string, prefix: string): string {
  const reference = referenceAtUpstream(location, upstream);
  if (reference === undefined) return location;
  if (reference.startsWith(basePath)) return prefix + reference.slice(basePath.length);
  const base = basePath.slice(0, -1);
  const next = reference.charAt(base.length);
  return reference.startsWith(base) && (next === "" || next === "?" || next === "#")
    ? prefix + reference.slice(base.length)
    : location;
}

/** Path, query and fragment of a reference into the upstream's origin; undefined for other origins and relative paths. */
function referenceAtUpstream(location: string, upstream: URL): string | undefined {
  if (location.startsWith("/") && !location.startsWith("//")) return location;
  const match = ABSOLUTE.exec(location);
  if (match === null) return undefined;
  const [, scheme = upstream.protocol, authority = "", rest = ""] = match;
  if (authority.includes("@") || originOf(`${scheme}//${authority}`) !== upstream.origin) return undefined;
  return rest.startsWith("/") ? rest : `/${rest}`;
}

function originOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).origin : undefined;
}

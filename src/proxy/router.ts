import type { Route } from "../config/config.ts";
import type { Target } from "./target.ts";

export interface RouteMatch<R> {
  readonly route: R;
  /** The `{tenant}` segment, decoded; undefined for a path without one. */
  readonly pathTenant: string | undefined;
  /** The prefix as the caller sent it, with a slash at the end: what leads back to this route. */
  readonly prefix: string;
  /** What is left of the path behind the prefix, byte for byte, without the slash between them. */
  readonly rest: string;
  /** The same with its percent-encodings undone once. */
  readonly decodedRest: string;
  /** The path is the prefix itself, without a slash behind it. */
  readonly isBare: boolean;
}

export interface Router<R> {
  /** Longest prefix wins; at one depth a literal segment wins over `{tenant}`. Undefined: no route. */
  match(target: Target): RouteMatch<R> | undefined;
  /** Whether a path that no route matches would be one but for its empty `{tenant}` segment. */
  lacksTenant(target: Target): boolean;
}

interface Node<R> {
  readonly literals: Map<string, Node<R>>;
  tenant: Node<R> | undefined;
  /** The route whose prefix ends here, and whether it asks for a slash behind it. */
  route: R | undefined;
  trailingSlash: boolean;
}

function createNode<R>(): Node<R> {
  return { literals: new Map(), tenant: undefined, route: undefined, trailingSlash: false };
}

interface Found<R> {
  readonly node: Node<R>;
  readonly depth: number;
}

/** A trie of decoded path segments: a match costs the same among one route and among thousands. */
export function createRouter<R extends { readonly route: Pick<Route, "path"> }>(
  routes: readonly R[],
): Router<R> {
  const root = createNode<R>();
  for (const entry of routes) {
    let node = root;
    for (const segment of entry.route.path.segments) {
      let next = segment === undefined ? node.tenant : node.literals.get(segment);
      if (next === undefined) {
        next = createNode<R>();
        if (segment === undefined) node.tenant = next;
        else node.literals.set(segment, next);
      }
      node = next;
    }
    node.route = entry;
    node.trailingSlash = entry.route.path.trailingSlash;
  }

  return {
    lacksTenant(target) {
      let node: Node<R> | undefined = root;
      for (const segment of target.decodedPath.split("/").slice(1)) {
        if (segment === "" && node.tenant !== undefined) return true;
        node = node.literals.get(segment);
        if (node === undefined) return false;
      }
      return false;
    },
    match(target) {
      const segments = target.decodedPath.split("/");
      segments.shift();
      const found = descend(root, segments, 0);
      const entry = found?.node.route;
      if (found === undefined || entry === undefined) return undefined;
      const { path, decodedPath } = target;
      const cut = offsetOfSegment(path, found.depth);
      const isBare = cut > path.length;
      const rest = path.slice(cut);
      const { tenantIndex } = entry.route.path;
      return {
        route: entry,
        pathTenant: tenantIndex === undefined ? undefined : segments[tenantIndex],
        prefix: isBare ? `${path}/` : path.slice(0, cut),
        rest,
        decodedRest: decodedPath === path ? rest : segments.slice(found.depth).join("/"),
        isBare,
      };
    },
  };
}

/** The deepest node with a route; literals are tried before `{tenant}`, and given up where they lead nowhere. */
function descend<R>(node: Node<R>, segments: readonly string[], depth: number): Found<R> | undefined {
  const segment = segments[depth];
  if (segment !== undefined) {
    const literal = node.literals.get(segment);
    const deeper = literal === undefined ? undefined : descend(literal, segments, depth + 1);
    if (deeper !== undefined) return deeper;
    const byTenant =
      node.tenant === undefined || segment === "" ? undefined : descend(node.tenant, segments, depth + 1);
    if (byTenant !== undefined) return byTenant;
  }
  const ends = node.route !== undefined && (!node.trailingSlash || segment !== undefined);
  return ends ? { node, depth } : undefined;
}

/** Where segment number `depth` starts in a raw path. Encoded slashes are refused, so raw and decoded segments agree. */
function offsetOfSegment(path: string, depth: number): number {
  let offset = 1;
  for (let index = 0; index < depth; index++) {
    const slash = path.indexOf("/", offset);
    if (slash === -1) return path.length + 1;
    offset = slash + 1;
  }
  return offset;
}

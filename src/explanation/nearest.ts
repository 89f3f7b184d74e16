import type { Route } from "../config/config.ts";
import { editDistance } from "../config/suggestion.ts";

export interface NearestRoute {
  /** In the list. */
  readonly index: number;
  /** The path that the caller may have meant. */
  readonly suggestion: string;
}

/** The longest prefix that is compared; a longer one is no slip of a finger. */
const MAX_LENGTH = 128;

/** The route that a decoded path most likely meant; undefined where none is close. */
export function nearestRoute(
  routes: readonly Pick<Route, "path">[],
  decodedPath: string,
): NearestRoute | undefined {
  const segments = decodedPath.slice(1).split("/");
  let nearest: NearestRoute | undefined;
  let nearestDistance = Number.POSITIVE_INFINITY;
  for (const [index, { path }] of routes.entries()) {
    const expected = path.segments;
    if (expected.length === 0) continue;
    // What stands for the tenant is right, whatever it is.
    const meant = expected.map((segment, at) => segment ?? (segments[at] || "TENANT"));
    const given = expected
      .map((segment, at) => (segment === undefined ? "" : (segments[at] ?? "")))
      .join("/");
    const wanted = expected.map((segment) => segment ?? "").join("/");
    if (given.length > MAX_LENGTH || wanted.length > MAX_LENGTH) continue;
    const distance = editDistance(given.toLowerCase(), wanted.toLowerCase());
    if (distance > Math.floor((wanted.length + 1) / 3) || distance >= nearestDistance) continue;
    nearestDistance = distance;
    const rest = segments.slice(expected.length);
    const slash = path.trailingSlash && rest.length === 0 ? [""] : [];
    nearest = { index, suggestion: `/${[...meant, ...rest, ...slash].join("/")}` };
  }
  return nearest;
}

import type { Answer, Call } from "./exchange.ts";

/** Decoded `{…}` segments of the path, by name. */
export type PathParameters = Readonly<Record<string, string>>;

export interface Endpoint<Context> {
  readonly method: string;
  /** `/v1/provider_locations/{id}`: literal segments and `{name}` for any one segment. */
  readonly pattern: string;
  readonly handle: (call: Call, context: Context, parameters: PathParameters) => Answer | Promise<Answer>;
}

export type RouteMatch<Found> =
  | { readonly kind: "found"; readonly endpoint: Found; readonly parameters: PathParameters }
  | { readonly kind: "method_not_allowed"; readonly allow: string }
  | { readonly kind: "not_found" }
  /** A segment's percent-encoding is broken. */
  | { readonly kind: "malformed" };

interface RouteTableOptions {
  /** Whether `/Appointments` is `/appointments`. Default true. */
  readonly caseSensitive?: boolean;
}

/** A table of endpoints; literal segments win over `{…}` when listed first. HEAD is answered where GET is. */
export function createRouteTable<Found extends Pick<Endpoint<never>, "method" | "pattern">>(
  endpoints: readonly Found[],
  { caseSensitive = true }: RouteTableOptions = {},
): (method: string, path: string) => RouteMatch<Found> {
  const fold = (segment: string) => (caseSensitive ? segment : segment.toLowerCase());
  const table = endpoints.map((endpoint) => ({
    endpoint,
    segments: endpoint.pattern.slice(1).split("/"),
  }));

  return (method, path) => {
    const given = path.slice(1).split("/").map(decodeSegment);
    if (given.includes(undefined)) return { kind: "malformed" };
    const segments = given as string[];
    const candidates = table.filter(
      (entry) =>
        entry.segments.length === segments.length &&
        entry.segments.every((wanted, index) => {
          const segment = segments[index] ?? "";
          return wanted.startsWith("{") ? segment !== "" : fold(wanted) === fold(segment);
        }),
    );
    // The most literal path decides before the method does: `GET …/cancel` is no lookup of an appointment "cancel".
    const best = candidates[0];
    if (best === undefined) return { kind: "not_found" };
    const samePath = candidates.filter((entry) => entry.endpoint.pattern === best.endpoint.pattern);
    const wantedMethod = method === "HEAD" ? "GET" : method;
    const match = samePath.find((entry) => entry.endpoint.method === wantedMethod);
    if (match === undefined) {
      const allow = samePath.map(({ endpoint }) => endpoint.method).join(", ");
      return { kind: "method_not_allowed", allow };
    }
    const parameters = match.segments.flatMap((wanted, index): [string, string][] =>
      wanted.startsWith("{") ? [[wanted.slice(1, -1), segments[index] ?? ""]] : [],
    );
    return { kind: "found", endpoint: match.endpoint, parameters: Object.fromEntries(parameters) };
  };
}

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}

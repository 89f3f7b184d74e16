import type { Operation } from "../config/config.ts";

/** Whether a method and decoded upstream path are among some operations. */
export type OperationMatcher = (method: string, decodedPath: string) => boolean;

/**
 * Operations that are allowed. Paths are compared segment by segment; `*` stands for one whole segment, and as the
 * last one for all that follows. A method `*` is any method. Made once per route.
 */
export function createAllowance(operations: readonly Operation[]): OperationMatcher {
  const patterns = operations.map(compile);
  return (method, path) => {
    const segments = path.split("/");
    return patterns.some((pattern) => matches(pattern, method, segments));
  };
}

/**
 * Operations that are denied, which must hold however lenient the upstream is: letter case, repeated and trailing
 * slashes, blanks, path parameters (`;a=b`) and a second layer of encoding make no difference.
 */
export function createDenial(operations: readonly Operation[]): OperationMatcher {
  if (operations.length === 0) return () => false;
  const literal = createAllowance(operations);
  const folded = createAllowance(operations.map(({ method, path }) => ({ method, path: fold(path) })));
  return (method, path) => literal(method, path) || folded(method, fold(path));
}

interface Pattern {
  readonly method: string;
  readonly segments: readonly string[];
  /** The last segment is `*`: what follows it is of no account. */
  readonly isOpen: boolean;
}

function compile({ method, path }: Operation): Pattern {
  const segments = path.split("/");
  return { method, segments, isOpen: segments.at(-1) === "*" };
}

function matches(pattern: Pattern, method: string, segments: readonly string[]): boolean {
  if (pattern.method !== "*" && pattern.method !== method) return false;
  const expected = pattern.segments;
  if (pattern.isOpen ? segments.length < expected.length : segments.length !== expected.length) return false;
  return expected.every((segment, index) => segment === "*" || segment === segments[index]);
}

function fold(path: string): string {
  const segments = decodeFurther(path)
    .toLowerCase()
    .split("/")
    .map((segment) => (segment.split(";", 1)[0] ?? "").trim())
    .filter((segment) => segment !== "");
  return `/${segments.join("/")}`;
}

/** An upstream may decode once more than it should: `%2572` is `%72` to us and `r` to it. */
function decodeFurther(path: string): string {
  let decoded = path;
  for (let layer = 0; layer < 4 && decoded.includes("%"); layer++) {
    decoded = decoded.replace(/%([0-9a-f]{2})/gi, (_, pair: string) =>
      String.fromCharCode(Number.parseInt(pair, 16)),
    );
  }
  return decoded;
}

import type { Operation } from "../config/config.ts";

/**
 * Whether one of `operations` names this method and upstream path. Paths are compared segment by segment; `*` stands
 * for one whole segment, and as the last one for all that follows. A method `*` is any method.
 */
export function matchesOperation(operations: readonly Operation[], method: string, path: string): boolean {
  for (const operation of operations) {
    if ((operation.method === "*" || operation.method === method) && matchesPath(operation.path, path))
      return true;
  }
  return false;
}

/**
 * The same for a denial, which must hold however lenient the upstream is: letter case, repeated and trailing slashes
 * and path parameters (`;a=b`) make no difference.
 */
export function matchesDenial(operations: readonly Operation[], method: string, path: string): boolean {
  if (operations.length === 0) return false;
  const folded = fold(path);
  for (const operation of operations) {
    if (
      (operation.method === "*" || operation.method === method) &&
      matchesPath(fold(operation.path), folded)
    )
      return true;
  }
  return false;
}

function matchesPath(pattern: string, path: string): boolean {
  if (!pattern.includes("*")) return pattern === path;
  const expected = pattern.split("/");
  const actual = path.split("/");
  for (const [index, segment] of expected.entries()) {
    if (segment === "*" && index === expected.length - 1) return actual.length > index;
    if (index >= actual.length || (segment !== "*" && segment !== actual[index])) return false;
  }
  return expected.length === actual.length;
}

function fold(path: string): string {
  const segments = path
    .toLowerCase()
    .split("/")
    .map((segment) => segment.split(";", 1)[0] ?? "")
    .filter((segment) => segment.trim() !== "");
  return `/${segments.join("/")}`;
}

/**
 * Why this Node must not serve, as one line for a person; undefined when it may.
 *
 * Older releases hide header fields past the thousandth from JavaScript while the parser still frames by them, so a
 * caller can smuggle a request past the proxy (CVE-2026-58044). Fixed in 24.18.1 and 26.5.1; the 25 line never was.
 *
 * Needs nothing from outside itself and no syntax younger than modules: the build puts the source of this function at
 * the head of the bundle, where it has to run on the very releases that it refuses.
 *
 * @param version `process.versions.node`
 */
export function nodeVersionFault(version: string): string | undefined {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  const fixed =
    major > 26 ||
    (major === 26 && (minor > 5 || (minor === 5 && patch >= 1))) ||
    (major === 24 && (minor > 18 || (minor === 18 && patch >= 1)));
  if (fixed) return undefined;
  return `Node ${version} lets requests be smuggled past a proxy; use Node 24.18.1 or newer of the 24 line, or 26.5.1 or newer`;
}

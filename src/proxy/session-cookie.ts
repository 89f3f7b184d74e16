/** The cookie's names on http and on https (product contract, user tokens). */
const NAMES: ReadonlySet<string> = new Set(["pillion", "__host-pillion"]);

/**
 * A `Cookie` value without the proxy's own session: that is for this hop, and whoever holds it is the visitor. Names are
 * compared without regard to case and blanks, as lenient servers read them. "": nothing is left.
 */
export function withoutSession(cookies: string): string {
  if (!mentionsSession(cookies)) return cookies;
  return cookies
    .split(";")
    .filter((pair) => !NAMES.has(nameOf(pair)))
    .join(";")
    .trim();
}

/** Whether a `Set-Cookie` value sets the proxy's own session, which no upstream may. */
export function setsSession(setCookie: string): boolean {
  return mentionsSession(setCookie) && NAMES.has(nameOf(setCookie));
}

function mentionsSession(text: string): boolean {
  return text.toLowerCase().includes("pillion");
}

function nameOf(pair: string): string {
  return pair.split(/[=;]/, 1)[0]?.trim().toLowerCase() ?? "";
}

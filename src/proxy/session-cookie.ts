/** The proxy's own cookies on http and on https (product contract §7): the session's, and that of a login under way. */
const NAMES: ReadonlySet<string> = new Set([
  "pillion",
  "__host-pillion",
  "pillion-login",
  "__host-pillion-login",
]);

/** As long as a login may take. */
const LOGIN_SECONDS = 600;

/** The names in use, and the `Set-Cookie` values to set and to clear them. */
export interface SessionCookies {
  readonly session: string;
  readonly login: string;
  setSession(id: string): string;
  clearSession(): string;
  setLogin(browser: string): string;
}

/**
 * `__Host-` makes a browser refuse the cookie from anybody but this very host by https (RFC 6265bis §4.1.3.2); on plain
 * http it would refuse it from us as well. Lax, since a login comes back by a navigation from another site.
 */
export function createSessionCookies(isHttps: boolean, absoluteMs: number): SessionCookies {
  const prefix = isHttps ? "__Host-" : "";
  const session = `${prefix}pillion`;
  const login = `${prefix}pillion-login`;
  const attributes = `Path=/; HttpOnly; SameSite=Lax${isHttps ? "; Secure" : ""}`;
  const cookie = (name: string, value: string, seconds: number): string =>
    `${name}=${value}; Max-Age=${seconds}; ${attributes}`;
  return {
    session,
    login,
    setSession: (id) => cookie(session, id, Math.floor(absoluteMs / 1_000)),
    clearSession: () => cookie(session, "", 0),
    setLogin: (browser) => cookie(login, browser, LOGIN_SECONDS),
  };
}

/** Several cookies of one name, with different values (RFC 6265 §8.6). */
export const CONFLICT = Symbol("conflicting cookies");

/** The value of a cookie; undefined: it was not sent. */
export function readCookie(cookies: string | undefined, name: string): string | typeof CONFLICT | undefined {
  let found: string | undefined;
  for (const pair of cookies?.split(";") ?? []) {
    const equals = pair.indexOf("=");
    if (equals === -1 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair.slice(equals + 1).trim();
    if (found !== undefined && found !== value) return CONFLICT;
    found = value;
  }
  return found;
}

/**
 * A `Cookie` value without the proxy's own: those are for this hop, and whoever holds them is the visitor. Names are
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

/** Whether a `Set-Cookie` value sets one of the proxy's own, which no upstream may. */
export function setsSession(setCookie: string): boolean {
  return mentionsSession(setCookie) && NAMES.has(nameOf(setCookie));
}

function mentionsSession(text: string): boolean {
  return text.toLowerCase().includes("pillion");
}

/**
 * `=pillion=x` has no name for a browser, which sends back the value alone, `pillion=x` (RFC 6265bis §§5.6, 5.8.3): the
 * name is what stands behind it.
 */
function nameOf(pair: string): string {
  const [name = ""] = pair.replace(/^[\s=]+/, "").split(/[=;]/, 1);
  return name.trim().toLowerCase();
}

const MAX_LENGTH = 2_048;
/** Visible ASCII but for the backslash, which browsers take for a slash: no blank, no control, no other script. */
const PRINTABLE_PATH = /^\/[\x21-\x5b\x5d-\x7e]*$/;
/** Encoded once or more often: `%2f`, `%252f`, `%5c`, and every control byte, which some decoders drop. */
const HIDDEN = /%(?:25)*(?:2f|5c|[01][0-9a-f]|7f)/i;
const ORIGIN = "http://local.invalid";

/**
 * Where to go after a login: a path of this origin, else `/` (RFC 9700 §4.11.1, no open redirector). The path itself
 * must be plain, since a server behind decodes it again; the query, which decides nothing here, may hold anything
 * that is encoded once.
 */
export function returnTo(asked: string | undefined): string {
  if (asked === undefined || asked.length > MAX_LENGTH || !PRINTABLE_PATH.test(asked)) return "/";
  const path = asked.split(/[?#]/, 1)[0] ?? "";
  if (path.includes("//") || HIDDEN.test(path) || hasDotSegment(path)) return "/";
  // A second opinion by the parser that browsers have: whatever it is, it must stay here.
  return URL.parse(asked, ORIGIN)?.origin === ORIGIN ? asked : "/";
}

/** `.` and `..`, plain or encoded: what they lead to is decided by whoever resolves them. */
function hasDotSegment(path: string): boolean {
  return path.split("/").some((segment) => /^(?:\.|%(?:25)*2e){1,2}$/i.test(segment));
}

import type { Operation, RoutePath, TenantRule } from "./config.ts";
import type { FaultKind } from "./fault-kind.ts";
import { listOf, showValue } from "./printable.ts";
import { didYouMean } from "./suggestion.ts";

type Result<T> = { readonly value: T } | { readonly problem: string; readonly kind?: FaultKind };

/** Methods that a route can name. CONNECT and TRACE are never forwarded. */
export const METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "QUERY",
  "PROPFIND",
  "PROPPATCH",
  "MKCOL",
  "COPY",
  "MOVE",
  "LOCK",
  "UNLOCK",
  "REPORT",
  "SEARCH",
] as const;

export function methodProblem(method: string): string {
  if (method === "CONNECT" || method === "TRACE") return `${method} is never forwarded`;
  return `unknown method ${showValue(method)}${didYouMean(method, METHODS)}; expected ${listOf(METHODS.slice(0, 7))}`;
}

/** `/qmatic/{tenant}/`: the prefix that a route answers to, segment by segment. */
export function parseRoutePath(text: string): Result<RoutePath> {
  const shown = `not ${showValue(text)}`;
  if (!text.startsWith("/")) return { problem: `must begin with /, ${shown}` };
  const form = pathProblem(text);
  if (form !== undefined) return { problem: `${form}, ${shown}` };

  const parts = text.split("/").slice(1);
  const trailingSlash = parts.at(-1) === "";
  if (trailingSlash) parts.pop();
  const segments: (string | undefined)[] = [];
  for (const part of parts) {
    const segment = part === "{tenant}" ? { value: undefined } : decodeSegment(part);
    if ("problem" in segment) return { problem: `${segment.problem}, ${shown}` };
    segments.push(segment.value);
  }
  if (segments[0]?.toLowerCase() === ".pillion")
    return { problem: "/.pillion is reserved for the proxy itself", kind: "reserved-name" };
  const tenantIndex = segments.indexOf(undefined);
  if (segments.lastIndexOf(undefined) !== tenantIndex)
    return { problem: `{tenant} can stand once only, ${shown}` };
  return {
    value: {
      pattern: text,
      segments,
      tenantIndex: tenantIndex === -1 ? undefined : tenantIndex,
      trailingSlash,
    },
  };
}

/** What is wrong with any path, prefix or operation, written in a configuration. */
function pathProblem(text: string): string | undefined {
  if (/[?#]/.test(text)) return "must not hold ? or #";
  if (text.includes("//")) return "must not hold //";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: no request can have them in its target
  if (/[\x00-\x20\x7f\\]/.test(text)) return "must not hold blanks, backslashes or control characters";
  return undefined;
}

function decodeSegment(part: string): Result<string> {
  if (/[{}]/.test(part)) return { problem: "only {tenant}, as a whole segment, is understood in braces" };
  let segment: string;
  try {
    segment = decodeURIComponent(part);
  } catch {
    return { problem: "a % must begin a percent-encoded character" };
  }
  if (segment === "." || segment === "..") return { problem: "must not hold . or .. segments" };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the same bytes are refused in requests
  if (/[/\\\x00-\x1f\x7f]/.test(segment))
    return { problem: "must not hold encoded slashes or control characters" };
  return { value: segment };
}

/** Equal for prefixes that answer the same requests; a trailing slash makes no difference. */
export function routePathKey(path: RoutePath): string {
  return JSON.stringify(path.segments.map((segment) => segment ?? null));
}

/** `POST /v1/credentials/rotate`, `* /v1/admin/*`: a method or `*`, and a decoded upstream path. */
export function parseOperation(text: string): Result<Operation> {
  const match = /^(\S+) (\S+)$/.exec(text);
  if (match === null) {
    return { problem: `expected "METHOD /path", such as "POST /v1/appointments", not ${showValue(text)}` };
  }
  const [, method = "", path = ""] = match;
  if (method !== "*" && !METHODS.some((known) => known === method)) return { problem: methodProblem(method) };
  const problem = operationPathProblem(path);
  return problem === undefined
    ? { value: { method, path } }
    : { problem: `${problem}, not ${showValue(text)}` };
}

function operationPathProblem(path: string): string | undefined {
  if (!path.startsWith("/")) return "the path must begin with /";
  const form = pathProblem(path);
  if (form !== undefined) return `the path ${form}`;
  if (path.includes("%"))
    return "the path is compared decoded: write the characters themselves in place of %…";
  const segments = path.split("/");
  if (segments.some((segment) => segment === "." || segment === ".."))
    return "the path must not hold . or .. segments";
  if (segments.some((segment) => segment.includes("*") && segment !== "*")) {
    return "* stands for one whole segment, and at the end for all that follows";
  }
  return undefined;
}

/** `{tenant}.localhost`: where the tenant's name stands in the Host. */
export function parseHostPattern(text: string): Result<TenantRule> {
  const parts = text.toLowerCase().split("{tenant}");
  const [prefix, suffix] = parts;
  const example = 'expected a host with {tenant} in it once, such as "{tenant}.localhost"';
  if (parts.length !== 2 || prefix === undefined || suffix === undefined) {
    return { problem: `${example}, not ${showValue(text)}` };
  }
  if (suffix.includes(":")) return { problem: `a host pattern has no port, not ${showValue(text)}` };
  if (!/^[a-z0-9._-]*$/.test(prefix + suffix)) return { problem: `${example}, not ${showValue(text)}` };
  return { value: { kind: "host", prefix, suffix } };
}

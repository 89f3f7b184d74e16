import type { Route } from "../config/config.ts";
import type { RequestHead } from "./request-head.ts";

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether a request may be sent again after an upstream's 401, by the route's `replay_on_401` (product contract §3, rule
 * 9): bodyless and safe, or with its whole body kept.
 */
export function isRepeatable(
  { method, hasBody }: Pick<RequestHead, "method" | "hasBody">,
  rule: Route["replayOn401"],
  isBodyKept: boolean,
): boolean {
  if (rule === "buffered") return !hasBody || isBodyKept;
  return rule === "safe" && !hasBody && SAFE_METHODS.has(method);
}

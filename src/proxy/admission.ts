import type { Sessions } from "../session/sessions.ts";
import { originRefused } from "./access.ts";
import type { ProxyState } from "./proxy-state.ts";
import type { RequestHead } from "./request-head.ts";
import type { RouteTable } from "./route-table.ts";
import type { Target } from "./target.ts";
import { checkSameOrigin, identifyVisitor } from "./visitor.ts";

/** A cross-site navigation may open only routes that inject nothing of the operator's. Throws ORIGIN_NOT_ALLOWED. */
export function checkNavigation({ router }: RouteTable, target: Target): void {
  const entry = router.match(target)?.route;
  if (entry === undefined || entry.grant === "machine") throw originRefused();
}

/**
 * Where the proxy has an access token, the cookie of a user who is signed in is as good on that user's routes. Rejects
 * with ORIGIN_NOT_ALLOWED.
 */
export async function isLetInBySession(
  deps: { sessions(): Pick<Sessions, "isSignedIn"> },
  { table, visitors }: Pick<ProxyState, "table" | "visitors">,
  head: RequestHead,
  isHandshake: boolean,
  target: Target,
): Promise<boolean> {
  const entry = table.router.match(target)?.route;
  const visitor = identifyVisitor(head, visitors.cookies);
  if (entry?.grant !== "user" || visitor.by !== "cookie") return false;
  checkSameOrigin(head, visitor, isHandshake, visitors.publicOrigin());
  if (visitor.sessionId === undefined) return false;
  return await deps.sessions().isSignedIn(visitor.sessionId, entry.route.credential?.name);
}

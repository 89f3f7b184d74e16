import { accessTokenRequired, holdsAccessToken } from "../proxy/access.ts";
import { isLetInBySession } from "../proxy/admission.ts";
import type { RequestHead } from "../proxy/request-head.ts";
import type { RouteEntry } from "../proxy/route-table.ts";
import { admit, findEndpoint } from "../proxy/session-endpoints.ts";
import type { Target } from "../proxy/target.ts";
import { Visit } from "../proxy/visit.ts";
import { checkSameOrigin, identifyVisitor } from "../proxy/visitor.ts";
import { loginRequired } from "../session/visitor-error.ts";
import type { Arrived } from "./arrival.ts";
import type { Walk } from "./explanation.ts";
import { anyToken, everySession, NO_SESSIONS } from "./stand-ins.ts";

/** Whether the caller may come in, where the proxy has an access token. Rejects as `src/proxy/handler.ts` does. */
export async function explainAccess(
  { state, trail }: Walk,
  head: RequestHead,
  target: Target,
  isHandshake: boolean,
): Promise<void> {
  trail.enter("access");
  const { assumptions } = trail;
  if (holdsAccessToken(head, anyToken(assumptions))) {
    trail.pass("an access token is shown; its value is not compared here", ["access", "token"]);
    return;
  }
  if (!(await isLetInBySession(everySession(assumptions), state, head, isHandshake, target)))
    throw accessTokenRequired();
  trail.pass("no access token, but the cookie of a session, which counts on routes of grant user");
}

/** As `openVisit` of `src/proxy/handler.ts`, and the refusal that follows where there is no session at all. */
export async function explainVisit(
  { state, trail, asked }: Walk,
  { isHandshake }: Arrived,
  head: RequestHead,
  { grant, route }: RouteEntry,
): Promise<void> {
  const { credential, loginRedirect } = route;
  if (credential === undefined || (grant !== "user" && grant !== "anonymous")) return;
  trail.enter("session");
  const rules = state.visitors;
  const visitor = identifyVisitor(head, rules.cookies);
  checkSameOrigin(head, visitor, isHandshake, rules.publicOrigin());
  if (visitor.sessionId !== undefined) {
    trail.assumptions.add(
      grant === "user" ? "the session's user is signed in" : "the session is known, or a new one is made",
    );
    trail.pass(`named by its ${visitor.by}; whether the store knows it cannot be told here`);
    return;
  }
  if (grant === "anonymous") {
    trail.pass("none is named: one is made, and told to the caller with the answer");
    return;
  }
  const parts = {
    head,
    target: asked.target,
    credential,
    loginRedirect,
    visitor,
    rules,
    sessions: NO_SESSIONS,
  };
  const { error, location } = await new Visit(parts).turnAway(loginRequired(credential.name));
  if (location !== undefined) trail.findings.status = 303;
  throw error;
}

/** As `/.pillion/` does, up to the answer itself. */
export async function explainEndpoint(
  { config, state, trail }: Walk,
  head: RequestHead,
  target: Target,
  asked: { readonly isHandshake: boolean; readonly isPreflight: boolean; readonly isCrossSite: boolean },
): Promise<void> {
  trail.enter("endpoint");
  const rules = state.visitors;
  const visitor = identifyVisitor(head, rules.cookies);
  const token = anyToken(trail.assumptions);
  const accessToken = config.access.token === undefined ? undefined : () => token;
  const sessions = everySession(trail.assumptions).sessions();
  const admission = { ...asked, head, target, rules, visitor, state: { accessToken }, sessions };
  const endpoint = await admit(findEndpoint(rules, target), admission);
  if (asked.isPreflight) trail.findings.status = 204;
  trail.pass(
    asked.isPreflight
      ? `answered here, 204: the listed origin may send ${endpoint.method}`
      : `${target.decodedPath} is the proxy's own; nothing is forwarded`,
  );
}

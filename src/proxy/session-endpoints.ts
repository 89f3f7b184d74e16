import { ProxyError } from "../core/errors.ts";
import type { LogFields } from "../core/log.ts";
import type { Secret } from "../core/secret.ts";
import { accessTokenRequired, holdsAccessToken, originRefused } from "./access.ts";
import { preflightFields } from "./cors.ts";
import type { Endpoint, EndpointAnswer, EndpointCall, EndpointDeps, EndpointRequest } from "./endpoint.ts";
import { tenths } from "./exchange-log.ts";
import { callbackEndpoint, createLoginEndpoint } from "./login-endpoints.ts";
import { createLoginPage } from "./login-page.ts";
import { isPageVisit } from "./navigation.ts";
import type { DestinationObserver } from "./observer.ts";
import { discardRest, refuse } from "./refusal.ts";
import { openEndpoint, openedCallbackEndpoint } from "./server-session-endpoints.ts";
import type { Target } from "./target.ts";
import { checkSameOrigin, identifyVisitor, type VisitorRules } from "./visitor.ts";
import { logoutEndpoint, sessionEndpoint } from "./visitor-endpoints.ts";

/** Everything under `/.pillion/`: logins and sessions. No route ever gets these paths. */
export interface SessionEndpoints {
  /** Never throws: whatever goes wrong becomes the answer. */
  serve(request: EndpointRequest): void;
}

/** What they are counted under, as routes are. */
const ROUTE = ".pillion";

const LOGIN = "/.pillion/login/";

/** What such a request leaves to the collector, told to the memory valve as an exchange does: anybody can begin logins. */
const LEFT_BEHIND_BYTES = 40_000;

const ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map([
  ["/.pillion/callback", callbackEndpoint],
  ["/.pillion/session", sessionEndpoint],
  ["/.pillion/logout", logoutEndpoint],
  ["/.pillion/sessions", openEndpoint],
  ["/.pillion/sessions/callback", openedCallbackEndpoint],
]);

export function createSessionEndpoints(deps: EndpointDeps): SessionEndpoints {
  let observer: DestinationObserver | undefined;

  async function serve(asked: EndpointRequest): Promise<void> {
    const { request, response, head, state, startedAtMs, requestId } = asked;
    const endpoint = findEndpoint(state.visitors, asked.target);
    deps.memory.relayed(LEFT_BEHIND_BYTES);
    try {
      const answer = await answerFrom(deps, endpoint, asked);
      if (response.destroyed) return;
      observer ??= deps.observer.destination(ROUTE, undefined);
      const counted = observer;
      counted.started();
      response.on("close", () => {
        const durationMs = deps.clock.now() - startedAtMs;
        counted.finished(head.method, answer.status, durationMs / 1_000, undefined);
        if (state.accessLog) deps.log.info("request", accessFields(asked, answer.status, durationMs));
      });
      send(asked, answer);
      if (head.hasBody) discardRest(request, deps.clock, state.limits.bodyIdleMs);
    } catch (thrown) {
      const { limits, accessLog } = state;
      const present = showsPage(endpoint, asked)
        ? (error: ProxyError) => createLoginPage(error, requestId, state.visitors)
        : undefined;
      const refused = { ...asked, route: ROUTE, accessLog, bodyIdleMs: limits.bodyIdleMs };
      refuse(deps, present === undefined ? refused : { ...refused, present }, thrown);
    }
  }

  return {
    serve: (asked) => void serve(asked),
  };
}

/** What is served there; undefined: nothing. */
export function findEndpoint({ credentials }: VisitorRules, target: Target): Endpoint | undefined {
  if (credentials.size === 0) return undefined;
  const { decodedPath } = target;
  if (!decodedPath.startsWith(LOGIN)) return ENDPOINTS.get(decodedPath);
  const credential = credentials.get(decodedPath.slice(LOGIN.length));
  return credential?.spec?.kind === "user" ? createLoginEndpoint(credential) : undefined;
}

async function answerFrom(
  deps: EndpointDeps,
  endpoint: Endpoint | undefined,
  asked: EndpointRequest,
): Promise<EndpointAnswer> {
  const rules = asked.state.visitors;
  const visitor = identifyVisitor(asked.head, rules.cookies);
  const query = new URLSearchParams(asked.target.query);
  const call: EndpointCall = { ...asked, deps, sessions: deps.sessions(), rules, visitor, query };
  const admitted = await admit(endpoint, call);
  return asked.isPreflight
    ? { status: 204, fields: preflightFields(asked.head, admitted.method) }
    : await admitted.respond(call);
}

/** What of a call decides whether it is answered. */
export type Admission = Pick<
  EndpointRequest,
  "head" | "isHandshake" | "isPreflight" | "isCrossSite" | "target"
> &
  Pick<EndpointCall, "rules" | "visitor"> & {
    readonly state: { readonly accessToken: (() => Pick<Secret, "matches">) | undefined };
    readonly sessions: Pick<EndpointCall["sessions"], "isSignedIn">;
  };

/**
 * The endpoint, where this request may have it answered or, for a preflight, may ask for it. Rejects with
 * ORIGIN_NOT_ALLOWED, ACCESS_TOKEN_REQUIRED, ROUTE_NOT_FOUND or METHOD_NOT_ALLOWED.
 */
export async function admit(endpoint: Endpoint | undefined, call: Admission): Promise<Endpoint> {
  const { head, isHandshake, isPreflight, isCrossSite, target, visitor, rules } = call;
  if (isCrossSite && endpoint?.takesNavigation !== true) throw originRefused();
  if (!isPreflight && !(await mayCall(endpoint, call))) throw accessTokenRequired();
  if (endpoint === undefined) {
    throw new ProxyError(
      "ROUTE_NOT_FOUND",
      "Nothing is served here: no such endpoint, or no such credential of grant user.",
    );
  }
  if (isPreflight) return endpoint;
  if (head.method !== endpoint.method) {
    throw new ProxyError("METHOD_NOT_ALLOWED", `${target.decodedPath} takes ${endpoint.method} only.`, {
      allow: endpoint.method,
    });
  }
  checkSameOrigin(head, visitor, isHandshake, rules.publicOrigin());
  return endpoint;
}

async function mayCall(endpoint: Endpoint | undefined, call: Admission): Promise<boolean> {
  const { head, state, visitor, sessions } = call;
  const { accessToken } = state;
  if (accessToken === undefined || holdsAccessToken(head, accessToken())) return true;
  if (endpoint === undefined || head.method !== endpoint.method) return false;
  if (endpoint.access !== "session") return endpoint.access === "anybody";
  return visitor.by === "cookie" && (await sessions.isSignedIn(visitor.sessionId));
}

function showsPage(endpoint: Endpoint | undefined, { head }: EndpointRequest): boolean {
  if (endpoint === undefined || head.method !== endpoint.method || endpoint.failsWithPage === "never")
    return false;
  return endpoint.failsWithPage === "always" || isPageVisit(head);
}

function send(
  { response, requestId, cors }: EndpointRequest,
  { status, fields, body }: EndpointAnswer,
): void {
  const framing = status === 204 ? [] : ["content-length", String(Buffer.byteLength(body ?? ""))];
  response.writeHead(status, [
    ...fields,
    ...framing,
    "cache-control",
    "no-store",
    "x-content-type-options",
    "nosniff",
    "x-request-id",
    requestId,
    ...cors,
  ]);
  response.end(body);
}

/** Never the query, which holds codes and states. */
function accessFields(
  { request, head, requestId }: EndpointRequest,
  status: number,
  durationMs: number,
): LogFields {
  return {
    request_id: requestId,
    route: ROUTE,
    method: head.method,
    path: request.url?.split("?", 1)[0] ?? "",
    status,
    duration_ms: tenths(durationMs),
  };
}

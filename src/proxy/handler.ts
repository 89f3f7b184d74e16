import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../core/clock.ts";
import type { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { MemoryValve } from "../core/memory-valve.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Locality } from "../transport/http-listener.ts";
import { accessTokenRequired, checkHost, holdsAccessToken, judgeOrigin } from "./access.ts";
import { checkNavigation, isLetInBySession } from "./admission.ts";
import { answerPreflight, corsGrant, isPreflight } from "./cors.ts";
import { Exchange } from "./exchange.ts";
import type { ProxyObserver } from "./observer.ts";
import type { ProxyState } from "./proxy-state.ts";
import { refuse } from "./refusal.ts";
import { judgeRequest, ownRequestId, type RequestHead } from "./request-head.ts";
import { checkMethod, checkOperation, matchRoute, type RouteEntry, upstreamPath } from "./route-table.ts";
import { createSessionEndpoints, type SessionEndpoints } from "./session-endpoints.ts";
import { isOwnPath, parseTarget, type Target } from "./target.ts";
import { chooseTenant } from "./tenant.ts";
import { offeredProtocols, refuseBodyInHandshake } from "./upgrade.ts";
import { Visit } from "./visit.ts";
import { checkSameOrigin, identifyVisitor } from "./visitor.ts";

export interface HandlerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly memory: MemoryValve;
  readonly observer: ProxyObserver;
  /** Those of the one store that a process has; asked for once it serves. */
  sessions(): Sessions;
  requestId(): string;
  /** The state of now: a request keeps the one it began with. */
  state(): ProxyState;
  locate(request: IncomingMessage): Locality;
  /** Why nothing is served at the moment, or no handshake; undefined: it is. */
  refusal(request: IncomingMessage, isHandshake: boolean): ProxyError | undefined;
}

/** `isHandshake`: it asks for an upgrade, and its connection can leave HTTP. */
export type RequestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  isHandshake: boolean,
) => void;

/** A request on its way through the steps, and what is known of it so far. */
interface Arrival {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly isHandshake: boolean;
  readonly state: ProxyState;
  readonly startedAtMs: number;
  head: RequestHead | undefined;
  requestId: string | undefined;
  route: string | undefined;
  /** The CORS grant of a listed origin, as flat fields. */
  cors: readonly string[];
}

/**
 * One way through: target → access → route → tenant → token → headers → inject → upstream → response. Whatever
 * throws on the way goes once to `refuse`. `src/explanation/` takes the same steps in the same order, without a network.
 */
export function createHandler(deps: HandlerDeps): RequestHandler {
  const endpoints = createSessionEndpoints(deps);
  return (request, response, isHandshake) => {
    const arrival: Arrival = {
      request,
      response,
      isHandshake,
      state: deps.state(),
      startedAtMs: deps.clock.now(),
      head: undefined,
      requestId: undefined,
      route: undefined,
      cors: [],
    };
    try {
      receive(deps, endpoints, arrival);
    } catch (thrown) {
      turnAway(deps, arrival, thrown);
    }
  };
}

/** Everything up to the question whether this caller may come in at all. */
function receive(deps: HandlerDeps, endpoints: SessionEndpoints, arrival: Arrival): void {
  const { request, isHandshake, state } = arrival;
  const { access, accessToken, visitors } = state;
  const refusal = deps.refusal(request, isHandshake);
  if (refusal !== undefined) throw refusal;

  const head = judgeRequest(request, state.limits);
  const requestId = ownRequestId(head) ?? deps.requestId();
  arrival.head = head;
  arrival.requestId = requestId;
  checkHost(head, deps.locate(request), state.isServedHost);
  const origin = judgeOrigin(head, access.origins, visitors.publicOrigin());
  if (origin.kind === "listed") arrival.cors = corsGrant(origin.origin);

  const target = parseTarget(request.url ?? "");
  const isPreflighted = isPreflight(head, origin);
  const isCrossSite = origin.kind === "navigation";
  if (isOwnPath(target)) {
    endpoints.serve({ ...arrival, head, requestId, target, isPreflight: isPreflighted, isCrossSite });
    return;
  }
  if (isCrossSite) checkNavigation(state.table, target);
  if (isPreflighted) {
    const { route: entry } = matchRoute(state.table.router, target);
    arrival.route = entry.route.name;
    answerPreflight(arrival.response, head, entry.allowedMethods, arrival.cors);
    return;
  }
  if (accessToken === undefined || holdsAccessToken(head, accessToken()))
    forward(deps, arrival, head, requestId, target);
  else {
    isLetInBySession(deps, state, head, isHandshake, target).then(
      (isLetIn) => {
        // Whoever left meanwhile waits for nothing.
        if (arrival.response.destroyed) return;
        try {
          if (!isLetIn) throw accessTokenRequired();
          forward(deps, arrival, head, requestId, target);
        } catch (thrown) {
          turnAway(deps, arrival, thrown);
        }
      },
      (thrown: unknown) => turnAway(deps, arrival, thrown),
    );
  }
}

/** From the route on: the caller may come in. */
function forward(
  deps: HandlerDeps,
  arrival: Arrival,
  head: RequestHead,
  requestId: string,
  target: Target,
): void {
  const { request, response, isHandshake, state, startedAtMs, cors } = arrival;
  const match = matchRoute(state.table.router, target);
  const entry = match.route;
  arrival.route = entry.route.name;
  checkMethod(entry, head.method);
  const path = upstreamPath(match);
  checkOperation(match, head.method);
  if (head.hasBody) refuseBodyInHandshake(request, entry);
  const visit = openVisit(deps, arrival, head, entry);
  const destination = entry.destinations.get(chooseTenant(entry.route, head, match.pathTenant));

  new Exchange(deps, {
    request,
    response,
    head,
    entry,
    destination,
    source: visit?.source ?? destination.source,
    visit,
    target: path + target.query,
    prefix: match.prefix,
    publicOrigin: state.visitors.publicOrigin(),
    upgrade: isHandshake && entry.route.upgrade ? offeredProtocols(request.headers.upgrade) : undefined,
    requestId,
    startedAtMs,
    bodyIdleMs: state.limits.bodyIdleMs,
    accessLog: state.accessLog,
    extraHeaders: cors,
  }).start();
}

/** undefined on a route whose token is not a visitor's own. Throws ORIGIN_NOT_ALLOWED. */
function openVisit(
  deps: HandlerDeps,
  { request, isHandshake, state }: Arrival,
  head: RequestHead,
  { grant, route }: RouteEntry,
): Visit | undefined {
  const { credential, loginRedirect } = route;
  if (credential === undefined || (grant !== "user" && grant !== "anonymous")) return undefined;
  const rules = state.visitors;
  const visitor = identifyVisitor(head, rules.cookies);
  checkSameOrigin(head, visitor, isHandshake, rules.publicOrigin());
  const sessions = deps.sessions();
  return new Visit({ head, target: request.url ?? "", credential, loginRedirect, visitor, rules, sessions });
}

/** Of a request whose head was refused: its caller finds it by the same id as any other. */
function callersRequestId({ headers }: IncomingMessage): string | undefined {
  const requestId = headers["x-request-id"];
  return typeof requestId === "string" ? ownRequestId({ requestId }) : undefined;
}

function turnAway(deps: HandlerDeps, arrival: Arrival, thrown: unknown): void {
  const { bodyIdleMs } = arrival.state.limits;
  const { accessLog } = arrival.state;
  const requestId = arrival.requestId ?? callersRequestId(arrival.request) ?? deps.requestId();
  refuse(deps, { ...arrival, requestId, bodyIdleMs, accessLog }, thrown);
}

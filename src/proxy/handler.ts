import type { IncomingMessage, ServerResponse } from "node:http";
import type { Access, Limits } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { MemoryValve } from "../core/memory-valve.ts";
import type { Secret } from "../core/secret.ts";
import type { Locality } from "../transport/http-listener.ts";
import { checkAccessToken, checkHost, type HostPolicy, judgeOrigin, originRefused } from "./access.ts";
import { answerPreflight, corsGrant, isPreflight } from "./cors.ts";
import { Exchange } from "./exchange.ts";
import type { ProxyObserver } from "./observer.ts";
import { refuse } from "./refusal.ts";
import { judgeRequest, type RequestHead } from "./request-head.ts";
import {
  checkMethod,
  checkOperation,
  matchRoute,
  type RouteEntry,
  type RouteTable,
  upstreamPath,
} from "./route-table.ts";
import { parseTarget, type Target } from "./target.ts";
import { chooseTenant } from "./tenant.ts";
import { offeredProtocols, refuseBodyInHandshake } from "./upgrade.ts";

/** What a request is judged by; exchanged as a whole when the configuration changes. */
export interface ProxyState {
  readonly table: RouteTable;
  readonly isServedHost: HostPolicy;
  readonly access: Access;
  readonly limits: Limits;
  readonly accessLog: boolean;
  /** The proxy's own access token, read when it is needed; undefined: none asked for. */
  readonly accessToken: (() => Secret) | undefined;
}

export interface HandlerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly memory: MemoryValve;
  readonly observer: ProxyObserver;
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

/** A caller's own request id is kept when it is short and harmless in a log line and in a header. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * One way through: target → access → route → tenant → token → headers → inject → upstream → response. Whatever
 * throws on the way goes once to `refuse`.
 */
export function createHandler(deps: HandlerDeps): RequestHandler {
  return (request, response, isHandshake) => {
    const startedAtMs = deps.clock.now();
    const state = deps.state();
    const { access, limits, accessLog } = state;
    let head: RequestHead | undefined;
    let requestId: string | undefined;
    let entry: RouteEntry | undefined;
    let cors: readonly string[] = [];
    try {
      const refusal = deps.refusal(request, isHandshake);
      if (refusal !== undefined) throw refusal;

      head = judgeRequest(request, limits);
      requestId = ownRequestId(head) ?? deps.requestId();
      checkHost(head, deps.locate(request), state.isServedHost);
      const origin = judgeOrigin(head, access.origins);
      if (origin.kind === "listed") cors = corsGrant(origin.origin);

      const target = parseTarget(request.url ?? "");
      const preflight = isPreflight(head, origin);
      if (origin.kind === "navigation") checkNavigation(state.table, target);
      if (state.accessToken !== undefined && !preflight) checkAccessToken(head, state.accessToken());

      const match = matchRoute(state.table.router, target);
      entry = match.route;
      if (preflight) {
        answerPreflight(response, head, entry, cors);
        return;
      }
      checkMethod(entry, head.method);
      const path = upstreamPath(match);
      checkOperation(match, head.method);
      if (head.hasBody) refuseBodyInHandshake(request, entry);

      new Exchange(deps, {
        request,
        response,
        head,
        entry,
        destination: entry.destinations.get(chooseTenant(entry.route, head, match.pathTenant)),
        target: path + target.query,
        prefix: match.prefix,
        upgrade: isHandshake && entry.route.upgrade ? offeredProtocols(request.headers.upgrade) : undefined,
        requestId,
        startedAtMs,
        bodyIdleMs: limits.bodyIdleMs,
        accessLog,
        extraHeaders: cors,
      }).start();
    } catch (thrown) {
      requestId ??= deps.requestId();
      const route = entry?.route.name;
      const { bodyIdleMs } = limits;
      refuse(
        deps,
        { request, response, head, requestId, route, cors, startedAtMs, bodyIdleMs, accessLog },
        thrown,
      );
    }
  };
}

function ownRequestId({ requestId }: RequestHead): string | undefined {
  return requestId !== undefined && REQUEST_ID.test(requestId) ? requestId : undefined;
}

/** A cross-site navigation may open only routes that inject nothing of the operator's. */
function checkNavigation(table: RouteTable, target: Target): void {
  const entry = table.router.match(target)?.route;
  if (entry === undefined || entry.route.credential !== undefined) throw originRefused();
}

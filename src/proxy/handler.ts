import type { IncomingMessage, ServerResponse } from "node:http";
import type { Access, Limits } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { MemoryValve } from "../core/memory-valve.ts";
import type { Secret } from "../core/secret.ts";
import type { Locality } from "../transport/http-listener.ts";
import {
  checkAccessToken,
  checkHost,
  type HostPolicy,
  judgeOrigin,
  type OriginVerdict,
  originRefused,
} from "./access.ts";
import { Exchange } from "./exchange.ts";
import { tenths } from "./exchange-log.ts";
import type { ProxyObserver } from "./observer.ts";
import { judgeRequest, type RequestHead } from "./request-head.ts";
import { beginProblem, discardBody, sendProblem, toProxyError } from "./respond.ts";
import {
  checkMethod,
  checkOperation,
  matchRoute,
  type RouteEntry,
  type RouteTable,
  upstreamPath,
} from "./route-table.ts";
import { parseTarget } from "./target.ts";
import { chooseTenant } from "./tenant.ts";

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
  /** Why nothing is served at the moment; undefined: it is. */
  refusal(request: IncomingMessage): ProxyError | undefined;
}

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** A caller's own request id is kept when it is short and harmless in a log line and in a header. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/**
 * One way through: target → access → route → tenant → token → headers → inject → upstream → response. Whatever
 * throws on the way goes once to `refuse`.
 */
export function createHandler(deps: HandlerDeps): RequestHandler {
  return (request, response) => {
    const startedAtMs = deps.clock.now();
    const state = deps.state();
    const { access, limits, accessLog } = state;
    let head: RequestHead | undefined;
    let requestId: string | undefined;
    let entry: RouteEntry | undefined;
    let cors: readonly string[] = [];
    try {
      const refusal = deps.refusal(request);
      if (refusal !== undefined) throw refusal;

      head = judgeRequest(request, limits);
      requestId = ownRequestId(head) ?? deps.requestId();
      checkHost(head, deps.locate(request), state.isServedHost);
      const origin = judgeOrigin(head, access.origins);
      if (origin.kind === "listed") cors = corsGrant(origin.origin);

      const target = parseTarget(request.url ?? "");
      const preflight = isPreflight(head, origin);
      if (state.accessToken !== undefined && !preflight) checkAccessToken(head, state.accessToken());

      const match = matchRoute(state.table.router, target);
      entry = match.route;
      if (preflight) {
        answerPreflight(response, head, entry, cors);
        return;
      }
      checkNavigation(origin, entry);
      checkMethod(entry, head.method);
      const path = upstreamPath(match);
      checkOperation(match, head.method);

      new Exchange(deps, {
        request,
        response,
        head,
        entry,
        destination: entry.destinations.get(chooseTenant(entry.route, head, match.pathTenant)),
        target: path + target.query,
        prefix: match.prefix,
        requestId,
        startedAtMs,
        bodyIdleMs: limits.bodyIdleMs,
        accessLog,
        extraHeaders: cors,
      }).start();
    } catch (thrown) {
      requestId ??= deps.requestId();
      const route = entry?.route.name;
      refuse(deps, { request, response, head, requestId, route, cors, startedAtMs, state }, thrown);
    }
  };
}

function ownRequestId({ requestId }: RequestHead): string | undefined {
  return requestId !== undefined && REQUEST_ID.test(requestId) ? requestId : undefined;
}

function isPreflight(head: RequestHead, origin: OriginVerdict): boolean {
  return origin.kind === "listed" && head.method === "OPTIONS" && head.preflightMethod !== undefined;
}

/** A cross-site navigation may open only routes that inject nothing of the operator's. */
function checkNavigation(origin: OriginVerdict, entry: RouteEntry): void {
  if (origin.kind === "navigation" && entry.route.credential !== undefined) throw originRefused();
}

/** CORS for a listed origin: that origin exactly (WHATWG Fetch §3.2). */
function corsGrant(origin: string): readonly string[] {
  return ["access-control-allow-origin", origin, "access-control-expose-headers", "*", "vary", "origin"];
}

function answerPreflight(
  response: ServerResponse,
  head: RequestHead,
  entry: RouteEntry,
  cors: readonly string[],
): void {
  response.writeHead(204, [
    ...cors,
    "access-control-allow-methods",
    entry.allowedMethods,
    ...(head.preflightHeaders === undefined ? [] : ["access-control-allow-headers", head.preflightHeaders]),
    "access-control-max-age",
    "600",
  ]);
  response.end();
}

interface Refused {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** undefined: it was not even that far, so its framing cannot be relied on. */
  readonly head: RequestHead | undefined;
  readonly requestId: string;
  readonly route: string | undefined;
  readonly cors: readonly string[];
  readonly startedAtMs: number;
  readonly state: ProxyState;
}

/** The end of a request that never had a destination. */
function refuse(deps: HandlerDeps, refused: Refused, thrown: unknown): void {
  const { request, requestId, route, startedAtMs, state } = refused;
  const error = toProxyError(thrown);
  const { status } = error;
  const method = request.method ?? "";
  deps.observer.rejected(error.code, route, method, status);
  const fields = {
    request_id: requestId,
    method,
    status,
    code: error.code,
    detail: error.message,
    ...(route === undefined ? {} : { route }),
  };
  if (error.code === "INTERNAL") {
    deps.log.error("request_failed", {
      ...fields,
      ...(error.cause instanceof Error ? { error: error.cause.message } : {}),
    });
  } else deps.log.debug("request_refused", fields);
  if (state.accessLog)
    deps.log.info("request", { ...fields, duration_ms: tenths(deps.clock.now() - startedAtMs) });
  answerRefused(deps.clock, refused, error);
}

/** A refused body is read for so long, so that the refusal is not overtaken by a reset. */
const LINGER_MS = 1_000;

function answerRefused(clock: Clock, refused: Refused, error: ProxyError): void {
  const { request, response, head, requestId, cors, state } = refused;
  const mayHaveBody =
    head?.hasBody ?? ("content-length" in request.headers || "transfer-encoding" in request.headers);
  // What follows a message of doubtful framing must not pass for a request.
  if (head === undefined || CLOSING_CODES.has(error.code)) {
    response.shouldKeepAlive = false;
    if (!beginProblem(response, error, requestId, cors)) return;
    if (mayHaveBody) discardBody(request, clock, LINGER_MS, () => response.end());
    else response.end();
    return;
  }
  sendProblem(response, error, requestId, cors);
  if (!mayHaveBody) return;
  discardBody(request, clock, state.limits.bodyIdleMs, () => {
    if (!request.complete) request.socket.destroy();
  });
}

const CLOSING_CODES: ReadonlySet<string> = new Set([
  "REQUEST_INVALID",
  "TARGET_INVALID",
  "HEADERS_TOO_LARGE",
  "EXPECTATION_FAILED",
  "OVERLOADED",
  "SHUTTING_DOWN",
]);

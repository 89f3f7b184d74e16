import type { IncomingMessage, ServerResponse } from "node:http";
import type { Access, Limits } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
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
import type { ProxyObserver } from "./observer.ts";
import { judgeRequest, type RequestHead } from "./request-head.ts";
import { sendProblem, toProxyError } from "./respond.ts";
import {
  checkMethod,
  checkOperation,
  matchRoute,
  type RouteEntry,
  type RouteTable,
  upstreamPath,
} from "./route-table.ts";
import type { RouteMatch } from "./router.ts";
import { parseTarget, type Target } from "./target.ts";
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
  readonly observer: ProxyObserver;
  requestId(): string;
  /** The state of now: a request keeps the one it began with. */
  state(): ProxyState;
  locate(request: IncomingMessage): Locality;
  /** Why nothing is served at the moment; undefined: it is. */
  refusal(): ProxyError | undefined;
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
    let requestId = deps.requestId();
    let route: string | undefined;
    let cors: readonly string[] = [];
    let bodyless = false;
    try {
      const refusal = deps.refusal();
      if (refusal !== undefined) throw refusal;

      const head = judgeRequest(request, state.limits);
      bodyless = !head.hasBody;
      if (head.requestId !== undefined && REQUEST_ID.test(head.requestId)) requestId = head.requestId;
      checkHost(head, deps.locate(request), state.isServedHost);
      const origin = judgeOrigin(head, state.access.origins);
      if (origin.kind === "listed") cors = corsGrant(origin.origin);

      const target = parseTarget(request.url ?? "");
      const preflight =
        origin.kind === "listed" && head.method === "OPTIONS" && head.preflightMethod !== undefined;
      if (state.accessToken !== undefined && !preflight) checkAccessToken(head, state.accessToken());

      const match = matchRoute(state.table.router, target);
      const entry = match.route;
      route = entry.route.name;
      if (preflight) {
        answerPreflight(response, head, entry, cors);
        return;
      }
      checkNavigation(origin, entry);
      checkMethod(entry, head.method);
      const path = upstreamPath(match);
      checkOperation(entry.route, head.method, decodedUpstreamPath(match, target, path));

      new Exchange(
        { clock: deps.clock, log: deps.log, accessLog: state.accessLog, bodyIdleMs: state.limits.bodyIdleMs },
        {
          request,
          response,
          head,
          entry,
          destination: entry.destinations.get(chooseTenant(entry.route, head, match.pathTenant)),
          target: path + target.query,
          prefix: match.prefix,
          requestId,
          startedAtMs,
          extraHeaders: cors,
        },
      ).start();
    } catch (thrown) {
      refuse(
        deps,
        { request, response, requestId, route, cors, bodyless, accessLog: state.accessLog, startedAtMs },
        thrown,
      );
    }
  };
}

/** A cross-site navigation may open only routes that inject nothing of the operator's. */
function checkNavigation(origin: OriginVerdict, entry: RouteEntry): void {
  if (origin.kind === "navigation" && entry.route.credential !== undefined) throw originRefused();
}

/** The upstream path with encodings undone once; the same string where there were none. */
function decodedUpstreamPath(match: RouteMatch<RouteEntry>, target: Target, path: string): string {
  if (target.decodedPath === target.path) return path;
  // Encoded slashes are refused, so the part behind the prefix has as many segments decoded as raw.
  const behind = match.rest.split("/").length;
  const decodedRest = target.decodedPath.split("/").slice(-behind).join("/");
  return path.slice(0, path.length - match.rest.length) + decodedRest;
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
  readonly requestId: string;
  readonly route: string | undefined;
  readonly cors: readonly string[];
  /** The message ended with its head, as far as is known. */
  readonly bodyless: boolean;
  readonly accessLog: boolean;
  readonly startedAtMs: number;
}

/** The end of a request that never had a destination. */
function refuse(deps: HandlerDeps, refused: Refused, thrown: unknown): void {
  const { request, response, requestId, route } = refused;
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
  if (refused.accessLog) {
    deps.log.info("request", {
      ...fields,
      duration_ms: Math.round((deps.clock.now() - refused.startedAtMs) * 10) / 10,
    });
  }
  // What follows a message of doubtful framing, or a body that nobody reads, must not pass for a request.
  const close = !refused.bodyless || CLOSING_CODES.has(error.code) ? ["connection", "close"] : [];
  sendProblem(response, error, requestId, [...refused.cors, ...close]);
}

const CLOSING_CODES: ReadonlySet<string> = new Set([
  "REQUEST_INVALID",
  "TARGET_INVALID",
  "HEADERS_TOO_LARGE",
  "EXPECTATION_FAILED",
  "OVERLOADED",
  "SHUTTING_DOWN",
]);

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Access, Limits } from "../config/config.ts";
import { explained } from "../config/fault.ts";
import type { Clock } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { checkHost, type HostPolicy, judgeOrigin, originRefused } from "../proxy/access.ts";
import { answerRefused } from "../proxy/refusal.ts";
import { judgeRequest } from "../proxy/request-head.ts";
import { toProxyError } from "../proxy/respond.ts";
import { parseTarget } from "../proxy/target.ts";
import type { Locality } from "../transport/http-listener.ts";
import { type Health, readiness, startup, type Vitals } from "./health.ts";
import type { Metrics } from "./metrics.ts";
import type { StatusDocument } from "./status-document.ts";
import type { StatusFeed } from "./status-feed.ts";
import { PAGE_POLICY, statusPage } from "./status-page.ts";

export interface AdminState {
  readonly isServedHost: HostPolicy;
  readonly access: Access;
  readonly limits: Limits;
  /** Whether `POST /-/reload` and `POST /-/quit` are served. */
  readonly lifecycle: boolean;
}

export interface AdminDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  requestId(): string;
  state(): AdminState;
  locate(request: IncomingMessage): Locality;
  vitals(): Vitals;
  status(): Promise<StatusDocument>;
  readonly events: Pick<StatusFeed, "admit" | "open">;
  /** Reads the configuration again; rejects with what is wrong with it. */
  reload(): Promise<void>;
  quit(): void;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  /** A function goes on with the response behind its head. */
  readonly body: string | ((response: ServerResponse) => void);
  /** Flat name, value, … */
  readonly headers?: readonly string[];
}

interface Resource {
  readonly method: "GET" | "POST";
  respond(): Answer | Promise<Answer>;
}

/** The admin listener: probes, metrics, status and its page, lifecycle. The same checks of Host and Origin as on the data listener. */
export function createAdminHandler(
  deps: AdminDeps,
): (request: IncomingMessage, response: ServerResponse) => void {
  const resources = createResources(deps);
  return (request, response) => {
    const requestId = deps.requestId();
    answer(deps, resources, request).then(
      ({ status, type, body, headers = [] }) => {
        const streams = typeof body === "function";
        response.writeHead(status, [
          "content-type",
          type,
          ...(streams ? [] : ["content-length", String(Buffer.byteLength(body))]),
          "cache-control",
          "no-store",
          "x-content-type-options",
          "nosniff",
          ...headers,
        ]);
        if (request.method === "HEAD") response.end();
        else if (streams) body(response);
        else response.end(body);
      },
      (thrown: unknown) => {
        const error = toProxyError(thrown);
        if (error.code === "INTERNAL") {
          deps.log.error("admin_request_failed", {
            request_id: requestId,
            ...(error.cause instanceof Error ? { error: error.cause.message } : {}),
          });
        }
        // Whatever was wrong with it, its framing is not relied on for a further request.
        const refused = { request, response, head: undefined, requestId, cors: [], bodyIdleMs: 0 };
        answerRefused(deps.clock, refused, error);
      },
    );
  };
}

async function answer(
  deps: AdminDeps,
  resources: ReadonlyMap<string, Resource>,
  request: IncomingMessage,
): Promise<Answer> {
  const { isServedHost, access, limits } = deps.state();
  const head = judgeRequest(request, limits);
  checkHost(head, deps.locate(request), isServedHost);
  if (judgeOrigin(head, access.origins).kind === "navigation") throw originRefused();
  const { decodedPath } = parseTarget(request.url ?? "");
  const resource = resources.get(decodedPath);
  if (resource === undefined) {
    throw new ProxyError("ROUTE_NOT_FOUND", `The admin listener serves ${[...resources.keys()].join(", ")}.`);
  }
  const { method } = resource;
  if (head.method !== method && !(method === "GET" && head.method === "HEAD")) {
    throw new ProxyError("METHOD_NOT_ALLOWED", `${decodedPath} takes ${method} only.`, {
      allow: method === "GET" ? "GET, HEAD" : method,
    });
  }
  return await resource.respond();
}

function createResources(deps: AdminDeps): ReadonlyMap<string, Resource> {
  const lifecycle = (act: () => Answer | Promise<Answer>) => (): Answer | Promise<Answer> => {
    if (deps.state().lifecycle) return act();
    throw new ProxyError("OPERATION_DENIED", "Set admin_lifecycle: true in the configuration to allow this.");
  };
  return new Map<string, Resource>([
    ["/", { method: "GET", respond: async () => page(await deps.status()) }],
    ["/livez", { method: "GET", respond: () => json(200, { status: "ok" }) }],
    ["/startupz", { method: "GET", respond: () => probe(startup(deps.vitals())) }],
    ["/readyz", { method: "GET", respond: () => probe(readiness(deps.vitals())) }],
    [
      "/metrics",
      {
        method: "GET",
        respond: async () => ({
          status: 200,
          type: deps.metrics.contentType,
          body: await deps.metrics.text(),
        }),
      },
    ],
    ["/status.json", { method: "GET", respond: async () => json(200, await deps.status()) }],
    [
      "/status/events",
      {
        method: "GET",
        respond() {
          deps.events.admit();
          return { status: 200, type: "text/event-stream", body: (response) => deps.events.open(response) };
        },
      },
    ],
    ["/-/reload", { method: "POST", respond: lifecycle(() => reload(deps)) }],
    [
      "/-/quit",
      {
        method: "POST",
        respond: lifecycle(() => {
          deps.quit();
          return json(200, { status: "shutting down" });
        }),
      },
    ],
  ]);
}

async function reload(deps: AdminDeps): Promise<Answer> {
  try {
    await deps.reload();
    return json(200, { status: "reloaded" });
  } catch (error) {
    return json(500, { status: "failed", error: explained(error) });
  }
}

function page(status: StatusDocument): Answer {
  const headers = ["content-security-policy", PAGE_POLICY, "referrer-policy", "no-referrer"];
  return { status: 200, type: "text/html; charset=utf-8", body: statusPage(status), headers };
}

function probe({ ok, checks }: Health): Answer {
  return json(ok ? 200 : 503, { status: ok ? "ok" : "unavailable", checks });
}

function json(status: number, value: object): Answer {
  return { status, type: "application/json", body: `${JSON.stringify(value, null, 2)}\n` };
}

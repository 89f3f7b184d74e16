/** A proxy with a route of every grant before one upstream, and sessions that a test writes. */
import type { RequestListener } from "node:http";
import {
  aCredential,
  aRoute,
  aVisitorCredential,
  type ProxyOptions,
  type RouteOptions,
  type RunningProxy,
  startProxy,
} from "./proxy-harness.ts";
import { type Answer, fieldValues, head, roundTrip } from "./raw-client.ts";
import { createScriptedSessions, type ScriptedSessions } from "./scripted-sessions.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

export interface VisitorLab extends AsyncDisposable {
  readonly upstream: Upstream;
  readonly sessions: ScriptedSessions;
  readonly proxy: RunningProxy;
  /** One request and its answer. */
  ask(line: string, ...fields: readonly string[]): Promise<Answer>;
  /** The same with a JSON body. */
  post(path: string, body: unknown, ...fields: readonly string[]): Promise<Answer>;
  /** The `Authorization` values that reached the upstream. */
  tokens(): readonly string[];
}

interface LabOptions extends Partial<Omit<ProxyOptions, "routes" | "sessions">> {
  /** For the routes `/user/` and `/anonymous/`. */
  readonly route?: Partial<RouteOptions>;
  readonly answer?: RequestListener;
  /** Default: `user`, `anonymous`. */
  readonly visitors?: boolean;
}

/** `/none/`, `/machine/`, `/user/` and `/anonymous/` inject what their names say. */
export async function startVisitorLab(options: LabOptions = {}): Promise<VisitorLab> {
  const { route, answer = (_request, response) => void response.end("served"), ...rest } = options;
  const upstream = await startUpstream(answer);
  const sessions = createScriptedSessions();
  const at = { upstream: upstream.origin, upgrade: true };
  const visitors =
    options.visitors === false
      ? []
      : [
          aRoute({ ...at, name: "user", path: "/user/", credential: aVisitorCredential("user"), ...route }),
          aRoute({
            ...at,
            name: "anonymous",
            path: "/anonymous/",
            credential: aVisitorCredential("anonymous"),
            ...route,
          }),
        ];
  const proxy = await startProxy({
    ...rest,
    routes: [
      aRoute({ ...at, name: "none", path: "/none/" }),
      aRoute({ ...at, name: "machine", path: "/machine/", credential: aCredential() }),
      ...visitors,
    ],
    sessions,
  });
  return {
    upstream,
    sessions,
    proxy,
    ask: (line, ...fields) => roundTrip(proxy.port, head(line, ...fields)),
    post(path, body, ...fields) {
      const text = JSON.stringify(body);
      const length = `Content-Length: ${Buffer.byteLength(text)}`;
      const type = "Content-Type: application/json";
      return roundTrip(proxy.port, head(`POST ${path}`, type, length, ...fields) + text);
    },
    tokens: () => upstream.requests.flatMap(({ headers }) => fieldValues(headers, "authorization")),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

/** Status and code of a problem; the code of a page. */
export function outcome(answer: Answer): { readonly status: number; readonly code: string } {
  const code = /details="([A-Z_]+)"/.exec(answer.field("proxy-status") ?? "")?.[1];
  return { status: answer.status, code: code ?? "" };
}

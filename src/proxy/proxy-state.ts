import type { Access, Config, Limits, SecretReference } from "../config/config.ts";
import type { Secret } from "../core/secret.ts";
import { createHostPolicy, type HostPolicy } from "./access.ts";
import type { DestinationsDeps } from "./destination.ts";
import { createRouteTable, type RouteTable } from "./route-table.ts";
import { createVisitorRules, type VisitorRules } from "./visitor.ts";

/** What a request is judged by; exchanged as a whole when the configuration changes. */
export interface ProxyState {
  readonly table: RouteTable;
  readonly isServedHost: HostPolicy;
  readonly access: Access;
  readonly limits: Limits;
  readonly accessLog: boolean;
  /** The proxy's own access token, read when it is needed; undefined: none asked for. */
  readonly accessToken: (() => Secret) | undefined;
  readonly visitors: VisitorRules;
}

export interface ProxyStateDeps extends DestinationsDeps {
  readSecret(reference: SecretReference): Secret;
  /** What stands for a `session.public_url` that was left out; asked for once it serves. */
  ownOrigin(): string;
}

/** Everything of a configuration that a request is judged by. */
export function createProxyState(config: Config, deps: ProxyStateDeps): ProxyState {
  const { token } = config.access;
  return {
    table: createRouteTable(config.routes, deps),
    isServedHost: createHostPolicy({
      hosts: [...config.access.hosts, ...publicHosts(config.session.publicUrl)],
      patterns: config.routes.flatMap(({ tenant }) => (tenant.kind === "host" ? [tenant] : [])),
      anyAddress: false,
    }),
    access: config.access,
    limits: config.limits,
    accessLog: config.log.access,
    accessToken: token === undefined ? undefined : () => deps.readSecret(token),
    visitors: createVisitorRules(config.credentials, config.session, deps.ownOrigin),
  };
}

/** By which a browser on this machine reaches a listener; undefined: one without a port, or with one that is not known. */
export function loopbackOrigin(port: number | undefined): string {
  return port === undefined ? "http://localhost" : new URL(`http://localhost:${port}`).origin;
}

/** The Host values by which a browser, or what stands before us, may name the public URL. */
function publicHosts(url: URL | undefined): readonly string[] {
  if (url === undefined) return [];
  const defaultPort = url.protocol === "https:" ? "443" : "80";
  return url.port === "" ? [url.host, `${url.host}:${defaultPort}`] : [url.host];
}

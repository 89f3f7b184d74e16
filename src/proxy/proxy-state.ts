import type { Access, Limits } from "../config/config.ts";
import type { Secret } from "../core/secret.ts";
import type { HostPolicy } from "./access.ts";
import type { RouteTable } from "./route-table.ts";
import type { VisitorRules } from "./visitor.ts";

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

import type { Config, Route } from "../config/config.ts";
import type { TokenState } from "../token/token-state.ts";
import { readiness } from "./health.ts";
import type { BuildInfo } from "./metrics.ts";
import type { RouteStatus, StatusDocument, TokenStatus, TrafficStatus } from "./status-document.ts";

/** What changes while the process runs. */
export interface Progress {
  /** Unix milliseconds. */
  readonly nowMs: number;
  readonly startedAtMs: number;
  readonly configLoadedAtMs: number;
  /** The latest reload, whatever came of it. */
  readonly lastReloadAtMs: number | undefined;
  readonly configError: string | undefined;
  readonly draining: boolean;
  readonly listen: string;
  readonly admin: string;
  readonly tokens: readonly TokenState[];
  readonly store: { readonly kind: string; readonly isAvailable: boolean };
  /** By credential; empty where it is not known. */
  readonly sessions: ReadonlyMap<string, number>;
  readonly traffic: TrafficStatus;
}

/** The document of `/status.json`: routes, credentials, tenants and the state of each token. No secrets, no tokens. */
export function createStatus(config: Config, build: BuildInfo, progress: Progress): StatusDocument {
  const { draining, tokens, lastReloadAtMs, configError } = progress;
  return {
    version: build.version,
    node: build.node,
    now: iso(progress.nowMs),
    started_at: iso(progress.startedAtMs),
    uptime_seconds: seconds(progress.nowMs - progress.startedAtMs),
    ready: readiness({ listening: progress.listen !== "", draining, tokens }).ok,
    draining,
    listen: progress.listen,
    admin: progress.admin,
    access_token_required: config.access.token !== undefined,
    config: {
      file: config.file,
      loaded_at: iso(progress.configLoadedAtMs),
      ...(lastReloadAtMs === undefined ? {} : { last_reload_at: iso(lastReloadAtMs) }),
      last_reload_successful: configError === undefined,
      ...(configError === undefined ? {} : { error: configError }),
    },
    routes: config.routes.map(routeStatus),
    credentials: [...config.credentials.values()].map((credential) => ({
      name: credential.name,
      provider: credential.provider,
      prefetch: credential.prefetch,
      ...(credential.spec === undefined ? {} : { grant: credential.spec.kind }),
      ...(credential.tenants === undefined ? {} : { tenants: [...credential.tenants.keys()] }),
    })),
    tokens: tokens.map((token) => tokenStatus(token, progress.nowMs)),
    store: { kind: progress.store.kind, available: progress.store.isAvailable },
    sessions: Object.fromEntries(progress.sessions),
    traffic: progress.traffic,
  };
}

function routeStatus(route: Route): RouteStatus {
  const { tenant } = route;
  return {
    name: route.name,
    path: route.path.pattern,
    upstream: route.upstream.href,
    credential: route.credential?.name ?? "none",
    tenant: tenant.kind === "fixed" ? tenant.tenant : tenant.kind,
    ...(tenant.kind === "header" ? { tenant_header: tenant.name } : {}),
    ...(tenant.kind === "host" ? { tenant_host: `${tenant.prefix}{tenant}${tenant.suffix}` } : {}),
    methods: route.methods === undefined ? "any" : [...route.methods],
    deny: route.deny.map(({ method, path }) => `${method} ${path}`),
    ...(route.allow === undefined
      ? {}
      : { allow: route.allow.map(({ method, path }) => `${method} ${path}`) }),
  };
}

function tokenStatus(token: TokenState, nowMs: number): TokenStatus {
  const { lastError } = token;
  return {
    credential: token.credential,
    ...(token.tenant === undefined ? {} : { tenant: token.tenant }),
    grant: token.grant,
    state: token.state,
    ...(token.obtainedAtMs === undefined ? {} : { age_seconds: seconds(nowMs - token.obtainedAtMs) }),
    ...(token.expiresAtMs === undefined
      ? {}
      : { expires_at: iso(token.expiresAtMs), expires_in_seconds: seconds(token.expiresAtMs - nowMs) }),
    ...(token.lifetimeMs === undefined ? {} : { lifetime_seconds: seconds(token.lifetimeMs) }),
    ...(token.scope === undefined ? {} : { scope: token.scope }),
    ...(token.obtainedAtMs === undefined ? {} : { obtained_at: iso(token.obtainedAtMs) }),
    ...(token.lastAttemptAtMs === undefined ? {} : { last_refresh_at: iso(token.lastAttemptAtMs) }),
    ...(token.nextAttemptAtMs === undefined ? {} : { next_attempt_at: iso(token.nextAttemptAtMs) }),
    ...(token.refreshing === undefined ? {} : { refreshing: token.refreshing }),
    ...(lastError === undefined
      ? {}
      : {
          last_error: {
            code: lastError.code,
            reason: lastError.reason,
            hint: lastError.hint,
            ...(lastError.sinceMs === undefined ? {} : { since: iso(lastError.sinceMs) }),
            ...(lastError.attempts === undefined ? {} : { attempts: lastError.attempts }),
          },
        }),
  };
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}

import type { Config } from "../config/config.ts";
import type { TokenState } from "../token/token-state.ts";
import type { BuildInfo } from "./metrics.ts";

/** What changes while the process runs. */
export interface Progress {
  /** Unix milliseconds. */
  readonly nowMs: number;
  readonly startedAtMs: number;
  readonly configLoadedAtMs: number;
  readonly configError: string | undefined;
  readonly draining: boolean;
  readonly listen: string;
  readonly admin: string;
  readonly tokens: readonly TokenState[];
  readonly store: { readonly kind: string; readonly isAvailable: boolean };
  /** By credential; empty where it is not known. */
  readonly sessions: ReadonlyMap<string, number>;
}

/** The document of `/status.json`: routes, credentials, tenants and the state of each token. No secrets, no tokens. */
export function createStatus(config: Config, build: BuildInfo, progress: Progress): object {
  return {
    version: build.version,
    node: build.node,
    started_at: iso(progress.startedAtMs),
    uptime_seconds: seconds(progress.nowMs - progress.startedAtMs),
    draining: progress.draining,
    listen: progress.listen,
    admin: progress.admin,
    config: {
      file: config.file,
      loaded_at: iso(progress.configLoadedAtMs),
      last_reload_successful: progress.configError === undefined,
      ...(progress.configError === undefined ? {} : { error: progress.configError }),
    },
    routes: config.routes.map((route) => ({
      name: route.name,
      path: route.path.pattern,
      upstream: route.upstream.href,
      credential: route.credential?.name ?? "none",
      tenant: route.tenant.kind === "fixed" ? route.tenant.tenant : route.tenant.kind,
      methods: route.methods === undefined ? "any" : [...route.methods],
      deny: route.deny.map(({ method, path }) => `${method} ${path}`),
      ...(route.allow === undefined
        ? {}
        : { allow: route.allow.map(({ method, path }) => `${method} ${path}`) }),
    })),
    credentials: [...config.credentials.values()].map((credential) => ({
      name: credential.name,
      provider: credential.provider,
      prefetch: credential.prefetch,
      ...(credential.spec === undefined ? {} : { grant: credential.spec.kind }),
      ...(credential.tenants === undefined ? {} : { tenants: [...credential.tenants.keys()] }),
    })),
    tokens: progress.tokens.map((token) => tokenStatus(token, progress.nowMs)),
    store: { kind: progress.store.kind, available: progress.store.isAvailable },
    sessions: Object.fromEntries(progress.sessions),
  };
}

function tokenStatus(token: TokenState, nowMs: number): object {
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
    ...(token.lastAttemptAtMs === undefined ? {} : { last_refresh_at: iso(token.lastAttemptAtMs) }),
    ...(token.nextAttemptAtMs === undefined ? {} : { next_attempt_at: iso(token.nextAttemptAtMs) }),
    ...(token.lastError === undefined ? {} : { last_error: token.lastError }),
  };
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}

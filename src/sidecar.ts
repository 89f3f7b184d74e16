import { type AdminState, createAdminHandler } from "./admin/handler.ts";
import { type BuildInfo, createMetrics } from "./admin/metrics.ts";
import { createStatus } from "./admin/status.ts";
import type { Config, ListenAddress } from "./config/config.ts";
import type { SecretSource } from "./config/secret-source.ts";
import type { Random } from "./core/backoff.ts";
import type { Clock } from "./core/clock.ts";
import { ProxyError } from "./core/errors.ts";
import type { Logger } from "./core/log.ts";
import type { MemoryValve } from "./core/memory-valve.ts";
import { createHostPolicy } from "./proxy/access.ts";
import { createHandler, type ProxyState } from "./proxy/handler.ts";
import { rawProblem } from "./proxy/respond.ts";
import { createRouteTable } from "./proxy/route-table.ts";
import { takesUpgrade } from "./proxy/upgrade.ts";
import { createTokenSources, type SourceRequest, type TokenSources } from "./token/token-sources.ts";
import type { TokenState } from "./token/token-state.ts";
import { createHttpListener, type HttpListener } from "./transport/http-listener.ts";

/** What a sidecar needs of the world; built in cmd/, replaced in tests. */
export interface SidecarDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly memory: MemoryValve;
  readonly secrets: SecretSource;
  readonly build: BuildInfo;
  /** A fresh request id. */
  requestId(): string;
  /** `POST /-/reload`: reads the configuration again; rejects with what is wrong with it. */
  reload(): Promise<void>;
  /** `POST /-/quit`. */
  quit(): void;
}

/** Where it serves, with real ports. */
export interface Addresses {
  readonly listen: string;
  readonly admin: string;
}

export interface Sidecar {
  /** Serves. Rejects with Node's error when an address cannot be had. Prefetched tokens come behind. */
  start(): Promise<Addresses>;
  /** Exchanges the configuration as a whole; requests under way keep the one they began with. */
  reload(config: Config): void;
  /** Tells readiness and metrics that a reload was refused; the last good configuration stays. */
  reloadFailed(reason: string): void;
  /** A secret's value changed or could not be read again. */
  secretReloaded(outcome: "success" | "failure"): void;
  /** Goes down quietly. Resolves to the number of connections that had to be cut. */
  drain(): Promise<number>;
  /** Cuts everything. */
  stop(): Promise<void>;
}

/** Puts the rooms together: one configuration, one token engine, a data listener and an admin listener. */
export function createSidecar(initial: Config, deps: SidecarDeps): Sidecar {
  const { clock, log } = deps;
  const metrics = createMetrics(deps.build);
  const tokens = createTokenSources({
    clock,
    random: deps.random,
    log,
    secrets: deps.secrets,
    observer: metrics.token,
  });

  let config = initial;
  let proxyState = createProxyState(initial, deps, tokens, metrics.proxy);
  let adminState = createAdminState(initial);
  let configLoadedAtMs = clock.wall();
  let configError: string | undefined;
  let addresses: Addresses | undefined;
  let draining = false;
  const startedAtMs = clock.wall();
  metrics.configReloaded("success", configLoadedAtMs / 1_000);

  const dataListener: HttpListener = createHttpListener({
    limits: initial.limits,
    clock,
    handle: createHandler({
      clock,
      log,
      memory: deps.memory,
      observer: metrics.proxy,
      requestId: deps.requestId,
      state: () => proxyState,
      locate: (request) => dataListener.locate(request),
      refusal(request, isHandshake) {
        if (dataListener.isOverLimit(request))
          return new ProxyError("OVERLOADED", "More connections are open than limits.connections allows.");
        return isHandshake && dataListener.isClosing()
          ? new ProxyError("SHUTTING_DOWN", "The proxy is shutting down and takes no further upgrades.")
          : undefined;
      },
    }),
    takesUpgrade: (request) => takesUpgrade(request, proxyState.table),
    refuse(error) {
      metrics.proxy.rejected(error.code, undefined, "", error.status);
      return rawProblem(error, deps.requestId());
    },
  });
  const adminListener: HttpListener = createHttpListener({
    limits: initial.limits,
    clock,
    handle: createAdminHandler({
      clock,
      log,
      metrics,
      requestId: deps.requestId,
      state: () => adminState,
      locate: (request) => adminListener.locate(request),
      vitals: () => ({ listening: addresses !== undefined, draining, tokens: configuredTokens() }),
      status: () =>
        createStatus(config, deps.build, {
          nowMs: clock.wall(),
          startedAtMs,
          configLoadedAtMs,
          configError,
          draining,
          listen: addresses?.listen ?? "",
          admin: addresses?.admin ?? "",
          tokens: configuredTokens(),
        }),
      reload: deps.reload,
      quit: deps.quit,
    }),
    refuse: (error) => rawProblem(error, deps.requestId()),
  });

  function prefetch(): void {
    tokens.prefetch([...prefetched(config)]).catch((error: unknown) => {
      log.error("prefetch_failed", { error: error instanceof Error ? error.message : "unknown" });
    });
  }

  /** The engine remembers tokens of tenants that a reload took away; nobody is to be alarmed by them. */
  function configuredTokens(): readonly TokenState[] {
    return tokens.states().filter(({ credential, tenant }) => {
      const known = config.credentials.get(credential);
      return tenant === undefined ? known?.spec !== undefined : known?.tenants?.has(tenant) === true;
    });
  }

  return {
    async start() {
      const admin = await adminListener.listen(initial.admin);
      const listen = await dataListener.listen(initial.listen).catch(async (error: unknown) => {
        await shutDown(tokens, proxyState, adminListener);
        throw error;
      });
      addresses = { listen, admin };
      log.info("listening", addresses);
      prefetch();
      return addresses;
    },
    reload(next) {
      const previous = proxyState;
      proxyState = createProxyState(next, deps, tokens, metrics.proxy);
      warnOfFixedAddresses(config, next, log);
      config = next;
      adminState = createAdminState(next);
      configLoadedAtMs = clock.wall();
      configError = undefined;
      metrics.configReloaded("success", configLoadedAtMs / 1_000);
      tokens.configurationChanged();
      prefetch();
      previous.table.close();
      log.info("config_reloaded", { file: next.file, routes: next.routes.length });
    },
    reloadFailed(reason) {
      configError = reason;
      metrics.configReloaded("failure", clock.wall() / 1_000);
    },
    secretReloaded(outcome) {
      metrics.secretReloaded(outcome);
      if (outcome === "success") tokens.configurationChanged();
    },
    async drain() {
      draining = true;
      await delay(clock, config.drain.delayMs);
      let cut = 0;
      const deadline = clock.schedule(config.drain.timeoutMs, () => {
        cut = dataListener.destroy();
      });
      await dataListener.close();
      deadline.cancel();
      await shutDown(tokens, proxyState, adminListener);
      return cut;
    },
    async stop() {
      draining = true;
      dataListener.destroy();
      await dataListener.close();
      await shutDown(tokens, proxyState, adminListener);
    },
  };
}

function createAdminState(config: Config): AdminState {
  return {
    isServedHost: createHostPolicy({ hosts: config.access.hosts, patterns: [], anyAddress: true }),
    access: config.access,
    limits: config.limits,
    lifecycle: config.adminLifecycle,
  };
}

function createProxyState(
  config: Config,
  deps: SidecarDeps,
  tokens: TokenSources,
  observer: Parameters<typeof createRouteTable>[1]["observer"],
): ProxyState {
  const { token } = config.access;
  return {
    table: createRouteTable(config.routes, {
      observer,
      source: (credential, tenant, spec) => tokens.source(credential, tenant, spec),
    }),
    isServedHost: createHostPolicy({
      hosts: config.access.hosts,
      patterns: config.routes.flatMap(({ tenant }) => (tenant.kind === "host" ? [tenant] : [])),
      anyAddress: false,
    }),
    access: config.access,
    limits: config.limits,
    accessLog: config.log.access,
    accessToken: token === undefined ? undefined : () => deps.secrets.read(token),
  };
}

/** What has to be there before the first request asks for it, tenant by tenant. */
function* prefetched(config: Config): Iterable<SourceRequest> {
  for (const { name, prefetch, spec, tenants } of config.credentials.values()) {
    if (!prefetch) continue;
    if (spec !== undefined) yield { credential: name, tenant: undefined, spec };
    for (const [tenant, tenantSpec] of tenants ?? []) yield { credential: name, tenant, spec: tenantSpec };
  }
}

/** Listeners are opened once: a changed address needs a restart, and that must not pass in silence. */
function warnOfFixedAddresses(before: Config, after: Config, log: Logger): void {
  if (!sameAddress(before.listen, after.listen) || !sameAddress(before.admin, after.admin)) {
    log.warn("restart_needed", { detail: "listen or admin changed; a running process keeps its addresses" });
  }
}

function sameAddress(a: ListenAddress, b: ListenAddress): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function delay(clock: Clock, ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => clock.schedule(ms, resolve));
}

async function shutDown(tokens: TokenSources, state: ProxyState, adminListener: HttpListener): Promise<void> {
  state.table.close();
  const adminClosed = adminListener.close();
  adminListener.destroy();
  await Promise.all([tokens.close(), adminClosed]);
}

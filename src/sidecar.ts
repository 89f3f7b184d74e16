import { type AdminState, createAdminHandler } from "./admin/handler.ts";
import { type BuildInfo, createMetrics } from "./admin/metrics.ts";
import { createStatus } from "./admin/status.ts";
import type { StatusDocument } from "./admin/status-document.ts";
import { createStatusFeed } from "./admin/status-feed.ts";
import { createTraffic } from "./admin/status-traffic.ts";
import { createStoreWatch } from "./admin/store-watch.ts";
import type {
  Config,
  Credential,
  CredentialSpec,
  ListenAddress,
  MachineSpec,
  StoreConfig,
} from "./config/config.ts";
import type { SecretSource } from "./config/secret-source.ts";
import type { Random } from "./core/backoff.ts";
import type { Clock } from "./core/clock.ts";
import { ProxyError } from "./core/errors.ts";
import type { Logger } from "./core/log.ts";
import type { MemoryValve } from "./core/memory-valve.ts";
import { createHostPolicy } from "./proxy/access.ts";
import { createHandler } from "./proxy/handler.ts";
import { createProxyState, loopbackOrigin, type ProxyState } from "./proxy/proxy-state.ts";
import { rawProblem } from "./proxy/respond.ts";
import { takesUpgrade } from "./proxy/upgrade.ts";
import { createSessions } from "./session/create-sessions.ts";
import type { Sessions } from "./session/sessions.ts";
import { openVault } from "./store/open-vault.ts";
import type { Vault } from "./store/vault.ts";
import { createTokenEndpoint } from "./token/token-endpoint.ts";
import { createTokenSources, type SourceRequest } from "./token/token-sources.ts";
import type { TokenState } from "./token/token-state.ts";
import { createHttpListener, type HttpListener } from "./transport/http-listener.ts";

/** What a sidecar needs of the world; built in cmd/, replaced in tests. */
export interface SidecarDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Unguessable bytes, for session ids and seals. */
  randomBytes(size: number): Buffer;
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
  /**
   * Serves. Rejects with Node's error when an address cannot be had, and with `ConfigError` when the store cannot be
   * used as configured; one that is merely down is no reason not to start. Prefetched tokens come behind.
   */
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

/** What a process keeps of its visitors; opened once, whatever is reloaded. */
interface Visitors {
  readonly vault: Vault;
  readonly sessions: Sessions;
}

/**
 * Puts the rooms together: one configuration, one token engine, one store of sessions, a data listener and an admin
 * listener.
 */
export function createSidecar(initial: Config, deps: SidecarDeps): Sidecar {
  const { clock, log } = deps;
  const metrics = createMetrics(deps.build, { sessions: countSessions });
  const store = createStoreWatch(metrics.store);
  const tokens = createTokenSources({
    clock,
    random: deps.random,
    log,
    secrets: deps.secrets,
    observer: metrics.token,
    // SQLite keeps visitors' sessions only: a machine's token is had again, while its age after a restart, when only the
    // wall clock is left to tell it, is not certain.
    vault: () => (initial.store.kind === "redis" ? visitors?.vault : undefined),
  });

  let config = initial;
  let visitors: Visitors | undefined;
  let ownOrigin = "http://localhost";
  const createState = (of: Config): ProxyState =>
    createProxyState(of, {
      observer: metrics.proxy,
      source: (credential, tenant, spec) => tokens.source(credential, tenant, spec),
      readSecret: (reference) => deps.secrets.read(reference),
      ownOrigin: () => ownOrigin,
    });
  let proxyState = createState(initial);
  let adminState = createAdminState(initial);
  let configLoadedAtMs = clock.wall();
  let configError: string | undefined;
  let lastReloadAtMs: number | undefined;
  let addresses: Addresses | undefined;
  let draining = false;
  const startedAtMs = clock.wall();
  metrics.configLoaded(configLoadedAtMs / 1_000);

  const dataListener: HttpListener = createHttpListener({
    limits: initial.limits,
    clock,
    handle: createHandler({
      clock,
      log,
      memory: deps.memory,
      observer: metrics.proxy,
      sessions() {
        if (visitors === undefined) throw new Error("a request came before the store was open");
        return visitors.sessions;
      },
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
    refuse(error, inPlaceOf) {
      metrics.proxy.rejected(error.code, undefined, "", inPlaceOf === undefined ? error.status : undefined);
      return rawProblem(error, deps.requestId());
    },
  });
  const traffic = createTraffic(clock, metrics.traffic);
  const recentSessions = rarely(clock, SESSIONS_INTERVAL_MS, countSessions);
  const feed = createStatusFeed({
    clock,
    status: async () => describe(await recentSessions()),
    samples: traffic.samples,
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
      status: async () => describe(await countSessions()),
      events: feed,
      reload: deps.reload,
      quit: deps.quit,
    }),
    refuse: (error) => rawProblem(error, deps.requestId()),
  });

  function describe(sessions: ReadonlyMap<string, number>): StatusDocument {
    return createStatus(config, deps.build, {
      nowMs: clock.wall(),
      startedAtMs,
      configLoadedAtMs,
      lastReloadAtMs,
      configError,
      draining,
      listen: addresses?.listen ?? "",
      admin: addresses?.admin ?? "",
      tokens: configuredTokens(),
      store: { kind: initial.store.kind, isAvailable: store.isAvailable() },
      sessions,
      traffic: traffic.recent(),
    });
  }

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

  /** Of the visitors' credentials of the configuration; none where the store cannot be asked. */
  async function countSessions(): Promise<ReadonlyMap<string, number>> {
    const counts = await visitors?.sessions.counts().catch(() => undefined);
    const known = [...config.credentials.values()].filter(isVisitors);
    return new Map(counts === undefined ? [] : known.map(({ name }) => [name, counts.get(name) ?? 0]));
  }

  async function openVisitors(): Promise<Visitors> {
    const { secrets, random, randomBytes } = deps;
    const vaultDeps = { clock, secrets, log, observer: store.observer, randomBytes };
    const vault = await openVault(initial.store, vaultDeps);
    const sessions = createSessions({
      clock,
      random,
      randomBytes,
      log,
      secrets,
      vault,
      endpoint: createTokenEndpoint(clock),
      pacer: tokens.pacer,
      observer: metrics.token,
      appSource: (credential, spec) => tokens.source(credential, undefined, spec),
      settings: () => ({
        credentials: config.credentials,
        session: config.session,
        publicUrl: config.session.publicUrl ?? new URL(ownOrigin),
      }),
    });
    return { vault, sessions };
  }

  async function shutDown(): Promise<void> {
    proxyState.table.close();
    traffic.stop();
    feed.close();
    const adminClosed = adminListener.close();
    adminListener.destroy();
    await Promise.all([tokens.close(), adminClosed]);
    await visitors?.sessions.close();
    await visitors?.vault.close();
  }

  return {
    async start() {
      visitors = await openVisitors();
      const admin = await adminListener.listen(initial.admin).catch(async (error: unknown) => {
        await shutDown();
        throw error;
      });
      const listen = await dataListener.listen(initial.listen).catch(async (error: unknown) => {
        await shutDown();
        throw error;
      });
      ownOrigin = originOf(listen, initial.listen);
      addresses = { listen, admin };
      log.info("listening", addresses);
      traffic.start();
      prefetch();
      return addresses;
    },
    reload(next) {
      const previous = proxyState;
      proxyState = createState(next);
      warnOfWhatIsFixed(initial, config, next, log);
      config = next;
      adminState = createAdminState(next);
      configLoadedAtMs = clock.wall();
      lastReloadAtMs = configLoadedAtMs;
      configError = undefined;
      metrics.configReloaded("success", configLoadedAtMs / 1_000);
      tokens.configurationChanged();
      prefetch();
      previous.table.close();
      log.info("config_reloaded", { file: next.file, routes: next.routes.length });
    },
    reloadFailed(reason) {
      configError = reason;
      lastReloadAtMs = clock.wall();
      metrics.configReloaded("failure", lastReloadAtMs / 1_000);
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
      await shutDown();
      return cut;
    },
    async stop() {
      draining = true;
      dataListener.destroy();
      await dataListener.close();
      await shutDown();
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

/** By which a browser on this machine reaches the data listener. */
function originOf(listen: string, { kind }: ListenAddress): string {
  return loopbackOrigin(kind === "unix" ? undefined : Number(listen.split(":").at(-1)));
}

function isVisitors({ spec }: Credential): boolean {
  return spec !== undefined && !isMachine(spec);
}

function isMachine(spec: CredentialSpec): spec is MachineSpec {
  return spec.kind !== "user" && spec.kind !== "anonymous";
}

/** What has to be there before the first request asks for it, tenant by tenant. */
function* prefetched(config: Config): Iterable<SourceRequest> {
  for (const { name, prefetch, spec, tenants } of config.credentials.values()) {
    if (!prefetch) continue;
    if (spec !== undefined && isMachine(spec)) yield { credential: name, tenant: undefined, spec };
    for (const [tenant, tenantSpec] of tenants ?? [])
      if (isMachine(tenantSpec)) yield { credential: name, tenant, spec: tenantSpec };
  }
}

/** Listeners and the store are opened once: a change needs a restart, and that must not pass in silence. */
function warnOfWhatIsFixed(opened: Config, before: Config, after: Config, log: Logger): void {
  if (!isSame(before.listen, after.listen) || !isSame(before.admin, after.admin)) {
    log.warn("restart_needed", { detail: "listen or admin changed; a running process keeps its addresses" });
  }
  if (!isSame(opened.store, after.store)) {
    log.warn("restart_needed", { detail: "store changed; a running process keeps the one it opened" });
  }
}

function isSame(a: ListenAddress | StoreConfig, b: ListenAddress | StoreConfig): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The page looks every second; a store is not asked that often how many sessions it has. */
const SESSIONS_INTERVAL_MS = 10_000;

/** Asks once per interval; in between, and while it is asked, the last answer stands. */
function rarely<T>(clock: Clock, intervalMs: number, ask: () => Promise<T>): () => Promise<T> {
  let last: { readonly answer: Promise<T>; readonly atMs: number } | undefined;
  return () => {
    if (last === undefined || clock.now() - last.atMs >= intervalMs)
      last = { answer: ask(), atMs: clock.now() };
    return last.answer;
  };
}

function delay(clock: Clock, ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => clock.schedule(ms, resolve));
}

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { ERROR_TABLE } from "../core/errors.ts";
import type { DestinationObserver, ProxyObserver } from "../proxy/observer.ts";
import type { StoreObserver, StoreOperation, StoreOutcome } from "../store/store.ts";
import type { CredentialObserver, TokenObserver } from "../token/observer.ts";
import type { RouteTotals, TrafficCounters } from "./status-traffic.ts";

/** Everything that is counted, and its text for Prometheus. The only importer of prom-client. */
export interface Metrics {
  readonly proxy: ProxyObserver;
  readonly token: TokenObserver;
  readonly store: StoreObserver;
  secretReloaded(outcome: "success" | "failure"): void;
  /** The first configuration, which is no reload. `atUnixSeconds` is when it was applied. */
  configLoaded(atUnixSeconds: number): void;
  configReloaded(outcome: "success" | "failure", atUnixSeconds: number): void;
  /** The same counters of requests, for the status page. */
  readonly traffic: TrafficCounters;
  readonly contentType: string;
  text(): Promise<string>;
  /** What there is to be counted, for the reference. */
  definitions(): readonly MetricDefinition[];
}

export interface MetricDefinition {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

export interface BuildInfo {
  readonly version: string;
  /** Node's version, as `v26.10.0`. */
  readonly node: string;
}

/** Seconds, from a warm local hop to the longest wait that a route allows by default. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Methods are labels only when they are known: a caller's own words never become a series. */
const METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "TRACE",
]);

function methodLabel(method: string): string {
  return METHODS.has(method) ? method : "other";
}

/** What is asked for when somebody scrapes. */
export interface MetricsSources {
  /** Sessions there are, by credential; empty where it is not known. Must neither wait nor reject. */
  sessions(): Promise<ReadonlyMap<string, number>>;
}

export function createMetrics({ version, node }: BuildInfo, sources: MetricsSources): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "pillion_build_info",
    help: "Always 1; the version of Pillion and of Node as labels.",
    labelNames: ["version", "node"],
    registers,
  }).set({ version, node }, 1);

  const config = createConfigMetrics(registry);
  new Gauge({
    name: "pillion_sessions",
    help: "Sessions that hold a visitor's token, by credential; as last known while the store cannot be asked.",
    labelNames: ["credential"],
    registers,
    async collect() {
      this.reset();
      for (const [credential, count] of await sources.sessions()) this.set({ credential }, count);
    },
  });
  const { proxy, traffic } = createProxyMetrics(registry);
  return {
    proxy,
    traffic,
    token: createTokenMetrics(registry),
    store: createStoreMetrics(registry),
    secretReloaded: config.secretReloaded,
    configLoaded: config.configLoaded,
    configReloaded: config.configReloaded,
    contentType: registry.contentType,
    text: () => registry.metrics(),
    definitions: () =>
      registry.getMetricsAsArray().map((metric) => {
        // Held by every metric, and left out of prom-client's types.
        const { labelNames = [] } = metric as { readonly labelNames?: readonly string[] };
        return { name: metric.name, type: String(metric.type), help: metric.help, labels: labelNames };
      }),
  };
}

function createConfigMetrics(
  registry: Registry,
): Pick<Metrics, "secretReloaded" | "configLoaded" | "configReloaded"> {
  const registers = [registry];
  const secretReloads = new Counter({
    name: "pillion_secret_reloads_total",
    help: "Secrets read again because they may have changed, by outcome (success, failure).",
    labelNames: ["outcome"],
    registers,
  });
  const configReloads = new Counter({
    name: "pillion_config_reloads_total",
    help: "Configuration reloads by outcome (success, failure). After a failure the last good one stays.",
    labelNames: ["outcome"],
    registers,
  });
  const lastSuccessful = new Gauge({
    name: "pillion_config_last_reload_successful",
    help: "1 when the configuration was last read without a fault, else 0.",
    registers,
  });
  const lastSuccess = new Gauge({
    name: "pillion_config_last_reload_success_timestamp_seconds",
    help: "Unix time at which the configuration in use was applied.",
    registers,
  });
  for (const outcome of ["success", "failure"]) {
    secretReloads.inc({ outcome }, 0);
    configReloads.inc({ outcome }, 0);
  }
  const configLoaded = (atUnixSeconds: number): void => {
    lastSuccessful.set(1);
    lastSuccess.set(atUnixSeconds);
  };
  return {
    secretReloaded: (outcome) => secretReloads.inc({ outcome }),
    configLoaded,
    configReloaded(outcome, atUnixSeconds) {
      configReloads.inc({ outcome });
      if (outcome === "success") configLoaded(atUnixSeconds);
      else lastSuccessful.set(0);
    },
  };
}

const MAX_DIRTY = 1_000;

/**
 * What happens with every request is counted in plain numbers, and told to the registry's counters when those are read: a
 * label set's own way to its value costs as much as a header field's.
 */
class Tally {
  #dirty: TalliedCounter[] = [];

  of(counter: Counter.Internal): TalliedCounter {
    return new TalliedCounter(counter, (dirty) => {
      this.#dirty.push(dirty);
      // Each reload makes new ones, and it may be that nobody ever reads.
      if (this.#dirty.length >= MAX_DIRTY) this.collect();
    });
  }

  collect(): void {
    for (const counter of this.#dirty) counter.flush();
    this.#dirty = [];
  }
}

class TalliedCounter {
  readonly #counter: Counter.Internal;
  readonly #onFirst: (counter: TalliedCounter) => void;
  #pending = 0;

  constructor(counter: Counter.Internal, onFirst: (counter: TalliedCounter) => void) {
    this.#counter = counter;
    this.#onFirst = onFirst;
  }

  inc(): void {
    this.#pending += 1;
    if (this.#pending === 1) this.#onFirst(this);
  }

  flush(): void {
    this.#counter.inc(this.#pending);
    this.#pending = 0;
  }
}

function createProxyMetrics(registry: Registry): Pick<Metrics, "proxy" | "traffic"> {
  const registers = [registry];
  const requests = new Counter({
    name: "pillion_requests_total",
    help: "Requests answered, by route, configured tenant, method and status code (499: the caller left first).",
    labelNames: ["route", "tenant", "method", "code"],
    registers,
    collect: () => answered.collect(),
  });
  const answered = new Tally();
  const duration = new Histogram({
    name: "pillion_request_duration_seconds",
    help: "From the request's head to the end of its answer.",
    labelNames: ["route", "method"],
    buckets: BUCKETS,
    registers,
  });
  const upstreamDuration = new Histogram({
    name: "pillion_upstream_duration_seconds",
    help: "From the dispatch to the head of the upstream's answer.",
    labelNames: ["route"],
    buckets: BUCKETS,
    registers,
  });
  const inFlight = new Gauge({
    name: "pillion_requests_in_flight",
    help: "Requests under way.",
    labelNames: ["route"],
    registers,
    collect() {
      for (const [route, { count }] of flying) this.set({ route }, count);
    },
  });
  const flying = new Map<string, { count: number }>();
  const rejected = new Counter({
    name: "pillion_rejected_total",
    help: "Requests that Pillion answered itself instead of an upstream, by error code.",
    labelNames: ["reason"],
    registers,
  });
  const unauthorized = new Counter({
    name: "pillion_upstream_401_total",
    help: "Upstream answers 401 on routes with a credential, by what was done (replayed, passed).",
    labelNames: ["route", "action"],
    registers,
  });
  for (const reason of Object.keys(ERROR_TABLE)) rejected.inc({ reason }, 0);

  function createDestinationObserver(route: string, tenant: string): DestinationObserver {
    const upstream = upstreamDuration.labels({ route });
    const ofRoute = flying.get(route) ?? { count: 0 };
    flying.set(route, ofRoute);
    const byMethod = new Map<string, { duration: Histogram.Internal<string>; byStatus: TalliedCounter[] }>();
    return {
      started() {
        ofRoute.count += 1;
      },
      finished(rawMethod, status, seconds, upstreamSeconds) {
        ofRoute.count -= 1;
        const method = methodLabel(rawMethod);
        let children = byMethod.get(method);
        if (children === undefined) {
          children = { duration: duration.labels({ route, method }), byStatus: [] };
          byMethod.set(method, children);
        }
        children.duration.observe(seconds);
        let counter = children.byStatus[status];
        if (counter === undefined) {
          counter = answered.of(requests.labels({ route, tenant, method, code: String(status) }));
          children.byStatus[status] = counter;
        }
        counter.inc();
        if (upstreamSeconds !== undefined) upstream.observe(upstreamSeconds);
      },
      failed: (reason) => rejected.inc({ reason }),
      unauthorized: (action) => unauthorized.inc({ route, action }),
    };
  }

  return {
    proxy: {
      destination: (route, tenant) => createDestinationObserver(route, tenant ?? ""),
      rejected(reason, route, method, status) {
        rejected.inc({ reason });
        if (status === undefined) return;
        requests.inc({ route: route ?? "", tenant: "", method: methodLabel(method), code: String(status) });
      },
    },
    traffic: {
      bounds: BUCKETS,
      async read() {
        const flying = (await inFlight.get()).values.reduce((total, { value }) => total + value, 0);
        return { routes: await totals(requests, duration), inFlight: flying };
      },
    },
  };
}

/** Route by route; the counters are in memory, so that only as much is waited as their library insists on. */
async function totals(
  requests: Counter<"route" | "code">,
  duration: Histogram<"route" | "le">,
): Promise<ReadonlyMap<string, RouteTotals>> {
  const routes = new Map<string, RouteTotals>();
  const of = (route: string | number = ""): RouteTotals => {
    let known = routes.get(String(route));
    if (known === undefined) {
      known = { requests: 0, clientErrors: 0, serverErrors: 0, durations: [] };
      routes.set(String(route), known);
    }
    return known;
  };
  for (const { labels, value } of (await requests.get()).values) {
    const total = of(labels.route);
    const code = Number(labels.code);
    total.requests += value;
    if (code >= 500) total.serverErrors += value;
    else if (code >= 400) total.clientErrors += value;
  }
  let below = 0; // Buckets come in their order, each with all that are below it.
  for (const { metricName, labels, value } of (await duration.get()).values) {
    if (metricName?.endsWith("_bucket") !== true) continue;
    const index = labels.le === "+Inf" ? BUCKETS.length : BUCKETS.indexOf(Number(labels.le));
    if (index === 0) below = 0;
    const { durations } = of(labels.route);
    durations[index] = (durations[index] ?? 0) + value - below;
    below = value;
  }
  return routes;
}

function createTokenMetrics(registry: Registry): TokenObserver {
  const registers = [registry];
  const requests = new Counter({
    name: "pillion_token_requests_total",
    help: "Requests to token endpoints by outcome (success, rejected, or what failed).",
    labelNames: ["credential", "tenant", "grant", "outcome"],
    registers,
  });
  const duration = new Histogram({
    name: "pillion_token_request_duration_seconds",
    help: "Token exchanges from the first byte sent to the last byte read.",
    labelNames: ["credential"],
    buckets: BUCKETS,
    registers,
  });
  const expiry = new Gauge({
    name: "pillion_token_expiry_timestamp_seconds",
    help: "Unix time at which the cached token expires.",
    labelNames: ["credential", "tenant"],
    registers,
  });
  const served = new Counter({
    name: "pillion_token_served_total",
    help: "Tokens handed to requests: fresh (waited for), cached, advisory (a refresh runs behind).",
    labelNames: ["credential", "source"],
    registers,
    collect: () => handedOut.collect(),
  });
  const handedOut = new Tally();
  const unavailable = new Counter({
    name: "pillion_token_unavailable_total",
    help: "Requests that got no token, by reason.",
    labelNames: ["credential", "reason"],
    registers,
  });
  return {
    credential(credential, tenant = "", grant): CredentialObserver {
      const durations = duration.labels({ credential });
      const bySource = {
        fresh: handedOut.of(served.labels({ credential, source: "fresh" })),
        cached: handedOut.of(served.labels({ credential, source: "cached" })),
        advisory: handedOut.of(served.labels({ credential, source: "advisory" })),
      };
      return {
        requested(outcome, seconds) {
          requests.inc({ credential, tenant, grant, outcome });
          durations.observe(seconds);
        },
        expiry: (unixSeconds) => expiry.set({ credential, tenant }, unixSeconds),
        served: (source) => bySource[source].inc(),
        unavailable: (reason) => unavailable.inc({ credential, reason }),
      };
    },
  };
}

const STORE_OPERATIONS: readonly StoreOperation[] = ["read", "write", "remove", "take", "lock", "count"];
const STORE_OUTCOMES: readonly StoreOutcome[] = ["success", "unavailable", "skipped", "unreadable"];

function createStoreMetrics(registry: Registry): StoreObserver {
  const operations = new Counter({
    name: "pillion_store_operations_total",
    help: "Operations on the store of sessions: skipped ones were not tried, since it had just been unavailable.",
    labelNames: ["op", "outcome"],
    registers: [registry],
  });
  for (const op of STORE_OPERATIONS) for (const outcome of STORE_OUTCOMES) operations.inc({ op, outcome }, 0);
  return { operated: (op, outcome) => operations.inc({ op, outcome }) };
}

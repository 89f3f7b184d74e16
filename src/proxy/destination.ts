import { LRUCache } from "lru-cache";
import type { MachineSpec, Route } from "../config/config.ts";
import { ProxyError } from "../core/errors.ts";
import { atMost } from "../core/lru.ts";
import type { TokenSource } from "../token/token-source.ts";
import { createConnector } from "../transport/connector.ts";
import { createHttp1Pool, type Http1PoolOptions } from "../transport/http1-pool.ts";
import { createHttp2Pool } from "../transport/http2-pool.ts";
import { createTrailerSlot, type TrailerSlot } from "../transport/request-trailers.ts";
import type { UpstreamPool } from "../transport/upstream-pool.ts";
import type { DestinationObserver, ProxyObserver } from "./observer.ts";

/**
 * Destinations of a route kept at once; those least recently used are closed, and made again when asked for. Each may
 * keep a socket of about 40 KiB, so that ten thousand tenants that come by once cost no more than a thousand.
 */
const MAX_DESTINATIONS = 1_000;

/** Requests that may wait for a socket, by the sockets there may be: a burst finds room, an upstream that hangs does not. */
const WAITING_PER_CONNECTION = 16;
const MIN_WAITING = 128;

/** Sockets without a request are closed after this long, or when the upstream's `Keep-Alive` says so. */
const KEEP_ALIVE_MS = 15_000;
const KEEP_ALIVE_MAX_MS = 60_000;

/** Of an upstream's answer. */
const MAX_HEADER_BYTES = 65_536;

/** One route and tenant: a token source, sockets shared with no other tenant, and its metrics. */
export interface Destination {
  readonly route: Route;
  readonly tenant: string | undefined;
  /** undefined: nothing is injected, or each visitor's own token. */
  readonly source: TokenSource | undefined;
  readonly observer: DestinationObserver;
  readonly dispatcher: UpstreamPool;
  /** For the trailers of a request whose body ends. */
  readonly trailers: TrailerSlot;
  /** Counts a request in; the sockets stay until it is counted out. True: it has to wait for a socket. */
  acquire(): boolean;
  /** Its socket was upgraded: it is none of the pool's any more, and whoever waits for one does not wait for it. */
  leavePool(): void;
  /** `left`: after `leavePool()`. */
  release(left: boolean): void;
  /** Nobody waits for a request's answer any more, but it stays in line until a socket comes free: to be told before `release()`. */
  abandon(): void;
  /** One that was abandoned is out of the line. */
  forget(): void;
}

export interface DestinationsDeps {
  readonly observer: ProxyObserver;
  source(credential: string, tenant: string | undefined, spec: MachineSpec): TokenSource;
}

/** The destinations of one route, made when they are first asked for. */
export interface Destinations {
  readonly route: Route;
  /** Throws TENANT_UNKNOWN for a tenant that is not configured, OVERLOADED where too many requests wait already. */
  get(tenant: string | undefined): Destination;
  /** Closes every destination once its requests have ended. */
  close(): void;
}

export function createDestinations(route: Route, deps: DestinationsDeps): Destinations {
  const { connectMs: timeoutMs } = route.timeouts;
  const trailers = createTrailerSlot();
  const connector = createConnector(route.connection, { timeoutMs });
  // ALPN is part of TLS: without it there is nothing to choose by.
  const http2Connector =
    route.http2 && route.upstream.protocol === "https:"
      ? createConnector(route.connection, { timeoutMs, offersHttp2: true })
      : undefined;
  const cache = new LRUCache<string, RetirableDestination>({
    ...atMost(MAX_DESTINATIONS),
    dispose: (destination) => destination.retire(),
  });
  const canonicalNames = route.tenant.kind === "host" ? lowerCaseIndex(route) : undefined;

  function create(tenant: string | undefined): RetirableDestination {
    const { credential } = route;
    const spec = tenant === undefined ? credential?.spec : credential?.tenants?.get(tenant);
    if (credential !== undefined && spec === undefined) {
      throw new ProxyError(
        "TENANT_UNKNOWN",
        `The tenant is not configured for credential ${credential.name}. Check its spelling and case, or add it there.`,
      );
    }
    const isVisitors = spec?.kind === "user" || spec?.kind === "anonymous";
    const source =
      credential === undefined || spec === undefined || isVisitors
        ? undefined
        : deps.source(credential.name, tenant, spec);
    const http1: Http1PoolOptions = {
      upstream: route.upstream,
      connector,
      connections: route.connections,
      keepAliveMs: KEEP_ALIVE_MS,
      keepAliveMaxMs: KEEP_ALIVE_MAX_MS,
      headersTimeoutMs: route.timeouts.headersMs,
      idleTimeoutMs: route.timeouts.idleMs,
      maxHeaderBytes: MAX_HEADER_BYTES,
      trailers,
    };
    const dispatcher =
      http2Connector === undefined
        ? createHttp1Pool(http1)
        : createHttp2Pool({ http1, connector: http2Connector, connectTimeoutMs: timeoutMs });
    return createRetirable({
      route,
      tenant,
      source,
      dispatcher,
      trailers,
      observer: deps.observer.destination(route.name, tenant),
    });
  }

  return {
    route,
    get(asked) {
      const tenant =
        asked === undefined || canonicalNames === undefined ? asked : (canonicalNames.get(asked) ?? asked);
      const key = tenant ?? "";
      let destination = cache.get(key);
      if (destination === undefined) {
        destination = create(tenant);
        cache.set(key, destination);
      } else if (destination.isFull()) throw overloaded(route);
      return destination;
    },
    close: () => cache.clear(),
  };
}

/** Host names come lower-case; tenant names keep their case. */
function lowerCaseIndex(route: Route): ReadonlyMap<string, string> {
  return new Map([...(route.credential?.tenants?.keys() ?? [])].map((name) => [name.toLowerCase(), name]));
}

function overloaded({ name }: Route): ProxyError {
  return new ProxyError(
    "OVERLOADED",
    `Too many requests wait for a connection to the upstream of route ${name} (connections). Try again.`,
  );
}

interface RetirableDestination extends Destination {
  retire(): void;
  isFull(): boolean;
}

function createRetirable(
  parts: Omit<Destination, "acquire" | "release" | "leavePool" | "abandon" | "forget">,
): RetirableDestination {
  const { connections } = parts.route;
  const maxInFlight = connections + Math.max(MIN_WAITING, WAITING_PER_CONNECTION * connections);
  let inFlight = 0;
  let upgraded = 0;
  /** A line in which nothing moves keeps them, and would be without end where nobody waits long. */
  let abandoned = 0;
  let retired = false;
  const close = (): void => {
    parts.dispatcher.close().catch(() => parts.dispatcher.destroy());
  };
  return {
    ...parts,
    acquire() {
      return ++inFlight > connections;
    },
    isFull: () => inFlight + abandoned >= maxInFlight,
    abandon() {
      abandoned++;
    },
    forget() {
      abandoned--;
    },
    leavePool() {
      inFlight--;
      upgraded++;
    },
    release(left) {
      if (left) upgraded--;
      else inFlight--;
      if (retired && inFlight === 0 && upgraded === 0) close();
    },
    retire() {
      retired = true;
      if (inFlight === 0 && upgraded === 0) close();
    },
  };
}

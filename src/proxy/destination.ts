import { LRUCache } from "lru-cache";
import { Pool } from "undici";
import type { CredentialSpec, Route } from "../config/config.ts";
import { ProxyError } from "../core/errors.ts";
import type { TokenSource } from "../token/token-source.ts";
import { createConnector } from "../transport/connector.ts";
import type { DestinationObserver, ProxyObserver } from "./observer.ts";

/** Destinations of a route kept at once; those least recently used are closed, and made again when asked for. */
const MAX_DESTINATIONS = 10_000;

/** Sockets without a request are closed after this long, or when the upstream's `Keep-Alive` says so. */
const KEEP_ALIVE_MS = 15_000;
const KEEP_ALIVE_MAX_MS = 60_000;

/** One route and tenant: a token source, sockets shared with no other tenant, and its metrics. */
export interface Destination {
  readonly route: Route;
  readonly tenant: string | undefined;
  /** undefined: nothing is injected. */
  readonly source: TokenSource | undefined;
  readonly observer: DestinationObserver;
  readonly dispatcher: Pool;
  /** Counts a request in; the sockets stay until it is counted out. True: it has to wait for a socket. */
  acquire(): boolean;
  release(): void;
}

export interface DestinationsDeps {
  readonly observer: ProxyObserver;
  source(credential: string, tenant: string | undefined, spec: CredentialSpec): TokenSource;
}

/** The destinations of one route, made when they are first asked for. */
export interface Destinations {
  readonly route: Route;
  /** Throws TENANT_UNKNOWN for a tenant that is not configured. */
  get(tenant: string | undefined): Destination;
  /** Closes every destination once its requests have ended. */
  close(): void;
}

export function createDestinations(route: Route, deps: DestinationsDeps): Destinations {
  const connector = createConnector(route.connection, { timeoutMs: route.timeouts.connectMs });
  // The cache takes memory for its maximum at once, so a route has one for as many tenants as there are.
  const cache = new LRUCache<string, RetirableDestination>({
    max: Math.min(MAX_DESTINATIONS, Math.max(1, route.credential?.tenants?.size ?? 1)),
    dispose: (destination) => destination.retire(),
  });
  const canonicalNames = route.tenant.kind === "host" ? lowerCaseIndex(route) : undefined;

  function create(tenant: string | undefined): RetirableDestination {
    const { credential } = route;
    const spec = tenant === undefined ? credential?.spec : credential?.tenants?.get(tenant);
    if (credential !== undefined && spec === undefined) {
      throw new ProxyError(
        "TENANT_UNKNOWN",
        `The tenant is not configured for credential ${credential.name}.`,
      );
    }
    const source =
      credential === undefined || spec === undefined ? undefined : deps.source(credential.name, tenant, spec);
    const dispatcher = new Pool(route.upstream.origin, {
      connect: connector,
      connections: route.connections,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
      maxHeaderSize: 65_536,
      headersTimeout: route.timeouts.headersMs,
      bodyTimeout: route.timeouts.idleMs,
      allowH2: false,
    });
    return createRetirable({
      route,
      tenant,
      source,
      dispatcher,
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
      }
      return destination;
    },
    close: () => cache.clear(),
  };
}

/** Host names come lower-case; tenant names keep their case. */
function lowerCaseIndex(route: Route): ReadonlyMap<string, string> {
  return new Map([...(route.credential?.tenants?.keys() ?? [])].map((name) => [name.toLowerCase(), name]));
}

interface RetirableDestination extends Destination {
  retire(): void;
}

function createRetirable(parts: Omit<Destination, "acquire" | "release">): RetirableDestination {
  let inFlight = 0;
  let retired = false;
  const close = (): void => {
    parts.dispatcher.close().catch(() => parts.dispatcher.destroy());
  };
  return {
    ...parts,
    acquire() {
      return ++inFlight > parts.route.connections;
    },
    release() {
      inFlight--;
      if (retired && inFlight === 0) close();
    },
    retire() {
      retired = true;
      if (inFlight === 0) close();
    },
  };
}

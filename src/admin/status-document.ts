/**
 * What `/status.json` answers and the status page shows. Public: members are added, not renamed. Times are ISO 8601, spans
 * seconds with one decimal. No secrets, no tokens, no value from a request.
 */
export interface StatusDocument {
  readonly version: string;
  /** Node's, as `v26.10.0`. */
  readonly node: string;
  /** This process's own time, so that a reader's clock does not matter. */
  readonly now: string;
  readonly started_at: string;
  readonly uptime_seconds: number;
  /** As `/readyz`. */
  readonly ready: boolean;
  readonly draining: boolean;
  /** Addresses with real ports. */
  readonly listen: string;
  readonly admin: string;
  /** Whether callers have to send the proxy's own access token. */
  readonly access_token_required: boolean;
  readonly config: ConfigStatus;
  readonly routes: readonly RouteStatus[];
  readonly credentials: readonly CredentialStatus[];
  /** One for each credential and tenant that was asked for since the start. */
  readonly tokens: readonly TokenStatus[];
  readonly store: { readonly kind: string; readonly available: boolean };
  /** By credential; empty where the store cannot be asked. */
  readonly sessions: Readonly<Record<string, number>>;
  readonly traffic: TrafficStatus;
}

export interface ConfigStatus {
  readonly file: string;
  /** When the configuration in use was applied. */
  readonly loaded_at: string;
  /** The latest reload, whatever came of it; absent before the first. */
  readonly last_reload_at?: string;
  readonly last_reload_successful: boolean;
  /** Every fault of the configuration on disk, one a line; absent when there is none. */
  readonly error?: string;
}

export interface RouteStatus {
  readonly name: string;
  readonly path: string;
  readonly upstream: string;
  /** `none`: nothing is injected. */
  readonly credential: string;
  /** `none`, `path`, `header`, `host`, or the fixed tenant's name. */
  readonly tenant: string;
  readonly tenant_header?: string;
  readonly tenant_host?: string;
  readonly methods: "any" | readonly string[];
  readonly deny: readonly string[];
  readonly allow?: readonly string[];
}

export interface CredentialStatus {
  readonly name: string;
  readonly provider: string;
  readonly prefetch: boolean;
  /** Absent for a credential with tenants, whose tokens say it. */
  readonly grant?: string;
  readonly tenants?: readonly string[];
}

export interface TokenStatus {
  readonly credential: string;
  readonly tenant?: string;
  readonly grant: string;
  /** fresh, advisory, mandatory, expired; rejected: none, and the server refuses the client; none: not had yet. */
  readonly state: string;
  readonly age_seconds?: number;
  readonly expires_at?: string;
  readonly expires_in_seconds?: number;
  readonly lifetime_seconds?: number;
  readonly scope?: string;
  /** When the token in use was had. */
  readonly obtained_at?: string;
  /** When the token endpoint was last asked, whatever came of it. */
  readonly last_refresh_at?: string;
  /** When a renewal or a retry is due; absent while nobody needs one. */
  readonly next_attempt_at?: string;
  /** An exchange is under way. */
  readonly refreshing?: true;
  /** Gone with the next success. */
  readonly last_error?: TokenFault;
}

export interface TokenFault {
  readonly code: string;
  readonly reason: string;
  /** What to do. */
  readonly hint: string;
  /** The first failure since the last success. */
  readonly since?: string;
  /** Failures in a row. */
  readonly attempts?: number;
}

/** What went through within the latest `window_seconds`, about a minute. */
export interface TrafficStatus extends TrafficFigures {
  readonly window_seconds: number;
  readonly in_flight: number;
  /** Routes that had any, by name. */
  readonly routes: Readonly<Record<string, TrafficFigures>>;
}

export interface TrafficFigures {
  readonly requests_per_second: number;
  /** Parts of 1, by status code. */
  readonly client_error_ratio: number;
  readonly server_error_ratio: number;
  /** From the request's head to the end of its answer, estimated from a histogram; absent without requests. */
  readonly latency_p50_seconds?: number;
  readonly latency_p95_seconds?: number;
}

/** A point of the page's charts: what ended within `TRAFFIC_INTERVAL_MS` before `at`. */
export interface TrafficSample extends TrafficFigures {
  /** Unix seconds. */
  readonly at: number;
}

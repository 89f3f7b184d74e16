export type LogLevel = "error" | "warn" | "info" | "debug";

/**
 * The only fields a log line may carry beside time, level and event. Names are added here on purpose: what is not
 * listed cannot be logged, so a token or a header cannot slip in by an object spread.
 */
export interface LogFields {
  readonly admin?: string;
  readonly attempt?: number;
  readonly bytes?: number;
  readonly client?: string;
  readonly code?: string;
  readonly credential?: string;
  readonly detail?: string;
  readonly duration_ms?: number;
  readonly error?: string;
  readonly expires_in?: number;
  readonly file?: string;
  readonly grant?: string;
  readonly listen?: string;
  readonly method?: string;
  readonly outcome?: string;
  readonly path?: string;
  readonly reason?: string;
  readonly request_id?: string;
  readonly retry_in_ms?: number;
  readonly route?: string;
  readonly routes?: number;
  readonly signal?: string;
  readonly status?: number;
  readonly tenant?: string;
  readonly tenants?: number;
  readonly trace_id?: string;
  readonly upstream?: string;
  readonly upstream_ms?: number;
  readonly url?: string;
  readonly version?: string;
}

/** Logs are events with fields, not sentences. `event` is a stable, lower-case, snake_case name. */
export interface Logger {
  error(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
}

/** Swallows everything; for tests and embedders that do not care. */
export const silentLogger: Logger = { error() {}, warn() {}, info() {}, debug() {} };

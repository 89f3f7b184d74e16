import type { Freshness } from "./refresh-policy.ts";

/** One credential's and tenant's token, for the status page and the probes. No secrets. Times are Unix milliseconds. */
export interface TokenState {
  readonly credential: string;
  readonly tenant: string | undefined;
  readonly grant: string;
  /** Fetched at start and kept fresh. */
  readonly prefetch: boolean;
  /**
   * A token's freshness; `rejected` where there is no valid token and the server refuses the client; `none` where there
   * was no token yet, or the upstream refused the last one.
   */
  readonly state: "none" | "rejected" | Freshness;
  readonly obtainedAtMs?: number;
  readonly expiresAtMs?: number;
  readonly lifetimeMs?: number;
  readonly scope?: string;
  readonly lastAttemptAtMs?: number;
  /** When a renewal or a retry is due; absent while nobody needs one. */
  readonly nextAttemptAtMs?: number;
  /** An exchange is under way. */
  readonly refreshing?: true;
  /** The last failure; gone with the next success. */
  readonly lastError?: {
    readonly code: "TOKEN_UNAVAILABLE" | "TOKEN_REJECTED";
    readonly reason: string;
    /** What a person can do. */
    readonly hint: string;
    /** Of the first failure since the last success. Absent where attempts are not counted: a value that cannot be read. */
    readonly sinceMs?: number;
    /** Failures in a row. */
    readonly attempts?: number;
  };
}

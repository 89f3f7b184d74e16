import type { TokenRequestOutcome, TokenUnavailableReason } from "./token-outcome.ts";

/** `fresh`: fetched for this request; `cached`: from the cache; `advisory`: from the cache, due for renewal. */
export type ServedSource = "fresh" | "cached" | "advisory";

/** What happens to one credential's and tenant's tokens, for metrics. Calls must be cheap and must not throw. */
export interface CredentialObserver {
  /** One exchange with the token endpoint ended. */
  requested(outcome: TokenRequestOutcome, durationSeconds: number): void;
  /** When the token in use expires, in Unix seconds; in the past when it was dropped. */
  expiry(unixSeconds: number): void;
  /** A token was handed out. */
  served(source: ServedSource): void;
  /** A request could not be given one. */
  unavailable(reason: TokenUnavailableReason): void;
}

export interface TokenObserver {
  /** Asked once per credential and tenant, so that the labels are looked up once. */
  credential(credential: string, tenant: string | undefined, grant: string): CredentialObserver;
}

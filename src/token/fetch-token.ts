import type { ClientCredentialsSpec } from "../config/config.ts";
import type { Random } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { type AccessToken, accessToken } from "./access-token.ts";
import { tokenIdentity, tokenKey } from "./cache-key.ts";
import { createPacer, type Pacer } from "./pacer.ts";
import type { SecretReader } from "./secret-reader.ts";
import { createTokenEndpoint } from "./token-endpoint.ts";
import { soleTokenError } from "./token-error.ts";
import { createTokenExchange } from "./token-exchange.ts";

export interface FetchTokenDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly secrets: SecretReader;
  /** Shared by whoever fetches several, so that their requests are spaced. Default: one of its own. */
  readonly pacer?: Pacer;
}

/**
 * Fetches one token, past every cache, by the code that serves requests: for the commands `token` and `doctor`.
 * Rejects with `ProxyError` TOKEN_UNAVAILABLE or TOKEN_REJECTED, whose message says why and what to do.
 */
export async function fetchToken(
  request: {
    readonly credential: string;
    readonly tenant: string | undefined;
    readonly spec: ClientCredentialsSpec;
  },
  { clock, random, secrets, pacer = createPacer(clock) }: FetchTokenDeps,
  signal: AbortSignal = new AbortController().signal,
): Promise<AccessToken> {
  const { credential, tenant, spec } = request;
  const exchange = createTokenExchange({ clock, secrets, pacer, endpoint: createTokenEndpoint(clock) });
  const attempt = await exchange.attempt(
    spec,
    { requested() {}, resending() {}, isAwaited: () => true },
    signal,
  );
  const { outcome } = attempt;
  if (outcome.kind !== "token") {
    throw soleTokenError({ credential, tenant, tokenUrl: spec.tokenUrl }, outcome);
  }
  const identity = tokenIdentity(credential, tenant, spec, attempt.clientId ?? "");
  return accessToken(outcome.token, attempt, tokenKey(identity, attempt.secret?.fingerprint() ?? ""), random);
}

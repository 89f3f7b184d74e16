import type { ClientCredentialsSpec } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Secret } from "../core/secret.ts";
import type { Pacer } from "./pacer.ts";
import { sensitiveForms } from "./redaction.ts";
import { readValue, type SecretReader } from "./secret-reader.ts";
import type { TokenEndpoint } from "./token-endpoint.ts";
import {
  EXPIRED_ON_ARRIVAL,
  type TokenOutcome,
  type TokenRequestOutcome,
  transient,
} from "./token-outcome.ts";
import { tokenRequest } from "./token-request.ts";
import { tokenResponse } from "./token-response.ts";

/** How one attempt to get a token ended, and with what. */
export interface Attempt {
  readonly outcome: TokenOutcome;
  readonly clientId: string | undefined;
  /** The secret that was sent; undefined where it could not be read. */
  readonly secret: Secret | undefined;
  /** Monotonic and Unix milliseconds of the moment the request was sent: a token's lifetime counts from here. */
  readonly sentAtMs: number;
  readonly sentAtWallMs: number;
  readonly durationMs: number;
}

export interface AttemptHooks {
  /** A request was sent, and this came of it. */
  requested(outcome: TokenRequestOutcome, durationSeconds: number): void;
  /** Its turn has come: the request is sent now. */
  sending?(): void;
  /** The server refused the client, but the secrets have changed: a second request follows with the new ones. */
  resending(): void;
  /** Whether a request waits for this token: it then goes before those that are renewed ahead of time. */
  isAwaited(): boolean;
  /** Whose token, and what is wrong with the one that is there; undefined: one that nobody shares. */
  readonly need?: TokenNeed;
}

/** What another replica's token has to be to do as well as a new one. */
export interface TokenNeed {
  /** `tokenIdentity`, and the client id that is in it. */
  readonly identity: string;
  readonly clientId: string;
  /** The valid token under the present key that is to be renewed, if there is one. */
  readonly held: Secret | undefined;
  /** The token that an upstream refused, until there is another. */
  readonly refused: Secret | undefined;
}

export interface TokenExchange {
  /**
   * One attempt: secrets, a turn at the endpoint, the exchange, its meaning. Where the server does not accept the client
   * (`invalid_client` or 401) the secrets are read again once and, if they changed, tried at once (product contract §3,
   * rule 7). Never rejects.
   */
  attempt(spec: ClientCredentialsSpec, hooks: AttemptHooks, signal: AbortSignal): Promise<Attempt>;
}

export interface TokenExchangeDeps {
  readonly clock: Clock;
  readonly secrets: SecretReader;
  readonly pacer: Pacer;
  readonly endpoint: TokenEndpoint;
}

export function createTokenExchange({ clock, secrets, pacer, endpoint }: TokenExchangeDeps): TokenExchange {
  const unsent = (outcome: TokenOutcome): Attempt => ({
    outcome,
    clientId: undefined,
    secret: undefined,
    sentAtMs: clock.now(),
    sentAtWallMs: clock.wall(),
    durationMs: 0,
  });

  const attemptOnce: TokenExchange["attempt"] = async (spec, hooks, signal) => {
    let turn: Awaited<ReturnType<Pacer["turn"]>>;
    try {
      turn = await pacer.turn(spec.tokenUrl.href, spec.tokenRequestsPerSecond, signal, hooks.isAwaited);
    } catch {
      return unsent(transient("closed", "was not asked: shutting down"));
    }
    try {
      // Read when the turn has come, not before: a secret that changed while waiting is the one to send.
      let clientId: string;
      let secret: Secret;
      try {
        clientId = readValue(secrets, spec.clientId);
        secret = secrets.read(spec.clientSecret);
      } catch (error) {
        const reason = error instanceof Error ? error.message : "unknown";
        return unsent(transient("secret_unreadable", `the client's credentials cannot be read: ${reason}`));
      }
      const clientSecret = secret.reveal();
      hooks.sending?.();
      const sentAtMs = clock.now();
      const sentAtWallMs = clock.wall();
      const answer = await endpoint.exchange(
        tokenRequest(spec, { clientId, clientSecret }),
        spec.connection,
        signal,
      );
      const durationMs = clock.now() - sentAtMs;
      let outcome: TokenOutcome =
        "kind" in answer
          ? answer
          : tokenResponse(answer, {
              wallMs: clock.wall(),
              sensitive: sensitiveForms(clientId, clientSecret),
            });
      if (outcome.kind === "token" && outcome.token.lifetimeMs <= durationMs) {
        outcome = EXPIRED_ON_ARRIVAL;
      }
      hooks.requested(outcome.kind === "token" ? "success" : outcome.reason, durationMs / 1_000);
      return { outcome, clientId, secret, sentAtMs, sentAtWallMs, durationMs };
    } finally {
      turn.done();
    }
  };

  /** Whether reading again gave another client or secret than the ones that were sent. */
  const changed = (spec: ClientCredentialsSpec, { clientId, secret }: Attempt): boolean => {
    try {
      secrets.refresh(spec.clientSecret);
      if (spec.clientId.kind !== "literal") secrets.refresh(spec.clientId);
      const present = secrets.read(spec.clientSecret);
      return (
        secret === undefined || !present.equals(secret) || readValue(secrets, spec.clientId) !== clientId
      );
    } catch {
      return false;
    }
  };

  return {
    async attempt(spec, hooks, signal) {
      const first = await attemptOnce(spec, hooks, signal);
      const refused = first.outcome.kind !== "token" && first.outcome.clientRefused;
      if (!refused || !changed(spec, first)) return first;
      hooks.resending();
      return attemptOnce(spec, hooks, signal);
    },
  };
}

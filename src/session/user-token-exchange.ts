import type { UserSpec } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { CredentialObserver } from "../token/observer.ts";
import { sensitiveForms } from "../token/redaction.ts";
import { readValue, type SecretReader } from "../token/secret-reader.ts";
import type { BeforeSend, TokenEndpoint } from "../token/token-endpoint.ts";
import { type TokenOutcome, transient } from "../token/token-outcome.ts";
import type { TokenRequest } from "../token/token-request.ts";
import { tokenResponse } from "../token/token-response.ts";
import { revocationRequest, type UserClient } from "./user-token-request.ts";

/** How one request for a user's tokens ended. */
export interface UserAttempt {
  readonly outcome: TokenOutcome;
  /** Unix milliseconds of the moment it was sent. */
  readonly sentAtWallMs: number;
  readonly durationMs: number;
  /** Why `beforeSend` rejected: nothing was sent. */
  readonly calledOff: unknown;
}

/** A request for a user's tokens, and what of it must not come back out of the answer. */
export interface UserTokenRequest {
  readonly build: (client: UserClient) => TokenRequest;
  readonly sensitive: readonly string[];
}

export interface UserTokenExchange {
  /**
   * Sends it. Where the server does not accept the client its secret is read again once and, if it changed, tried at
   * once (product contract §3, rule 7). A token that has expired on arrival is a token all the same: its refresh token
   * is the only one that counts from now on. Never rejects.
   */
  attempt(
    spec: UserSpec,
    request: UserTokenRequest,
    observer: CredentialObserver,
    signal: AbortSignal,
    beforeSend?: BeforeSend,
  ): Promise<UserAttempt>;
  /** RFC 7009; nothing where the provider has no such endpoint. True: it is revoked. Never rejects. */
  revoke(spec: UserSpec, refreshToken: string, signal: AbortSignal): Promise<boolean>;
}

export interface UserTokenExchangeDeps {
  readonly clock: Clock;
  readonly secrets: SecretReader;
  readonly endpoint: TokenEndpoint;
}

export function createUserTokenExchange({
  clock,
  secrets,
  endpoint,
}: UserTokenExchangeDeps): UserTokenExchange {
  const readClient = (spec: UserSpec): UserClient => ({
    clientId: readValue(secrets, spec.clientId),
    clientSecret: spec.client === undefined ? undefined : secrets.read(spec.client.secret).reveal(),
  });

  const attemptOnce = async (
    spec: UserSpec,
    client: UserClient,
    { build, sensitive }: UserTokenRequest,
    observer: CredentialObserver,
    signal: AbortSignal,
    beforeSend: BeforeSend | undefined,
  ): Promise<UserAttempt> => {
    const sentAtMs = clock.now();
    const sentAtWallMs = clock.wall();
    let calledOff: unknown;
    let marking: Promise<void> | undefined;
    const answer = await endpoint.exchange(
      build(client),
      spec.connection,
      signal,
      beforeSend === undefined
        ? undefined
        : () => {
            marking = beforeSend();
            return marking;
          },
    );
    // The deadline may have come first; what it did is known only when it is over.
    await marking?.catch((error: unknown) => {
      calledOff = error ?? new Error("called off");
    });
    const durationMs = clock.now() - sentAtMs;
    const secret = client.clientSecret === undefined ? [] : [client.clientSecret];
    const outcome =
      "kind" in answer
        ? answer
        : tokenResponse(answer, {
            wallMs: clock.wall(),
            sensitive: [...secret, ...sensitive].flatMap((value) => sensitiveForms(client.clientId, value)),
          });
    if (calledOff === undefined) {
      observer.requested(outcome.kind === "token" ? "success" : outcome.reason, durationMs / 1_000);
    }
    return { outcome, sentAtWallMs, durationMs, calledOff };
  };

  /** Whether reading again gives another secret than the one that was refused. */
  const hasNewSecret = (spec: UserSpec, refused: UserClient): boolean => {
    if (spec.client === undefined) return false;
    try {
      secrets.refresh(spec.client.secret);
      return !secrets.read(spec.client.secret).matches(refused.clientSecret ?? "");
    } catch {
      return false;
    }
  };

  return {
    async attempt(spec, request, observer, signal, beforeSend) {
      try {
        const client = readClient(spec);
        const first = await attemptOnce(spec, client, request, observer, signal, beforeSend);
        const refused = first.outcome.kind !== "token" && first.outcome.clientRefused;
        if (!refused || isInvalidGrant(first.outcome) || !hasNewSecret(spec, client)) return first;
        return await attemptOnce(spec, readClient(spec), request, observer, signal, beforeSend);
      } catch (error) {
        const reason = error instanceof Error ? error.message : "unknown";
        const outcome = transient("secret_unreadable", `the client's credentials cannot be read: ${reason}`);
        return { outcome, sentAtWallMs: clock.wall(), durationMs: 0, calledOff: undefined };
      }
    },
    async revoke(spec, refreshToken, signal) {
      if (spec.revocationUrl === undefined) return false;
      try {
        const request = revocationRequest(spec, spec.revocationUrl, readClient(spec), refreshToken);
        const answer = await endpoint.exchange(request, spec.connection, signal);
        return !("kind" in answer) && answer.status >= 200 && answer.status < 300;
      } catch {
        return false;
      }
    },
  };
}

/** The refresh token or the code is used up, expired or revoked (RFC 6749 §5.2), whatever the 4xx. */
export function isInvalidGrant(outcome: TokenOutcome): boolean {
  return outcome.kind === "rejected" && outcome.error === "invalid_grant";
}

import type { Credential, UserSpec } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { CredentialObserver } from "../token/observer.ts";
import type { Pacer } from "../token/pacer.ts";
import type { SecretReader } from "../token/secret-reader.ts";
import { type GrantedToken, type TokenFailure, transient } from "../token/token-outcome.ts";
import { judgeResponse } from "./authorization-response.ts";
import { readClient } from "./identity.ts";
import type { LoginRecord } from "./login-record.ts";
import type { VisitorToken } from "./record.ts";
import type { AuthorizationResponse } from "./sessions.ts";
import type { UserTokenExchange } from "./user-token-exchange.ts";
import { codeRequest } from "./user-token-request.ts";
import { AGAIN, loginFailed } from "./visitor-error.ts";

/** The code for tokens, once; rejects with LOGIN_FAILED, which tells the person what happened and what to do. */
export type RedeemCode = (
  login: LoginRecord,
  state: string,
  response: AuthorizationResponse,
) => Promise<VisitorToken>;

export interface RedeemCodeDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly secrets: SecretReader;
  readonly pacer: Pacer;
  readonly exchange: UserTokenExchange;
  readonly closing: AbortSignal;
  observer(credential: string, spec: UserSpec): CredentialObserver;
  credentials(): ReadonlyMap<string, Credential>;
}

export function createRedeemCode(deps: RedeemCodeDeps): RedeemCode {
  const { clock, log, secrets, pacer, exchange, closing, observer, credentials } = deps;

  const redeem: RedeemCode = async (login, state, response) => {
    const { credential } = login;
    const spec = credentials().get(credential)?.spec;
    if (spec?.kind !== "user" || readClient(credential, spec, secrets).identity !== login.identity) {
      throw refused(
        credential,
        "configuration",
        `The application's settings have changed meanwhile. ${AGAIN}`,
      );
    }
    const judged = judgeResponse(response, state, spec);
    if (judged.kind === "failed") throw refused(credential, judged.reason, judged.message);
    const { code } = judged;
    const turn = await pacer
      .turn(spec.tokenUrl.href, spec.tokenRequestsPerSecond, closing)
      .catch(() => undefined);
    if (turn === undefined) throw exchangeFailed(credential, transient("closed", "was not asked"));
    try {
      const { redirectUri, verifier } = login;
      const attempt = await exchange.attempt(
        spec,
        {
          build: (client) => codeRequest(spec, client, { code, redirectUri, verifier }),
          sensitive: [code, verifier],
        },
        observer(credential, spec),
        closing,
      );
      if (attempt.outcome.kind !== "token") throw exchangeFailed(credential, attempt.outcome);
      return signedIn(login, attempt.outcome.token, attempt.sentAtWallMs);
    } finally {
      turn.done();
    }
  };

  const refused = (credential: string, reason: string, message: string): ProxyError => {
    log.info("session_login_failed", { credential, reason });
    return loginFailed(message, credential);
  };

  const exchangeFailed = (credential: string, failure: TokenFailure): ProxyError => {
    // A warning even where the provider refuses: a visitor can bring that about with a code of their own making.
    log.warn("session_login_failed", { credential, reason: failure.reason, detail: failure.detail });
    return loginFailed(
      failure.kind === "rejected"
        ? `The sign-in service did not take the sign-in: it ${failure.detail}. ${AGAIN} If that happens again, tell whoever runs the application.`
        : `The sign-in service could not finish the sign-in: it ${failure.detail}. Wait a little, then go back to the application and sign in again.`,
      credential,
    );
  };

  const signedIn = (login: LoginRecord, token: GrantedToken, sentAtMs: number): VisitorToken => ({
    grant: "user",
    identity: login.identity,
    accessToken: token.value,
    refreshToken: token.refreshToken,
    scope: token.scope,
    sentAtMs,
    lifetimeMs: token.lifetimeMs,
    signedInAtMs: clock.wall(),
    intent: undefined,
  });

  return redeem;
}

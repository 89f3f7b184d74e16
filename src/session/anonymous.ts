import type { AnonymousSpec, ClientCredentialsSpec } from "../config/config.ts";
import type { Random } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { CredentialObserver } from "../token/observer.ts";
import type { Pacer } from "../token/pacer.ts";
import { sensitiveForms } from "../token/redaction.ts";
import { retryDelayMs } from "../token/retry-policy.ts";
import { readValue, type SecretReader } from "../token/secret-reader.ts";
import type { TokenEndpoint } from "../token/token-endpoint.ts";
import { failureText, tokenError } from "../token/token-error.ts";
import {
  EXPIRED_ON_ARRIVAL,
  type TokenFailure,
  type TokenOutcome,
  type TokenUnavailableReason,
  transient,
} from "../token/token-outcome.ts";
import { postRequest, type TokenRequest } from "../token/token-request.ts";
import { type TokenAnswer, tokenResponse } from "../token/token-response.ts";
import type { Injection, TokenSource } from "../token/token-source.ts";
import { visitorIdentity } from "./identity.ts";
import { isObject, isText, type VisitorToken } from "./record.ts";

/** A visitor's new token, or why there is none and when it may be asked for again. */
export type Minted =
  | { readonly kind: "token"; readonly token: VisitorToken }
  | {
      readonly kind: "failed";
      readonly retryInMs: number;
      /** undefined: the application's own token could not be had. */
      readonly reason: TokenUnavailableReason | undefined;
      /** What became of the request; undefined as `reason` is. */
      readonly failure?: TokenFailure;
      readonly error: (retryInMs: number) => ProxyError;
    };

export interface AnonymousMint {
  /**
   * One token for one visitor (Zocdoc, Anonymous User Flow). After a failure nothing is asked for a while, whoever the
   * visitor is: it is the same application that asks. Never rejects.
   */
  mint(
    credential: string,
    spec: AnonymousSpec,
    observer: CredentialObserver,
    signal: AbortSignal,
  ): Promise<Minted>;
}

export interface AnonymousMintDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly secrets: SecretReader;
  readonly pacer: Pacer;
  readonly endpoint: TokenEndpoint;
  appSource(credential: string, spec: ClientCredentialsSpec): TokenSource;
}

interface MintOutage {
  readonly spec: AnonymousSpec;
  readonly failure: TokenFailure;
  readonly attempt: number;
  readonly nextAttemptAtMs: number;
}

export function createAnonymousMint(deps: AnonymousMintDeps): AnonymousMint {
  const { clock, random, log, secrets, pacer, endpoint } = deps;
  const outages = new Map<string, MintOutage>();

  const failed = (credential: string, { spec, failure, nextAttemptAtMs }: MintOutage): Minted => ({
    kind: "failed",
    retryInMs: nextAttemptAtMs - clock.now(),
    reason: failure.reason,
    failure,
    error: (retryInMs) =>
      tokenError({ credential, tenant: undefined, tokenUrl: spec.mintUrl }, failure, retryInMs),
  });

  const recordFailure = (credential: string, spec: AnonymousSpec, failure: TokenFailure): MintOutage => {
    const nowMs = clock.now();
    const known = outages.get(credential);
    // Several that were under way together are one failure.
    if (known !== undefined && known.spec === spec && nowMs < known.nextAttemptAtMs) return known;
    const attempt = known?.spec === spec ? known.attempt + 1 : 0;
    const rejected = failure.kind === "rejected";
    const delayMs = retryDelayMs(
      { attempt, rejected, retryAfterMs: failure.retryAfterMs, nowMs, valid: undefined },
      random,
    );
    const outage = { spec, failure, attempt, nextAttemptAtMs: nowMs + delayMs };
    outages.set(credential, outage);
    log[rejected ? "error" : "warn"]("session_mint_failed", {
      credential,
      reason: failure.reason,
      detail: failureText({ credential, tenant: undefined, tokenUrl: spec.mintUrl }, failure),
      attempt: attempt + 1,
      retry_in_ms: Math.round(delayMs),
    });
    return outage;
  };

  /** One request; a 401 means that the application's token is not good any more: once more with a newer one. */
  const ask = async (
    spec: AnonymousSpec,
    app: Injection,
    source: TokenSource,
    signal: AbortSignal,
  ): Promise<TokenOutcome> => {
    const appClientId = readValue(secrets, spec.appClientId);
    const send = (injection: Injection): ReturnType<TokenEndpoint["exchange"]> =>
      endpoint.exchange(mintRequest(spec, injection, appClientId), spec.connection, signal);
    let sent = app;
    let answer = await send(app);
    if (!("kind" in answer) && answer.status === 401) {
      const newer = await source.invalidate(app);
      if (newer !== undefined) {
        sent = newer;
        answer = await send(newer);
      }
    }
    if ("kind" in answer) return answer;
    const sensitive = [bearer(sent), bearer(app)].flatMap((token) => sensitiveForms(appClientId, token));
    return tokenResponse(asTokenAnswer(answer), { wallMs: clock.wall(), sensitive });
  };

  return {
    async mint(credential, spec, observer, signal) {
      const known = outages.get(credential);
      if (known?.spec === spec && clock.now() < known.nextAttemptAtMs) return failed(credential, known);
      const source = deps.appSource(spec.app.credential, spec.app.spec);
      let app: Injection;
      try {
        app = await source.token();
      } catch (error) {
        // The application's own token has its own outage, which fails as fast.
        if (!(error instanceof ProxyError)) throw error;
        return { kind: "failed", retryInMs: 0, reason: undefined, error: () => error };
      }
      let turn: Awaited<ReturnType<Pacer["turn"]>> | undefined;
      try {
        turn = await pacer.turn(spec.mintUrl.href, spec.tokenRequestsPerSecond, signal);
        const identity = visitorIdentity(credential, spec, secrets);
        const sentAtMs = clock.now();
        const sentAtWallMs = clock.wall();
        let outcome = await ask(spec, app, source, signal);
        const durationMs = clock.now() - sentAtMs;
        if (outcome.kind === "token" && outcome.token.lifetimeMs <= durationMs) {
          outcome = EXPIRED_ON_ARRIVAL;
        }
        observer.requested(outcome.kind === "token" ? "success" : outcome.reason, durationMs / 1_000);
        if (outcome.kind !== "token") return failed(credential, recordFailure(credential, spec, outcome));
        outages.delete(credential);
        const { value, lifetimeMs, scope } = outcome.token;
        return {
          kind: "token",
          token: {
            grant: "anonymous",
            identity,
            accessToken: value,
            refreshToken: undefined,
            scope,
            sentAtMs: sentAtWallMs,
            lifetimeMs,
            signedInAtMs: sentAtWallMs,
            intent: undefined,
          },
        };
      } catch (error) {
        const reason = error instanceof Error ? error.message : "unknown";
        const failure = signal.aborted
          ? transient("closed", "was not asked: shutting down")
          : transient("secret_unreadable", `app_client_id cannot be read: ${reason}`);
        return failed(credential, recordFailure(credential, spec, failure));
      } finally {
        turn?.done();
      }
    },
  };
}

/** `POST /v1/token/anonymous-user` (Zocdoc). */
function mintRequest(spec: AnonymousSpec, app: Injection, appClientId: string): TokenRequest {
  return postRequest(spec.mintUrl, "json", app.headers, { app_client_id: appClientId });
}

function bearer(injection: Injection): string {
  return injection.headers[1]?.replace(/^Bearer /, "") ?? "";
}

/**
 * The same answer as a token endpoint would give it. The shape is not published: the token under one of three names,
 * bare or in the envelope that the API's other answers have.
 */
function asTokenAnswer(answer: TokenAnswer): TokenAnswer {
  if (answer.status !== 200 && answer.status !== 201) return answer;
  const body = parse(answer.body);
  if (body === undefined) return { ...answer, status: 200 };
  const names = ["access_token", "token", "anonymous_token"];
  const data = body["data"];
  const members = names.some((name) => name in body) || !isObject(data) ? body : data;
  const token = names.map((name) => members[name]).find(isText);
  const standard = { access_token: token, token_type: "Bearer", expires_in: members["expires_in"] };
  return { ...answer, status: 200, body: JSON.stringify(standard) };
}

function parse(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

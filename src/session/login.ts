import { calculatePKCECodeChallenge } from "oauth4webapi";
import type { Credential, SessionConfig, UserSpec } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { Vault } from "../store/vault.ts";
import type { CredentialObserver } from "../token/observer.ts";
import type { Pacer } from "../token/pacer.ts";
import { readValue, type SecretReader } from "../token/secret-reader.ts";
import { type GrantedToken, type TokenFailure, transient } from "../token/token-outcome.ts";
import { authorizationUrl } from "./authorization-request.ts";
import { judgeResponse } from "./authorization-response.ts";
import { createEstablish } from "./establish.ts";
import { visitorIdentity } from "./identity.ts";
import type { LoginKeeper, LoginRecord } from "./login-record.ts";
import { createPendingLogins } from "./pending-logins.ts";
import type { VisitorToken } from "./record.ts";
import { returnTo } from "./return-to.ts";
import type { SessionCache } from "./session-cache.ts";
import { hashOf, isHashOf, isOpaqueValue } from "./session-id.ts";
import type {
  AuthorizationResponse,
  BegunLogin,
  CompletedLogin,
  LoginRequest,
  OpenedSession,
  OpenRequest,
} from "./sessions.ts";
import type { UserTokenExchange } from "./user-token-exchange.ts";
import { codeRequest } from "./user-token-request.ts";
import { clientUnreadable, loginFailed, overStore } from "./visitor-error.ts";

/** Logins: begun, completed once, and the session that comes of it. Rejects as `Sessions` does. */
export interface Logins {
  begin(login: LoginRequest): Promise<BegunLogin>;
  complete(
    response: AuthorizationResponse,
    browser: string | undefined,
    sessionId: string | undefined,
  ): Promise<CompletedLogin>;
  open(request: OpenRequest): Promise<OpenedSession>;
  completeOpened(sessionId: string, response: AuthorizationResponse): Promise<void>;
}

export interface LoginsDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly secrets: SecretReader;
  readonly vault: Vault;
  readonly cache: SessionCache;
  readonly pacer: Pacer;
  readonly exchange: UserTokenExchange;
  readonly closing: AbortSignal;
  observer(credential: string, spec: UserSpec): CredentialObserver;
  /** 256 random bits: a session id, a state, a verifier. */
  newId(): string;
  settings(): {
    readonly credentials: ReadonlyMap<string, Credential>;
    readonly session: SessionConfig;
    readonly publicUrl: URL;
  };
}

const CALLBACK = "/.pillion/callback";
const AGAIN = "Go back to the application and sign in again.";

export function createLogins(deps: LoginsDeps): Logins {
  const { clock, log, secrets, vault, cache, pacer, exchange, closing, settings, newId } = deps;
  const pending = createPendingLogins(clock, vault);
  const establish = createEstablish({ clock, log, vault, cache, closing });

  /** Keeps the login under a new state, and says where to sign in. */
  const start = async (
    credential: Credential,
    spec: UserSpec,
    asked: {
      readonly returnTo: string | undefined;
      readonly loginHint: string | undefined;
      readonly redirectUri: string;
    },
    visitor: string | undefined,
    keeper: LoginKeeper,
  ): Promise<{ readonly state: string; readonly authorizeUrl: string }> => {
    const state = newId();
    const verifier = newId();
    const { name } = credential;
    const { clientId, identity } = readClient(name, spec);
    const login: LoginRecord = {
      createdAtMs: clock.wall(),
      credential: name,
      identity,
      verifier,
      returnTo: returnTo(asked.returnTo),
      redirectUri: asked.redirectUri,
      keeper,
    };
    await pending.keep(state, login);
    const authorizeUrl = authorizationUrl(spec, {
      clientId,
      redirectUri: asked.redirectUri,
      state,
      challenge: await calculatePKCECodeChallenge(verifier),
      loginHint: asked.loginHint,
      anonymousToken: await anonymousToken(spec, visitor),
    });
    return { state, authorizeUrl };
  };

  const readClient = (
    name: string,
    spec: UserSpec,
  ): { readonly clientId: string; readonly identity: string } => {
    try {
      return { clientId: readValue(secrets, spec.clientId), identity: visitorIdentity(name, spec, secrets) };
    } catch (error) {
      throw clientUnreadable(name, spec, error);
    }
  };

  /** The visitor's own, while it is valid; none is minted for a login. */
  const anonymousToken = async (spec: UserSpec, visitor: string | undefined): Promise<string | undefined> => {
    if (spec.anonymous === undefined || !isOpaqueValue(visitor)) return undefined;
    const other = settings().credentials.get(spec.anonymous);
    const entry = await cache.load(visitor);
    const token = entry?.record.tokens.get(spec.anonymous);
    if (token === undefined || other?.spec?.kind !== "anonymous") return undefined;
    if (token.grant !== "anonymous" || clock.wall() >= token.sentAtMs + token.lifetimeMs) return undefined;
    try {
      const same = token.identity === visitorIdentity(spec.anonymous, other.spec, secrets);
      return same ? token.accessToken.reveal() : undefined;
    } catch {
      return undefined;
    }
  };

  /** The code for tokens; rejects with what to tell the person. */
  const redeem = async (
    login: LoginRecord,
    state: string,
    response: AuthorizationResponse,
  ): Promise<VisitorToken> => {
    const { credential } = login;
    const spec = settings().credentials.get(credential)?.spec;
    if (spec?.kind !== "user" || readClient(credential, spec).identity !== login.identity) {
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
        deps.observer(credential, spec),
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
    const log_ = failure.kind === "rejected" ? log.error : log.warn;
    log_("session_login_failed", { credential, reason: failure.reason, detail: failure.detail });
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

  const userSpec = ({ name, spec }: Credential): UserSpec => {
    if (spec?.kind === "user") return spec;
    throw loginFailed(`Users do not sign in to the credential ${name}: name one whose grant is user.`);
  };

  const callbackUri = (): string => new URL(CALLBACK, settings().publicUrl).href;

  return {
    begin: (login) =>
      overStore(async () => {
        const { credential, sessionId } = login;
        const browser = isOpaqueValue(login.browser) ? login.browser : newId();
        const { authorizeUrl } = await start(
          credential,
          userSpec(credential),
          { returnTo: login.returnTo, loginHint: login.loginHint, redirectUri: callbackUri() },
          sessionId,
          {
            kind: "browser",
            browserHash: hashOf(browser),
            oldSessionHash: isOpaqueValue(sessionId) ? hashOf(sessionId) : undefined,
          },
        );
        return { authorizeUrl, browser };
      }),

    complete: (response, browser, sessionId) =>
      overStore(async () => {
        const found = await pending.find(response);
        const { keeper } = found.login;
        if (keeper.kind === "application" ? keeper.ownPage : !isHashOf(browser, keeper.browserHash)) {
          throw loginFailed(`This sign-in was begun in another browser. ${AGAIN}`);
        }
        const login = await pending.consume(found.state);
        const token = await redeem(login, found.state, response);
        if (keeper.kind === "application") {
          await establish(keeper.session, login.credential, token, keeper.oldSession);
          return { sessionId: undefined, returnTo: login.returnTo };
        }
        const { oldSessionHash } = keeper;
        const isSame = oldSessionHash !== undefined && isHashOf(sessionId, oldSessionHash);
        const id = newId();
        await establish(id, login.credential, token, isSame ? sessionId : undefined);
        return { sessionId: id, returnTo: login.returnTo };
      }),

    open: (request) =>
      overStore(async () => {
        const { credential, redirectUri, sessionId } = request;
        const session = newId();
        if (credential.spec?.kind === "anonymous") {
          await cache.create(session, new Map());
          return { session };
        }
        const { state, authorizeUrl } = await start(
          credential,
          userSpec(credential),
          {
            returnTo: request.returnTo,
            loginHint: undefined,
            redirectUri: redirectUri === undefined ? callbackUri() : redirectTarget(redirectUri),
          },
          sessionId,
          {
            kind: "application",
            session,
            oldSession: isOpaqueValue(sessionId) ? sessionId : undefined,
            ownPage: redirectUri !== undefined,
          },
        );
        return { session, authorize_url: authorizeUrl, state };
      }),

    completeOpened: (sessionId, response) =>
      overStore(async () => {
        const found = await pending.find(response);
        const { keeper } = found.login;
        if (keeper.kind !== "application" || !isHashOf(sessionId, hashOf(keeper.session))) {
          throw loginFailed(
            "This sign-in belongs to another session: send the session that came with this state.",
          );
        }
        const login = await pending.consume(found.state);
        const token = await redeem(login, found.state, response);
        await establish(keeper.session, login.credential, token, keeper.oldSession);
      }),
  };
}

/** RFC 6749 §3.1.2: absolute, without a fragment. Whether it is the application's is the provider's to know. */
function redirectTarget(text: string): string {
  const url = URL.parse(text);
  if (url === null || text.includes("#") || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new ProxyError(
      "REQUEST_INVALID",
      "redirect_uri is no absolute http or https URL without a fragment: give the page that takes the sign-in's answer",
    );
  }
  return text;
}

import { calculatePKCECodeChallenge } from "oauth4webapi";
import type { Credential, SessionConfig, UserSpec } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { ProxyError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { Vault } from "../store/vault.ts";
import type { CredentialObserver } from "../token/observer.ts";
import type { Pacer } from "../token/pacer.ts";
import type { SecretReader } from "../token/secret-reader.ts";
import { authorizationUrl } from "./authorization-request.ts";
import { createEstablish } from "./establish.ts";
import { readClient, visitorIdentity } from "./identity.ts";
import type { LoginKeeper, LoginRecord } from "./login-record.ts";
import { createPendingLogins } from "./pending-logins.ts";
import { createRedeemCode } from "./redeem-code.ts";
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
import { AGAIN, loginFailed, overStore } from "./visitor-error.ts";

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

export function createLogins(deps: LoginsDeps): Logins {
  const { clock, log, secrets, vault, cache, closing, settings, newId } = deps;
  const pending = createPendingLogins(clock, vault);
  const establish = createEstablish({ clock, log, vault, cache, closing });
  const redeem = createRedeemCode({ ...deps, credentials: () => settings().credentials });

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
    const { clientId, identity } = readClient(name, spec, secrets);
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
          { kind: "browser", browserHash: hashOf(browser) },
        );
        return { authorizeUrl, browser };
      }),

    complete: (response, browser, sessionId) =>
      overStore(async () => {
        const found = await pending.find(response);
        const { keeper } = found.login;
        if (keeper.kind === "application" ? keeper.ownPage : !isHashOf(browser, keeper.browserHash)) {
          throw loginFailed(`This sign-in was begun in another browser. ${AGAIN}`, found.login.credential);
        }
        const login = await pending.consume(found.state);
        const token = await redeem(login, found.state, response);
        if (keeper.kind === "application") {
          await establish(keeper.session, login.credential, token, keeper.oldSession);
          return { sessionId: undefined, returnTo: login.returnTo };
        }
        const id = newId();
        // What this browser has by now: another tab may have signed in since the login began.
        await establish(id, login.credential, token, isOpaqueValue(sessionId) ? sessionId : undefined);
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

import type { Credential } from "../config/config.ts";
import type { Injection, TokenSource } from "../token/token-source.ts";

/** The token source of one request by one visitor. Made per request; cheap. */
export interface VisitorTokenSource extends TokenSource {
  /**
   * `token()` is synchronous while the session is in memory and its token fresh or advisory. Otherwise a promise, which
   * rejects with `ProxyError` LOGIN_REQUIRED (without `loginUrl`, that is the proxy's to add), STORE_UNAVAILABLE,
   * TOKEN_UNAVAILABLE or TOKEN_REJECTED. Asked again it goes on with the session that it made.
   */
  token(unsent?: Injection): ReturnType<TokenSource["token"]>;
  /**
   * The id of a session that `token()` made, to be set as a cookie; undefined: none was made. Known once `token()` has
   * settled.
   */
  readonly created: string | undefined;
}

/** What `GET /.pillion/session` shows. Seconds; no tokens. */
export type SessionDescription =
  | { readonly signed_in: false; readonly session_expires_in?: number }
  | {
      readonly signed_in: true;
      /** The credential that signed in last. */
      readonly credential: string;
      readonly scope: string;
      /** 0 once it has expired. */
      readonly access_token_expires_in: number;
      readonly session_expires_in: number;
    };

/** A login that begins in a browser. */
export interface LoginRequest {
  readonly credential: Credential;
  /** As asked for; what is no local path becomes `/`. */
  readonly returnTo: string | undefined;
  readonly loginHint: string | undefined;
  /** The session id that the request carried. Its tokens of other credentials move into the new session. */
  readonly sessionId: string | undefined;
  /** The value of the browser's login cookie, if it has one. */
  readonly browser: string | undefined;
}

export interface BegunLogin {
  readonly authorizeUrl: string;
  /** The value for the login cookie, which binds `state` to this browser. */
  readonly browser: string;
}

export interface CompletedLogin {
  /** A new session's id, for the cookie; undefined where a server-side application keeps the session. */
  readonly sessionId: string | undefined;
  /** A local path. */
  readonly returnTo: string;
}

/** A session for a server-side application that acts for many users. */
export interface OpenRequest {
  readonly credential: Credential;
  readonly returnTo: string | undefined;
  /** The application's own page; undefined: Pillion's callback. */
  readonly redirectUri: string | undefined;
  /** A session of the same visitor, whose other tokens move along. */
  readonly sessionId: string | undefined;
}

export interface OpenedSession {
  readonly session: string;
  /** Absent for a credential of grant `anonymous`. */
  readonly authorize_url?: string;
  readonly state?: string;
}

/** The redirect's query, as the provider sent it: code, state, iss, error, error_description. */
export type AuthorizationResponse = URLSearchParams;

/**
 * All that is known of visitors: their sessions, their tokens, their logins. Rejections are `ProxyError`s: LOGIN_FAILED
 * with a `message` for the person at the browser (what happened, what to do next), STORE_UNAVAILABLE, TOKEN_UNAVAILABLE.
 */
export interface Sessions {
  /** `credential` is one whose spec is of kind `user` or `anonymous`. `sessionId` is as sent: unchecked. */
  source(credential: Credential, sessionId: string | undefined): VisitorTokenSource;
  /** Whether the session is alive and holds a user's tokens (of that credential, when given). */
  isSignedIn(sessionId: string | undefined, credential?: string): Promise<boolean>;
  describe(sessionId: string | undefined): Promise<SessionDescription>;
  beginLogin(login: LoginRequest): Promise<BegunLogin>;
  /**
   * `credentials` are those of the present configuration. The authorization code is sent only once state, browser and
   * `iss` are found good.
   */
  completeLogin(
    response: AuthorizationResponse,
    browser: string | undefined,
    sessionId: string | undefined,
  ): Promise<CompletedLogin>;
  open(request: OpenRequest): Promise<OpenedSession>;
  /** `POST /.pillion/sessions/callback`: the application took the redirect itself. */
  completeOpened(sessionId: string, response: AuthorizationResponse): Promise<SessionDescription>;
  /** Ends the session everywhere, and revokes its refresh tokens where the provider has that. Of none: nothing. */
  logout(sessionId: string | undefined): Promise<void>;
  /** For the metric `sessions{credential}`; what is known, without waiting for a store that is down. */
  counts(): Promise<ReadonlyMap<string, number>>;
  close(): Promise<void>;
}

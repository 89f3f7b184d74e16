import type { Credential } from "../config/config.ts";
import { ProxyError } from "../core/errors.ts";
import type { Sessions, VisitorTokenSource } from "../session/sessions.ts";
import { isPageVisit } from "./navigation.ts";
import type { RequestHead } from "./request-head.ts";
import type { Visitor, VisitorRules } from "./visitor.ts";

export interface VisitParts {
  readonly head: RequestHead;
  /** As the caller sent it. */
  readonly target: string;
  readonly credential: Credential;
  /** The route's `login: redirect`. */
  readonly loginRedirect: boolean;
  readonly visitor: Visitor;
  readonly rules: VisitorRules;
  readonly sessions: Pick<Sessions, "source" | "describe">;
}

/** How a visitor who is not signed in is turned away. */
export interface TurnedAway {
  readonly error: ProxyError;
  /** Flat fields for the answer. */
  readonly fields: readonly string[];
  /** Set where a browser is sent to the login instead of being told. */
  readonly location: string | undefined;
}

/** A longer target is not carried into the login and back: it would not fit a head again. */
const MAX_RETURN_BYTES = 4_096;

/** One request by a visitor: whose token goes with it, and what its answer says of the session. */
export class Visit {
  readonly source: VisitorTokenSource;
  readonly #parts: VisitParts;

  constructor(parts: VisitParts) {
    this.#parts = parts;
    this.source = parts.sessions.source(parts.credential, parts.visitor.sessionId);
  }

  /** Flat fields for whatever answer follows, once `source.token()` has settled: the session it made, if any. */
  fields(): readonly string[] {
    const { created } = this.source;
    if (created === undefined) return [];
    const { visitor, rules } = this.#parts;
    // Who names its session itself would otherwise never hear that another has taken its place.
    if (visitor.by === "header") return ["pillion-session", created];
    // Whatever the upstream allows, no cache may hand this visitor's session to the next (RFC 9111 §7.3).
    return ["set-cookie", rules.cookies.setSession(created), "cache-control", "private"];
  }

  /** Never rejects. `error` is the LOGIN_REQUIRED that `source.token()` gave. */
  async turnAway(error: ProxyError): Promise<TurnedAway> {
    const { head, credential, loginRedirect, rules } = this.#parts;
    const isUser = credential.spec?.kind === "user";
    const loginUrl = isUser ? this.#loginUrl() : undefined;
    return {
      error: new ProxyError("LOGIN_REQUIRED", error.message, {
        cause: error.cause,
        ...(loginUrl === undefined ? {} : { loginUrl }),
      }),
      fields: (await this.#isStale()) ? ["set-cookie", rules.cookies.clearSession()] : [],
      location: loginRedirect && isPageVisit(head) ? loginUrl : undefined,
    };
  }

  #loginUrl(): string {
    const { head, credential, target, rules } = this.#parts;
    const login = loginUrl(rules, credential.name);
    const returnTo = head.method === "GET" ? encodeURIComponent(target) : "";
    return returnTo === "" || returnTo.length > MAX_RETURN_BYTES ? login : `${login}?return_to=${returnTo}`;
  }

  /** The cookie names no session any more. One that merely has no user's tokens may hold an anonymous visitor's. */
  async #isStale(): Promise<boolean> {
    const { visitor, sessions } = this.#parts;
    // Of conflicting ones the genuine one would go, and the planted one would be left alone.
    if (visitor.by !== "cookie") return false;
    if (visitor.sessionId === undefined) return true;
    try {
      const session = await sessions.describe(visitor.sessionId);
      return session.session_expires_in === undefined;
    } catch {
      // A store that cannot be asked ends no session.
      return false;
    }
  }
}

/** Where a user signs in, as an absolute URL. */
export function loginUrl(rules: VisitorRules, credential: string): string {
  return `${rules.publicOrigin()}/.pillion/login/${encodeURIComponent(credential)}`;
}

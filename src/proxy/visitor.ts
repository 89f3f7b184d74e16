import type { Credential, SessionConfig } from "../config/config.ts";
import { ProxyError } from "../core/errors.ts";
import type { RequestHead } from "./request-head.ts";
import { CONFLICT, createSessionCookies, readCookie, type SessionCookies } from "./session-cookie.ts";

/** What visitors are told apart by, and where they sign in. */
export interface VisitorRules {
  readonly cookies: SessionCookies;
  /** Those of grant `user` and `anonymous`, by name. None: nothing under `/.pillion/` is served. */
  readonly credentials: ReadonlyMap<string, Credential>;
  /** Where browsers reach the data listener. */
  publicOrigin(): string;
}

/** `ownOrigin` is what stands for a `session.public_url` that was left out; asked for once it serves. */
export function createVisitorRules(
  credentials: ReadonlyMap<string, Credential>,
  { publicUrl, absoluteMs }: Pick<SessionConfig, "publicUrl" | "absoluteMs">,
  ownOrigin: () => string,
): VisitorRules {
  const origin = publicUrl?.origin;
  return {
    cookies: createSessionCookies(publicUrl?.protocol === "https:", absoluteMs),
    credentials: new Map([...credentials].filter(([, credential]) => grantOf(credential) !== "machine")),
    publicOrigin: origin === undefined ? ownOrigin : () => origin,
  };
}

export type Grant = "none" | "machine" | "user" | "anonymous";

/** Whose tokens a credential stands for; `none`: there is no credential. */
export function grantOf(credential: Credential | undefined): Grant {
  if (credential === undefined) return "none";
  const kind = credential.spec?.kind;
  return kind === "user" || kind === "anonymous" ? kind : "machine";
}

export interface Visitor {
  /**
   * What names the session: `Pillion-Session` where it was sent, else the cookie. Cookies that differ name none: which of
   * them was planted, by a neighbouring host or for another path, cannot be told.
   */
  readonly by: "header" | "cookie" | "conflicting cookies" | "nothing";
  /** undefined: none, or nothing that could be one. */
  readonly sessionId: string | undefined;
}

const NOBODY: Visitor = { by: "nothing", sessionId: undefined };

/** 256 bits in base64url. */
const SESSION_ID = /^[A-Za-z0-9_-]{43}$/;

export function identifyVisitor(head: RequestHead, { session }: SessionCookies): Visitor {
  if (head.session !== undefined) return { by: "header", sessionId: wellFormed(head.session) };
  const value = readCookie(head.ownCookies, session);
  if (value === undefined) return NOBODY;
  if (value === CONFLICT) return { by: "conflicting cookies", sessionId: undefined };
  return { by: "cookie", sessionId: wellFormed(value) };
}

function wellFormed(value: string): string | undefined {
  return SESSION_ID.test(value) ? value : undefined;
}

const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * A browser sends the cookie along whoever made it ask, so a request that may change something has to show that it comes
 * from a page of this origin, and so has a handshake, whose tunnel may. The header nobody but its owner can send. Throws
 * ORIGIN_NOT_ALLOWED.
 */
export function checkSameOrigin(
  head: RequestHead,
  visitor: Visitor,
  isHandshake: boolean,
  publicOrigin: string,
): void {
  if (visitor.by === "header" || visitor.by === "nothing") return;
  if (SAFE_METHODS.has(head.method) && !isHandshake) return;
  if (head.secFetchSite?.toLowerCase() === "same-origin" || isOwnOrigin(head, publicOrigin)) return;
  throw new ProxyError(
    "ORIGIN_NOT_ALLOWED",
    "With the session's cookie, such a request must show that it comes from this origin (Sec-Fetch-Site or Origin). Outside of a browser send the session as `Pillion-Session`.",
  );
}

/** On the public host only its own scheme will do: on https a page that came in the clear may be anybody's. */
function isOwnOrigin({ origin, host }: RequestHead, publicOrigin: string): boolean {
  const asked = origin?.toLowerCase();
  if (asked === publicOrigin) return true;
  return asked === `http://${host.toLowerCase()}` && !publicOrigin.endsWith(`//${host.toLowerCase()}`);
}

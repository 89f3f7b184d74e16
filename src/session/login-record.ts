import { isObject, isText, isTime } from "./record.ts";

/** A login under way, kept sealed under its `state`. */
export interface LoginRecord {
  /** Unix milliseconds. */
  readonly createdAtMs: number;
  readonly credential: string;
  /** `visitorIdentity` when it began: a code is not sent to another server, nor for another client. */
  readonly identity: string;
  /** RFC 7636 §4.1. */
  readonly verifier: string;
  readonly returnTo: string;
  readonly redirectUri: string;
  readonly keeper: LoginKeeper;
}

/** Who keeps the session that the login makes. */
export type LoginKeeper =
  | {
      readonly kind: "browser";
      /** Of the login cookie's value. */
      readonly browserHash: string;
    }
  | {
      readonly kind: "application";
      /** The id that was handed out. */
      readonly session: string;
      /** The session whose other tokens move along. */
      readonly oldSession: string | undefined;
      /** The redirect goes to the application's own page: Pillion's callback is not the one to complete it. */
      readonly ownPage: boolean;
    };

/** RFC 6749 §4.1.2 gives codes 10 minutes at most; a login page is not read longer. */
export const LOGIN_LIFETIME_MS = 600_000;
const FORMAT = 1;

export function loginContent(login: LoginRecord): unknown {
  return { v: FORMAT, ...login };
}

/** undefined: not a login. */
export function parseLogin(content: unknown): LoginRecord | undefined {
  if (!isObject(content) || content["v"] !== FORMAT) return undefined;
  const { createdAtMs, credential, identity, verifier, returnTo, redirectUri } = content;
  const keeper = parseKeeper(content["keeper"]);
  if (keeper === undefined || !isTime(createdAtMs) || !isText(credential) || !isText(identity))
    return undefined;
  if (!isText(verifier) || !isText(returnTo) || !isText(redirectUri)) return undefined;
  return { createdAtMs, credential, identity, verifier, returnTo, redirectUri, keeper };
}

function parseKeeper(value: unknown): LoginKeeper | undefined {
  if (!isObject(value)) return undefined;
  const { browserHash, session, oldSession, ownPage } = value;
  if (value["kind"] === "browser" && isText(browserHash)) {
    return { kind: "browser", browserHash };
  }
  if (value["kind"] !== "application" || !isText(session)) return undefined;
  return {
    kind: "application",
    session,
    oldSession: isText(oldSession) ? oldSession : undefined,
    ownPage: ownPage === true,
  };
}

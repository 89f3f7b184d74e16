import type { VisitorSpec } from "../config/config.ts";
import { ProxyError } from "../core/errors.ts";
import { StoreUnavailable } from "../store/store.ts";
import { type TokenSubject, tokenError } from "../token/token-error.ts";
import { transient } from "../token/token-outcome.ts";

/** Nobody is signed in. The proxy adds where to. */
export function loginRequired(credential: string): ProxyError {
  return new ProxyError(
    "LOGIN_REQUIRED",
    `nobody is signed in to the credential ${credential} in this session, or the session has ended: sign in first`,
  );
}

/** What a person does after a login that failed; the end of most messages. */
export const AGAIN = "Go back to the application and sign in again.";

/** `credential`: the one that the login is for, where that is known; the proxy's page offers it again. */
export function loginFailed(message: string, credential?: string): ProxyError {
  return new ProxyError("LOGIN_FAILED", message, credential === undefined ? {} : { credential });
}

/** Whose token an error is about. */
export function visitorSubject(credential: string, spec: VisitorSpec): TokenSubject {
  return { credential, tenant: undefined, tokenUrl: spec.kind === "user" ? spec.tokenUrl : spec.mintUrl };
}

export function clientUnreadable(credential: string, spec: VisitorSpec, error: unknown): ProxyError {
  const reason = error instanceof Error ? error.message : "unknown";
  const failure = transient("secret_unreadable", `the client id cannot be read: ${reason}`);
  return tokenError(visitorSubject(credential, spec), failure, 0);
}

const STORE_RETRY_SECONDS = 2;

export function storeUnavailable(cause?: unknown): ProxyError {
  return new ProxyError(
    "STORE_UNAVAILABLE",
    "the store of sessions cannot be reached, so the session is not known at the moment: try again; nobody is signed out",
    { retryAfterSeconds: STORE_RETRY_SECONDS, ...(cause === undefined ? {} : { cause }) },
  );
}

/** The one error that stores have, as the caller is to see it; every other as it is. */
export function asProxyError(error: unknown): unknown {
  return error instanceof StoreUnavailable ? storeUnavailable(error) : error;
}

/** Runs the task with the store's error made the caller's. */
export async function overStore<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    throw asProxyError(error);
  }
}

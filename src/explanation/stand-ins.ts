/** What an explanation has in place of secrets, sockets and the store. */
import type { Config, CredentialSpec } from "../config/config.ts";
import { injectedFields } from "../config/credential.ts";
import type { Secret } from "../core/secret.ts";
import type { Destination } from "../proxy/destination.ts";
import type { ProxyObserver } from "../proxy/observer.ts";
import type { RouteEntry } from "../proxy/route-table.ts";
import type { VisitParts } from "../proxy/visit.ts";
import type { Sessions } from "../session/sessions.ts";
import { Injection, type TokenSource } from "../token/token-source.ts";

/** The names of what is injected; a token is none of this. */
export function namesOnly(spec: CredentialSpec): TokenSource {
  const injection = new Injection(injectedFields(spec).flatMap((name) => [name, "…"]));
  return { token: () => injection, invalidate: async () => undefined };
}

export function injectionOf({ route }: RouteEntry, { source }: Destination): Injection | undefined {
  const { spec } = route.credential ?? {};
  const known = source ?? (spec === undefined ? undefined : namesOnly(spec));
  const injection = known?.token();
  return injection instanceof Promise ? undefined : injection;
}

/** Certificates are read with the routes; no verdict hangs on them. */
export function withoutFiles(config: Config): Config {
  const connection = { tls: undefined, httpProxy: undefined };
  return { ...config, routes: config.routes.map((route) => ({ ...route, connection })) };
}

export const SILENT: ProxyObserver = {
  destination: () => ({ started() {}, finished() {}, failed() {}, unauthorized() {} }),
  rejected() {},
};

/** The access token, which is not read: whatever is shown is taken for it, and that is noted. No real one is empty. */
export function anyToken(assumptions: Set<string>): Pick<Secret, "matches"> {
  return {
    matches(text) {
      if (text === "") return false;
      assumptions.add("the access token that the request shows is the right one");
      return true;
    },
  };
}

/** The store, which is not asked: every session that is named is one of a user who is signed in, and that is noted. */
export function everySession(assumptions: Set<string>): { sessions(): Pick<Sessions, "isSignedIn"> } {
  return {
    sessions: () => ({
      async isSignedIn(sessionId) {
        if (sessionId === undefined) return false;
        assumptions.add("the session's user is signed in");
        return true;
      },
    }),
  };
}

/** For a visitor who named none. */
export const NO_SESSIONS: VisitParts["sessions"] = {
  source: () => ({
    token: () => Promise.reject(new Error("not asked")),
    invalidate: async () => undefined,
    created: undefined,
  }),
  describe: async () => ({ signed_in: false }),
};

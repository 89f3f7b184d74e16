/** Sessions without a store and without a provider: who is signed in is what a test says. */
import { createHash } from "node:crypto";
import type { Credential } from "../../src/config/config.ts";
import { ProxyError } from "../../src/core/errors.ts";
import type { LoginRequest, OpenRequest, Sessions, VisitorTokenSource } from "../../src/session/sessions.ts";
import { Injection } from "../../src/token/token-source.ts";

export interface ScriptedSessions extends Sessions {
  /** A session that holds a token of each of these credentials; its id. */
  add(...credentials: readonly string[]): string;
  has(id: string): boolean;
  /** The store cannot be asked. */
  isDown: boolean;
  /** What `token()` rejects with after it made a session. */
  tokenFails: ProxyError | undefined;
  /** What a newer token is called after a 401; undefined: there is none. */
  renewed: string | undefined;
  /** What a login comes to. */
  login: { sessionId: string | undefined; returnTo: string } | ProxyError;
  readonly logins: LoginRequest[];
  readonly completed: { readonly response: string; readonly browser?: string; readonly sessionId?: string }[];
  readonly opened: OpenRequest[];
  readonly loggedOut: (string | undefined)[];
}

/** A session id, the same for the same text. */
export function aSessionId(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

export function createScriptedSessions(): ScriptedSessions {
  const records = new Map<string, Map<string, string>>();
  let count = 0;
  const add = (credentials: readonly string[]): string => {
    count += 1;
    const id = aSessionId(`session ${count}`);
    records.set(id, new Map(credentials.map((name) => [name, `${name}-token-${count}`])));
    return id;
  };
  const find = (id: string | undefined): Map<string, string> | undefined => {
    if (sessions.isDown)
      throw new ProxyError("STORE_UNAVAILABLE", "The store is down.", { retryAfterSeconds: 2 });
    return id === undefined ? undefined : records.get(id);
  };
  const inject = (token: string): Injection => new Injection(["authorization", `Bearer ${token}`]);

  function source(credential: Credential, id: string | undefined): VisitorTokenSource {
    let created: string | undefined;
    return {
      get created() {
        return created;
      },
      token() {
        try {
          const token = find(id)?.get(credential.name);
          if (token !== undefined) return inject(token);
        } catch (error) {
          return Promise.reject(error as Error);
        }
        if (credential.spec?.kind === "user")
          return Promise.reject(new ProxyError("LOGIN_REQUIRED", "Nobody is signed in."));
        created = add([credential.name]);
        if (sessions.tokenFails !== undefined) return Promise.reject(sessions.tokenFails);
        return Promise.resolve(inject(records.get(created)?.get(credential.name) ?? ""));
      },
      async invalidate() {
        return sessions.renewed === undefined ? undefined : inject(sessions.renewed);
      },
    };
  }

  const sessions: ScriptedSessions = {
    isDown: false,
    tokenFails: undefined,
    renewed: undefined,
    login: { sessionId: aSessionId("after the login"), returnTo: "/" },
    logins: [],
    completed: [],
    opened: [],
    loggedOut: [],
    add: (...credentials) => add(credentials),
    has: (id) => records.has(id),
    source,
    async isSignedIn(id, credential) {
      const names = [...(find(id)?.keys() ?? [])].filter((name) => name.startsWith("user"));
      return credential === undefined ? names.length > 0 : names.includes(credential);
    },
    async describe(id) {
      const names = find(id);
      if (names === undefined) return { signed_in: false };
      const credential = [...names.keys()].find((name) => name.startsWith("user"));
      return credential === undefined
        ? { signed_in: false, session_expires_in: 60 }
        : { signed_in: true, credential, scope: "read", access_token_expires_in: 30, session_expires_in: 60 };
    },
    async beginLogin(login) {
      find(undefined);
      sessions.logins.push(login);
      const browser = login.browser ?? aSessionId("browser");
      return { authorizeUrl: "https://id.test/authorize?state=s", browser };
    },
    async completeLogin(response, browser, sessionId) {
      find(undefined);
      sessions.completed.push({
        response: response.toString(),
        ...(browser === undefined ? {} : { browser }),
        ...(sessionId === undefined ? {} : { sessionId }),
      });
      if (sessions.login instanceof ProxyError) throw sessions.login;
      if (sessionId !== undefined) records.delete(sessionId);
      return sessions.login;
    },
    async open(request) {
      find(undefined);
      sessions.opened.push(request);
      const session = add([]);
      return request.credential.spec?.kind === "user"
        ? { session, authorize_url: "https://id.test/authorize?state=s", state: "s" }
        : { session };
    },
    async completeOpened(id, response) {
      sessions.completed.push({ response: response.toString(), sessionId: id });
      if (sessions.login instanceof ProxyError) throw sessions.login;
      return await sessions.describe(id);
    },
    async logout(id) {
      find(undefined);
      sessions.loggedOut.push(id);
      if (id !== undefined) records.delete(id);
    },
    counts: () => Promise.resolve(new Map()),
    close: () => Promise.resolve(),
  };
  return sessions;
}

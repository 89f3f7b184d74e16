import type { Clock } from "../core/clock.ts";
import type { Vault } from "../store/vault.ts";
import { LOGIN_LIFETIME_MS, type LoginRecord, loginContent, parseLogin } from "./login-record.ts";
import { isOpaqueValue } from "./session-id.ts";
import type { AuthorizationResponse } from "./sessions.ts";
import { loginFailed } from "./visitor-error.ts";

/** Logins that have begun. All reject with `StoreUnavailable`, and where a login is none (any more) with LOGIN_FAILED. */
export interface PendingLogins {
  keep(state: string, login: LoginRecord): Promise<void>;
  /** The login that an answer belongs to. It stays, so that a stranger's answer does not use it up. */
  find(response: AuthorizationResponse): Promise<{ readonly state: string; readonly login: LoginRecord }>;
  /** Takes it out: of two answers with one state one gets on. */
  consume(state: string): Promise<LoginRecord>;
}

const MAX_PENDING = 10_000;
const UNKNOWN =
  "This sign-in is not known here: it was completed already, it took longer than 10 minutes, or it was not begun here. Go back to the application and sign in again.";

export function createPendingLogins(clock: Clock, vault: Vault): PendingLogins {
  const living = (content: unknown): LoginRecord => {
    const login = content === undefined ? undefined : parseLogin(content);
    if (login === undefined || clock.wall() >= login.createdAtMs + LOGIN_LIFETIME_MS) {
      throw loginFailed(UNKNOWN);
    }
    return login;
  };

  return {
    async keep(state, login) {
      await vault.write("login", state, loginContent(login), {
        expiresAtMs: login.createdAtMs + LOGIN_LIFETIME_MS,
        expected: "absent",
        class: { name: "login", limit: MAX_PENDING },
      });
    },
    async find(response) {
      const states = response.getAll("state");
      const [state] = states;
      if (states.length !== 1 || !isOpaqueValue(state)) throw loginFailed(UNKNOWN);
      return { state, login: living((await vault.read("login", state))?.content) };
    },
    async consume(state) {
      return living((await vault.take("login", state))?.content);
    },
  };
}

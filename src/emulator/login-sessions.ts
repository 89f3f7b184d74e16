import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { USERS, type User } from "./users.ts";

/** Zocdoc, Authentication: the login session is 30 minutes idle, 1 day at most. */
const IDLE_MS = 30 * 60_000;
const ABSOLUTE_MS = 24 * 3_600_000;

/** The least recently used ones beyond are forgotten. */
const MAX_SESSIONS = 1_000;

const COOKIE = "emulator_login";

/** The browsers that have signed in at the emulated login page. They live as long as the process. */
export interface LoginSessions {
  /** The browser's id by its cookie; a new one where it has none. Known or not, it proves nothing yet. */
  browserOf(request: IncomingMessage): string;
  /** Who is signed in with this browser; each look keeps the session from idling out. */
  userOf(browser: string): User | undefined;
  /** A new id for the browser, so that one planted before the login is worth nothing (session fixation). */
  signIn(user: User): string;
  signOut(browser: string): void;
  /** `Set-Cookie` for the login pages below `path`. */
  cookie(browser: string, path: string): string;
  /** What a form must send back: tied to this browser and to what the form is about. */
  csrfToken(browser: string, subject: string): string;
  isCsrfToken(token: string | null, browser: string, subject: string): boolean;
}

interface LoginSession {
  readonly userId: string;
  readonly sinceMs: number;
  usedMs: number;
}

export function createLoginSessions(options: {
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  readonly key: Buffer;
}): LoginSessions {
  const { now, randomBytes } = options;
  const key = createHmac("sha256", options.key).update("forms").digest();
  const sessions = new Map<string, LoginSession>();
  const newId = () => randomBytes(32).toString("base64url");
  const csrfToken = (browser: string, subject: string) =>
    createHmac("sha256", key).update(`${browser}\n${subject}`).digest("base64url");

  return {
    browserOf: ({ headers }) => readCookie(headers.cookie ?? "") ?? newId(),

    userOf(browser) {
      const session = sessions.get(browser);
      if (session === undefined) return undefined;
      const nowMs = now();
      sessions.delete(browser);
      if (nowMs >= session.usedMs + IDLE_MS || nowMs >= session.sinceMs + ABSOLUTE_MS) return undefined;
      session.usedMs = nowMs;
      sessions.set(browser, session);
      return USERS.find(({ id }) => id === session.userId);
    },

    signIn(user) {
      const browser = newId();
      sessions.set(browser, { userId: user.id, sinceMs: now(), usedMs: now() });
      const [oldest] = sessions.keys();
      if (sessions.size > MAX_SESSIONS && oldest !== undefined) sessions.delete(oldest);
      return browser;
    },

    signOut: (browser) => void sessions.delete(browser),
    cookie: (browser, path) => `${COOKIE}=${browser}; Path=${path}; HttpOnly; SameSite=Lax`,
    csrfToken,

    isCsrfToken(token, browser, subject) {
      const digest = (text: string) => createHash("sha256").update(text).digest();
      return token !== null && timingSafeEqual(digest(token), digest(csrfToken(browser, subject)));
    },
  };
}

/** The id where the cookie came exactly once and is one of ours by its form. */
function readCookie(cookies: string): string | undefined {
  const values = cookies
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${COOKIE}=`))
    .map((pair) => pair.slice(COOKIE.length + 1));
  const [value = ""] = values;
  return values.length === 1 && /^[\w-]{43}$/.test(value) ? value : undefined;
}

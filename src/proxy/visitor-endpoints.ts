import { type Endpoint, json } from "./endpoint.ts";

/** `GET /.pillion/session`: whether somebody is signed in, as whom and for how long; no tokens. */
export const sessionEndpoint: Endpoint = {
  method: "GET",
  access: "session",
  takesNavigation: false,
  failsWithPage: "never",
  async respond({ sessions, visitor, rules }) {
    const session = await sessions.describe(visitor.sessionId);
    const isStale = visitor.by === "cookie" && session.session_expires_in === undefined;
    return json(200, session, isStale ? ["set-cookie", rules.cookies.clearSession()] : []);
  },
};

/** `POST /.pillion/logout`: the session is over, everywhere. A store that cannot be asked leaves the cookie for a retry. */
export const logoutEndpoint: Endpoint = {
  method: "POST",
  access: "session",
  takesNavigation: false,
  failsWithPage: "never",
  async respond({ sessions, visitor, rules }) {
    await sessions.logout(visitor.sessionId);
    return {
      status: 204,
      fields: visitor.by === "header" ? [] : ["set-cookie", rules.cookies.clearSession()],
    };
  },
};

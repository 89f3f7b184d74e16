import type { Credential } from "../config/config.ts";
import type { Endpoint, EndpointAnswer, EndpointCall } from "./endpoint.ts";
import { CONFLICT, readCookie } from "./session-cookie.ts";

/** Where a query holds a code and a state, no further page is to hear of it. */
const NO_REFERRER: readonly string[] = ["referrer-policy", "no-referrer"];

/** `GET /.pillion/login/{credential}`: to the provider's authorize page (RFC 6749 §4.1.1). */
export function createLoginEndpoint(credential: Credential): Endpoint {
  return {
    method: "GET",
    access: "anybody",
    takesNavigation: true,
    failsWithPage: "visited",
    async respond(call) {
      const { query, sessions, visitor, rules } = call;
      const elsewhere = onPublicName(call);
      if (elsewhere !== undefined) return redirect(elsewhere, []);
      const { authorizeUrl, browser } = await sessions.beginLogin({
        credential,
        returnTo: query.get("return_to") ?? undefined,
        loginHint: query.get("login_hint") ?? undefined,
        sessionId: visitor.sessionId,
        browser: loginCookie(call),
      });
      return redirect(authorizeUrl, ["set-cookie", rules.cookies.setLogin(browser)]);
    },
  };
}

/** `GET /.pillion/callback`: back from the provider, with a code or an error (RFC 6749 §§4.1.2, 4.1.2.1). */
export const callbackEndpoint: Endpoint = {
  method: "GET",
  access: "anybody",
  takesNavigation: true,
  failsWithPage: "always",
  async respond(call) {
    const { query, sessions, visitor, rules } = call;
    const { cookies } = rules;
    const { sessionId, returnTo } = await sessions.completeLogin(query, loginCookie(call), visitor.sessionId);
    // The login cookie stays for its 10 minutes: another tab's login goes by the same one, and each state is good once.
    return redirect(
      localPath(returnTo),
      sessionId === undefined ? [] : ["set-cookie", cookies.setSession(sessionId)],
    );
  },
};

/** 303, so that it is always a GET that follows (RFC 9700 §4.12). */
function redirect(location: string, fields: readonly string[]): EndpointAnswer {
  return { status: 303, fields: ["location", location, ...NO_REFERRER, ...fields] };
}

function loginCookie({ head, rules }: EndpointCall): string | undefined {
  const value = readCookie(head.ownCookies, rules.cookies.login);
  return value === CONFLICT ? undefined : value;
}

/** A second look at what leaves here as a `Location`: one slash at its start, and nothing a browser would read otherwise. */
function localPath(path: string): string {
  return /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(path) ? path : "/";
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * The same login by the name that the provider sends browsers back to: a person who typed 127.0.0.1 where the public URL
 * says localhost would come back without the cookie that was set here. Only between loopback names with one port, where
 * nothing can stand in front; undefined: this is the name.
 */
function onPublicName({ head, rules, request }: EndpointCall): string | undefined {
  const here = URL.parse(`http://${head.host}`);
  const there = new URL(rules.publicOrigin());
  const isElsewhere =
    here !== null &&
    head.secFetchMode === "navigate" &&
    here.hostname !== there.hostname &&
    here.port === there.port &&
    LOOPBACK.test(here.hostname) &&
    LOOPBACK.test(there.hostname);
  return isElsewhere ? `${there.origin}${request.url ?? "/"}` : undefined;
}

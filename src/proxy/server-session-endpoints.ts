import type { Credential } from "../config/config.ts";
import { type Endpoint, type EndpointCall, json } from "./endpoint.ts";
import { invalid, readMembers } from "./json-body.ts";

const MAX_REDIRECT_URI_BYTES = 2_048;

/**
 * `POST /.pillion/sessions`: a session for a server-side application that acts for many users and keeps their sessions
 * itself.
 */
export const openEndpoint: Endpoint = {
  method: "POST",
  access: "token",
  takesNavigation: false,
  failsWithPage: "never",
  async respond(call) {
    const body = await readMembers(call, ["credential", "return_to", "redirect_uri"]);
    const opened = await call.sessions.open({
      credential: findCredential(call, body.credential),
      returnTo: body.return_to,
      redirectUri: checkRedirectUri(body.redirect_uri),
      // Never the cookie's: a script of the page could move that session into one whose id it is told here.
      sessionId: call.visitor.by === "header" ? call.visitor.sessionId : undefined,
    });
    return json(201, opened);
  },
};

/**
 * `POST /.pillion/sessions/callback`: the application took the provider's redirect on a page of its own, has seen that it
 * is the same user's browser, and hands over what came (RFC 6749 §§4.1.2, 4.1.2.1, RFC 9207).
 */
export const openedCallbackEndpoint: Endpoint = {
  method: "POST",
  access: "token",
  takesNavigation: false,
  failsWithPage: "never",
  async respond(call) {
    const body = await readMembers(call, ["session", "code", "state", "iss", "error", "error_description"]);
    const { session, ...response } = body;
    if (session === undefined || response.state === undefined)
      throw invalid("The members session and state are needed.");
    if ((response.code === undefined) === (response.error === undefined))
      throw invalid("Hand over the code that came, or the error; one of the two is needed.");
    return json(200, await call.sessions.completeOpened(session, new URLSearchParams(response)));
  },
};

function findCredential({ rules }: EndpointCall, name: string | undefined): Credential {
  if (name === undefined) throw invalid("The member credential is needed.");
  const credential = rules.credentials.get(name);
  if (credential !== undefined) return credential;
  const known = [...rules.credentials.keys()].join(", ");
  throw invalid(`No credential of grant user or anonymous has that name; there are ${known}.`);
}

/** An absolute http or https URL without a fragment (RFC 6749 §3.1.2). It is sent on as it is written. */
function checkRedirectUri(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const isFit =
    url !== null &&
    /^https?:\/\/[\x21-\x7e]+$/i.test(text) &&
    !/[#\\]/.test(text) &&
    url.username === "" &&
    url.password === "" &&
    text.length <= MAX_REDIRECT_URI_BYTES;
  if (!isFit)
    throw invalid("The member redirect_uri must be an absolute http or https URL without a fragment.");
  return text;
}

import { AuthorizationResponseError, validateAuthResponse } from "oauth4webapi";
import type { UserSpec } from "../config/config.ts";
import { AGAIN } from "./visitor-error.ts";

/** What came back from the login page: a code to send, or what to tell the person at the browser. */
export type JudgedResponse =
  | { readonly kind: "code"; readonly code: string }
  | { readonly kind: "failed"; readonly reason: string; readonly message: string };

const MAX_CODE_LENGTH = 8_192;
const MAX_TEXT_LENGTH = 200;

/** RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6: what happened, and what to do. */
const PROVIDER_ERRORS: Readonly<Record<string, string>> = {
  access_denied:
    "The sign-in was cancelled, or the access that the application asks for was not agreed to. To go on, sign in again and agree.",
  temporarily_unavailable: "The sign-in service is busy. Wait a little, then sign in again.",
  server_error: "The sign-in service had a fault. Wait a little, then sign in again.",
  login_required: "The sign-in service wants a new sign-in. Go back to the application and sign in again.",
  invalid_scope:
    "The sign-in service does not grant what the application asks for. Tell whoever runs it: the scopes of the credential are wrong.",
  unauthorized_client:
    "The sign-in service does not let this application sign users in. Tell whoever runs it: the client is not enabled for it.",
  invalid_request:
    "The sign-in service did not understand the application's request. Tell whoever runs it: the credential's settings are wrong.",
};

/**
 * Judges the redirect's query once its `state` is found good (RFC 6749 §4.1.2, RFC 9207 §2.4): a parameter that comes
 * twice, another issuer, an error, or no code mean that nothing is sent.
 */
export function judgeResponse(response: URLSearchParams, state: string, spec: UserSpec): JudgedResponse {
  const sent = response.get("iss");
  if (sent !== null && !isIssuer(sent, spec)) {
    return failed("issuer", `The answer came from another sign-in service than the one asked. ${AGAIN}`);
  }
  let parameters: URLSearchParams;
  try {
    // The client is not looked at, but has to be there.
    parameters = validateAuthResponse(
      { issuer: sent ?? spec.authorizeUrl.origin },
      { client_id: "-" },
      response,
      state,
    );
  } catch (error) {
    if (error instanceof AuthorizationResponseError)
      return providerError(error.error, error.error_description);
    return failed("response", `The sign-in service's answer is not a valid one. ${AGAIN}`);
  }
  const codes = parameters.getAll("code");
  const [code] = codes;
  if (code === undefined || code === "" || codes.length > 1 || code.length > MAX_CODE_LENGTH) {
    return failed("response", `The sign-in service's answer has no code in it. ${AGAIN}`);
  }
  return { kind: "code", code };
}

/** Exactly the issuer of the configuration; without one, whoever lives where the browser was sent. */
function isIssuer(sent: string, spec: UserSpec): boolean {
  if (spec.issuer !== undefined) return sent === spec.issuer;
  return URL.parse(sent)?.origin === spec.authorizeUrl.origin;
}

function providerError(error: string, description: string | undefined): JudgedResponse {
  const said = cleaned(description) ?? cleaned(error);
  const known = Object.hasOwn(PROVIDER_ERRORS, error) ? PROVIDER_ERRORS[error] : undefined;
  const message = known ?? `The sign-in service refused. ${AGAIN}`;
  return failed("provider", said === undefined ? message : `${message} It said: ${said}`);
}

/** The provider's own words: one line without control or formatting characters, and not a long one. */
export function cleaned(text: string | undefined): string | undefined {
  const line = text
    ?.slice(0, 4 * MAX_TEXT_LENGTH)
    .replace(/[\p{C}\p{Z}]+/gu, " ")
    .trim()
    .slice(0, MAX_TEXT_LENGTH);
  return line === "" ? undefined : line;
}

function failed(reason: string, message: string): JudgedResponse {
  return { kind: "failed", reason, message };
}

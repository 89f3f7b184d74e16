import type { UserSpec } from "../config/config.ts";

export interface AuthorizationRequest {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly state: string;
  /** S256 of the verifier, base64url without padding (RFC 7636 §4.2; Zocdoc's prose says base64, its code base64url). */
  readonly challenge: string;
  readonly loginHint: string | undefined;
  /** The visitor's own, so that Zocdoc can link what was done before the login. */
  readonly anonymousToken: string | undefined;
}

const MAX_HINT_LENGTH = 512;

/** Where the browser goes to sign in (RFC 6749 §4.1.1; Zocdoc, User Flow). */
export function authorizationUrl(spec: UserSpec, request: AuthorizationRequest): string {
  const url = new URL(spec.authorizeUrl);
  const { loginHint, anonymousToken } = request;
  const hint = loginHint === "" || (loginHint?.length ?? 0) > MAX_HINT_LENGTH ? undefined : loginHint;
  const parameters = {
    response_type: "code",
    client_id: request.clientId,
    redirect_uri: request.redirectUri,
    scope: spec.scopes.length === 0 ? undefined : spec.scopes.join(" "),
    audience: spec.audience,
    code_challenge: request.challenge,
    code_challenge_method: "S256",
    state: request.state,
    login_hint: hint,
    anonymous_token: anonymousToken,
  };
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, value);
  }
  return url.href;
}

import type { UserSpec } from "../config/config.ts";
import { authenticateClient } from "../token/client-authentication.ts";
import { postRequest, type TokenRequest } from "../token/token-request.ts";

/** A user's client, revealed: for the wire only. */
export interface UserClient {
  readonly clientId: string;
  /** undefined: a public client (RFC 6749 §2.1). */
  readonly clientSecret: string | undefined;
}

/** The authorization code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5; Zocdoc: a JSON object of exactly these). */
export function codeRequest(
  spec: UserSpec,
  client: UserClient,
  grant: { readonly code: string; readonly redirectUri: string; readonly verifier: string },
): TokenRequest {
  const identified = identify(spec, client);
  return tokenRequest(spec, identified.headers, {
    grant_type: "authorization_code",
    ...identified.parameters,
    code: grant.code,
    redirect_uri: grant.redirectUri,
    code_verifier: grant.verifier,
  });
}

/** The refresh token for new ones (RFC 6749 §6). No scope: what was granted stays. */
export function refreshRequest(spec: UserSpec, client: UserClient, refreshToken: string): TokenRequest {
  const identified = identify(spec, client);
  return tokenRequest(spec, identified.headers, {
    grant_type: "refresh_token",
    refresh_token: refreshToken,
    ...identified.parameters,
  });
}

/** RFC 7009 §2.1: a form, whatever the token endpoint takes. */
export function revocationRequest(
  spec: UserSpec,
  revocationUrl: URL,
  client: UserClient,
  refreshToken: string,
): TokenRequest {
  const { headers, parameters } = identify(spec, client);
  return postRequest(revocationUrl, "form", headers, {
    token: refreshToken,
    token_type_hint: "refresh_token",
    ...parameters,
  });
}

function identify(
  spec: UserSpec,
  { clientId, clientSecret }: UserClient,
): { readonly headers: readonly string[]; readonly parameters: Readonly<Record<string, string>> } {
  return spec.client === undefined || clientSecret === undefined
    ? { headers: [], parameters: { client_id: clientId } }
    : authenticateClient(spec.client.auth, { clientId, clientSecret });
}

function tokenRequest(
  spec: UserSpec,
  headers: readonly string[],
  parameters: Readonly<Record<string, string>>,
): TokenRequest {
  return postRequest(spec.tokenUrl, spec.tokenRequestFormat, headers, parameters);
}

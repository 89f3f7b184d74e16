import { OFFLINE_ACCESS, type UserClient } from "./clients.ts";
import type { EmulatorContext } from "./context.ts";
import type { Grant } from "./grants.ts";
import type { Service } from "./services.ts";
import { issued, refused, type TokenDecision } from "./token-request.ts";

type Parameters = ReadonlyMap<string, string>;

/** What a token request is judged with. */
interface UserTokenRequest {
  readonly client: UserClient;
  readonly parameters: Parameters;
  readonly service: Service;
  readonly context: EmulatorContext;
}

/** The grants of Zocdoc's public clients (Zocdoc, Authorization Code Flow and Refresh Tokens). */
export function grantToUser(grantType: string, request: UserTokenRequest): TokenDecision {
  switch (grantType) {
    case "authorization_code":
      return exchangeCode(request);
    case "refresh_token":
      return refresh(request);
    default: {
      const description = `Grant type '${grantType}' not allowed for the client.`;
      return refused(403, "unauthorized_client", description, { client: request.client });
    }
  }
}

const CODE_FAULTS = {
  unknown: "Invalid authorization code",
  reused: "Invalid authorization code",
  wrong_redirect_uri: "The redirect URI is not the one of the authorization request.",
  wrong_verifier: "Failed to verify code verifier",
} as const;

function exchangeCode({ client, parameters, service, context }: UserTokenRequest): TokenDecision {
  const missing = missingOf(parameters, ["code", "redirect_uri", "code_verifier"]);
  if (missing !== undefined) return refused(400, "invalid_request", missing, { client });
  const grant = context.grants.redeemCode(parameters.get("code") ?? "", {
    service: service.name,
    clientId: client.clientId,
    redirectUri: parameters.get("redirect_uri") ?? "",
    codeVerifier: parameters.get("code_verifier") ?? "",
  });
  if (typeof grant === "string") {
    if (grant === "reused") context.stats.user(service.name, "codes_reused");
    return refused(403, "invalid_grant", CODE_FAULTS[grant], { client });
  }
  context.stats.user(service.name, "codes_exchanged");
  const refreshable = grant.scopes.includes(OFFLINE_ACCESS);
  return tokensOf(grant, refreshable, { client, service, context });
}

function refresh({ client, parameters, service, context }: UserTokenRequest): TokenDecision {
  const missing = missingOf(parameters, ["refresh_token"]);
  if (missing !== undefined) return refused(400, "invalid_request", missing, { client });
  const { grants, stats, refreshRotation } = context;
  const grant = grants.refresh(parameters.get("refresh_token") ?? "", service.name, client.clientId);
  if (typeof grant === "string") {
    if (grant === "consumed") stats.user(service.name, "consumed_tokens_resent");
    return refused(403, "invalid_grant", "Unknown or invalid refresh token.", { client });
  }
  stats.user(service.name, "refreshes");
  // Auth0 sends no refresh token back where the old one stays good.
  return tokensOf(grant, refreshRotation, { client, service, context });
}

function tokensOf(
  grant: Grant,
  withRefreshToken: boolean,
  { client, service, context }: Omit<UserTokenRequest, "parameters">,
): TokenDecision {
  // As the documentation's example has it: offline_access is no scope of the access token.
  const scopes = grant.scopes.filter((scope) => scope !== OFFLINE_ACCESS);
  const visitor = grant.visitor === undefined ? {} : { visitor: grant.visitor };
  const subject = { kind: "user", user: grant.user, grant: grant.id, ...visitor } as const;
  return issued(client, {
    access_token: context.tokens.issue(service, client, scopes, subject),
    ...(withRefreshToken ? { refresh_token: context.grants.refreshToken(grant) } : {}),
    expires_in: context.expiresInSeconds,
    token_type: "Bearer",
    scope: scopes.join(" "),
  });
}

function missingOf(parameters: Parameters, names: readonly string[]): string | undefined {
  const missing = names.find((name) => !parameters.has(name));
  return missing === undefined ? undefined : `Missing required parameter: ${missing}`;
}

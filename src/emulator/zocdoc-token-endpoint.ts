import { type EmulatedClient, USER_CLIENTS } from "./clients.ts";
import type { EmulatorContext } from "./context.ts";
import { type Call, mediaType, readBody } from "./exchange.ts";
import type { Service } from "./services.ts";
import {
  issued,
  MAX_TOKEN_REQUEST_BYTES,
  parseTokenParameters,
  refused,
  type TokenDecision,
} from "./token-request.ts";
import { grantToUser } from "./zocdoc-user-grants.ts";

type Parameters = ReadonlyMap<string, string>;

/** What Auth0 knows how to grant: the first to machines, the next two to the applications of users, the rest to nobody. */
const KNOWN_GRANTS = ["client_credentials", "authorization_code", "refresh_token", "password", "implicit"];

/**
 * Zocdoc's token endpoint, which is Auth0's. Bodies in JSON (Zocdoc, Authentication) or as a form (RFC 6749 §4.4.2).
 * The order of the checks is Auth0's: the request's form, the client, its grant, its audience.
 */
export async function zocdocToken(
  call: Call,
  service: Service,
  context: EmulatorContext,
): Promise<TokenDecision> {
  if (call.method !== "POST") {
    return refused(405, "invalid_request", "Use POST.", { headers: { Allow: "POST" } });
  }
  const body = await readBody(call.request, MAX_TOKEN_REQUEST_BYTES);
  if (body === undefined) return refused(413, "invalid_request", "The request is too large.");
  const parameters = parseTokenParameters(mediaType(call.request), body);
  if (typeof parameters === "string") return refused(400, "invalid_request", parameters);
  const clientId = parameters.get("client_id");
  const userClient = USER_CLIENTS.find((known) => known.clientId === clientId);
  const required = ["grant_type", "client_id", ...(userClient === undefined ? ["client_secret"] : [])];
  for (const name of required) {
    if (!parameters.has(name)) {
      return refused(400, "invalid_request", `Missing required parameter: ${name}`);
    }
  }
  const grant = parameters.get("grant_type") ?? "";
  if (!KNOWN_GRANTS.includes(grant)) {
    return refused(400, "unsupported_grant_type", `Unsupported grant type: ${grant}`);
  }
  if (userClient !== undefined) {
    return userClient.service === service.name
      ? grantToUser(grant, { client: userClient, parameters, service, context })
      : refused(403, "access_denied", "Unauthorized", { client: userClient });
  }
  const client = context.clients.authenticate(clientId ?? "", parameters.get("client_secret") ?? "");
  if (client === undefined || !client.service.startsWith("zocdoc/")) {
    return refused(401, "access_denied", "Unauthorized");
  }
  if (client.service !== service.name) {
    return refused(403, "access_denied", "Unauthorized", { client });
  }
  if (grant !== "client_credentials") {
    const description = `Grant type '${grant}' not allowed for the client.`;
    return refused(403, "unauthorized_client", description, { client });
  }
  return grantClientCredentials(client, parameters, service, context);
}

function grantClientCredentials(
  client: EmulatedClient,
  parameters: Parameters,
  service: Service,
  { tokens, expiresInSeconds }: EmulatorContext,
): TokenDecision {
  const audience = parameters.get("audience");
  const common = { expires_in: expiresInSeconds, token_type: "Bearer" };
  // Auth0 does not refuse a request without an audience: it hands out a token for its own user-info endpoint.
  if (audience === undefined) return issued(client, { access_token: tokens.issueOpaque(), ...common });
  if (audience !== service.audience) {
    return refused(403, "access_denied", `Service not found: ${audience}`, { client });
  }
  const accessToken = tokens.issue(service, client, client.scopes);
  return issued(client, { access_token: accessToken, scope: client.scopes.join(" "), ...common });
}

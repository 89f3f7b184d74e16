import { USER_CLIENTS } from "./clients.ts";
import type { EmulatorContext } from "./context.ts";
import { type Answer, type Call, mediaType, readBody } from "./exchange.ts";
import type { Service } from "./services.ts";
import { MAX_TOKEN_REQUEST_BYTES, parseTokenParameters, refused } from "./token-request.ts";

/**
 * `POST /oauth/revoke`, which is Auth0's (RFC 7009): a form or JSON with `client_id` and `token`. It takes refresh tokens
 * alone and ends the whole family; access tokens that it gave live on to their end.
 */
export async function revoke(call: Call, service: Service, context: EmulatorContext): Promise<Answer> {
  if (call.method !== "POST") {
    return refused(405, "invalid_request", "Use POST.", { headers: { Allow: "POST" } }).answer;
  }
  const body = await readBody(call.request, MAX_TOKEN_REQUEST_BYTES);
  if (body === undefined) return refused(413, "invalid_request", "The request is too large.").answer;
  const parameters = parseTokenParameters(mediaType(call.request), body);
  if (typeof parameters === "string") return refused(400, "invalid_request", parameters).answer;
  for (const name of ["client_id", "token"]) {
    if (!parameters.has(name)) {
      return refused(400, "invalid_request", `Missing required parameter: ${name}`).answer;
    }
  }
  const clientId = parameters.get("client_id");
  const client = USER_CLIENTS.find((known) => known.clientId === clientId && known.service === service.name);
  if (client === undefined) return refused(401, "invalid_client", "Unknown client.").answer;
  const token = parameters.get("token") ?? "";
  if (context.tokens.check(service, token).state !== "foreign") {
    return refused(400, "unsupported_token_type", "Access tokens cannot be revoked.").answer;
  }
  const grant = context.grants.find(token);
  // RFC 7009 §2.1: a token of another client is refused; §2.2: one that is not known needs no revoking.
  if (grant !== undefined && grant.clientId !== client.clientId) {
    return refused(400, "invalid_grant", "The token was issued to another client.").answer;
  }
  if (grant !== undefined && !grant.ended) {
    context.grants.end(grant);
    context.stats.user(service.name, "revocations");
  }
  return { status: 200, headers: { "Cache-Control": "no-store" } };
}

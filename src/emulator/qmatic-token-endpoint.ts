import type { EmulatorContext } from "./context.ts";
import { type Call, mediaType, readBody, soleHeader } from "./exchange.ts";
import type { Service } from "./services.ts";
import {
  issued,
  MAX_TOKEN_REQUEST_BYTES,
  parseBasic,
  parseForm,
  refused,
  type TokenDecision,
} from "./token-request.ts";

/** One token request per second and token URL (Qmatic, API limits). */
const INTERVAL_MS = 1_000;

/** How much nearer two requests may come than they were sent: timers and the network are not exact. */
const ARRIVAL_JITTER_MS = 50;

/**
 * Qmatic's token endpoint, one per region: client authentication by `Authorization: Basic` alone, the account in
 * `X-ACCOUNT`, a form body (Qmatic Cloud Appointments, OAuth2). Errors look like Amazon Cognito's: 400 and an `error`
 * of RFC 6749 §5.2, without a description; that is an assumption, as are the precise codes for a wrong account.
 */
export function createQmaticTokenEndpoint(
  service: Service,
  context: EmulatorContext,
): (call: Call) => Promise<TokenDecision> {
  let lastServedMs = Number.NEGATIVE_INFINITY;

  return async (call) => {
    const { request } = call;
    if (call.method !== "POST")
      return refused(405, "invalid_request", undefined, { headers: { Allow: "POST" } });
    const nowMs = context.now();
    if (Math.abs(nowMs - lastServedMs) < INTERVAL_MS - ARRIVAL_JITTER_MS) {
      return refused(429, "too_many_requests");
    }
    lastServedMs = nowMs;

    if (mediaType(request) !== "application/x-www-form-urlencoded") return refused(400, "invalid_request");
    const body = await readBody(request, MAX_TOKEN_REQUEST_BYTES);
    if (body === undefined) return refused(413, "invalid_request");
    const credentials = parseBasic(soleHeader(request, "authorization") ?? "");
    if (credentials === undefined) return refused(400, "invalid_client");
    const client = context.clients.authenticate(credentials.clientId, credentials.clientSecret);
    if (client === undefined || client.service !== service.name) return refused(400, "invalid_client");

    const account = soleHeader(request, "x-account");
    if (account === undefined) return refused(400, "invalid_request", undefined, { client });
    if (account !== client.account) return refused(400, "unauthorized_client", undefined, { client });

    const parameters = parseForm(body.toString());
    // A secret in the body beside the one in the header: two methods of authentication (RFC 6749 §2.3).
    if (parameters === undefined || parameters.has("client_secret")) {
      return refused(400, "invalid_request", undefined, { client });
    }
    const grant = parameters.get("grant_type");
    if (grant === undefined) return refused(400, "invalid_request", undefined, { client });
    if (grant !== "client_credentials") {
      return refused(400, "unsupported_grant_type", undefined, { client });
    }
    const scopes = (parameters.get("scope") ?? "").split(" ");
    if (!scopes.every((scope) => client.scopes.includes(scope))) {
      return refused(400, "invalid_scope", undefined, { client });
    }
    const accessToken = context.tokens.issue(service, client, scopes);
    return issued(client, {
      access_token: accessToken,
      expires_in: context.expiresInSeconds,
      token_type: "Bearer",
    });
  };
}

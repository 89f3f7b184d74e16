import { USER_CLIENTS } from "./clients.ts";
import { uuid } from "./uuid.ts";
import { failure, withJson, type ZocdocEndpoint } from "./zocdoc-envelope.ts";

/**
 * Zocdoc, Anonymous User Flow: a token for one visitor, minted with the application's own. It holds no scope, so it opens
 * providers, provider locations and reference data alone. The answer's shape is not published.
 */
export const ANONYMOUS_ENDPOINTS: readonly ZocdocEndpoint[] = [
  {
    method: "POST",
    pattern: "/v1/token/anonymous-user",
    handle: withJson((body, context) => {
      const { caller, emulator } = context;
      const { service, claims } = caller;
      if (claims.subject.kind !== "machine") {
        return failure(context, 403, { message: "only an application's own token mints anonymous tokens" });
      }
      const clientId = body["app_client_id"];
      if (typeof clientId !== "string" || clientId === "") {
        return failure(context, 400, { field: "app_client_id", message: "is required" });
      }
      const client = USER_CLIENTS.find(
        (known) => known.clientId === clientId && known.service === service.name,
      );
      if (client === undefined) {
        return failure(context, 400, {
          field: "app_client_id",
          message: "is no application of this service",
        });
      }
      emulator.stats.user(service.name, "anonymous_tokens");
      const subject = { kind: "anonymous", visitor: uuid(emulator.randomBytes) } as const;
      return {
        status: 200,
        headers: {
          "Cache-Control": "no-store",
          "X-Emulator-Assumption": "the shape of this answer is not published",
        },
        json: {
          access_token: emulator.tokens.issue(service, client, [], subject),
          token_type: "Bearer",
          expires_in: emulator.expiresInSeconds,
        },
      };
    }),
  },
];

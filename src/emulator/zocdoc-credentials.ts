import { failure, result, withJson, type ZocdocEndpoint } from "./zocdoc-envelope.ts";

/**
 * The trap: whoever reaches this through a proxy holds a client secret. That is why Pillion denies it by default. The
 * real service also ends the old secret; here it goes on working, so that the printed credentials stay true.
 */
export const CREDENTIAL_ENDPOINTS: readonly ZocdocEndpoint[] = [
  {
    method: "POST",
    pattern: "/v1/credentials/rotate",
    scope: "external.credential.rotate",
    handle: withJson((body, context) => {
      const clientId = body["application_client_id"];
      if (typeof clientId !== "string" || clientId === "") {
        return failure(context, 400, { field: "application_client_id", message: "is required" });
      }
      if (clientId !== context.caller.client.clientId) {
        return failure(context, 404, { field: "application_client_id", message: "client not found" });
      }
      const secret = `fake-rotated-${context.emulator.randomBytes(24).toString("base64url")}`;
      const answer = result(context, { application_client_id: clientId, client_secret: secret });
      return { ...answer, headers: { "X-Emulator-Assumption": "the old secret stays valid" } };
    }),
  },
];

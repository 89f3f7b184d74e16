import { z } from "zod";
import { clientKeys, tokenEndpointKeys, tokenRequestsPerSecond } from "../config/credential-keys.ts";
import { defineProvider } from "../config/provider-definition.ts";
import { common, ENVIRONMENTS, environmentKeys } from "./zocdoc-environment.ts";

/**
 * Client credentials at Zocdoc's Auth0: JSON client authentication, an audience, no scope. Without the audience the
 * token would be opaque and every API call with it a 401, so it is always sent.
 */
export const zocdoc = defineProvider({
  ...common,
  grant: "client_credentials",
  description: "Zocdoc's developer API, with client credentials.",
  keys: {
    ...clientKeys,
    audience: z
      .string()
      .min(1)
      .optional()
      .describe(
        "The API that tokens are for. Default: the environment's API base, with its trailing slash, which counts.",
      )
      .meta({ examples: ["https://api-developer-sandbox.zocdoc.com/"] }),
    ...environmentKeys,
    token_requests_per_second: tokenRequestsPerSecond()
      .optional()
      .describe("Spaces requests to one token URL. Default: not spaced."),
    ...tokenEndpointKeys,
  },
  sharedKeys: ["api_url", "authorize_url", "prefetch"],
  tenantFiles: { references: ["client_id", "client_secret"], texts: [] },
  advice: {
    // A client of the other environment is answered 401 or 403, with access_denied or invalid_client.
    refusal({ environment }, error) {
      if (!["access_denied", "invalid_client", "unauthorized_client"].includes(error)) return undefined;
      const other = environment === "sandbox" ? "production" : "sandbox";
      return `a client is valid in one environment only, and this credential says environment: ${environment}; are client_id and client_secret those of ${other}? Else check them for a stale or incomplete secret`;
    },
  },
  createSpec(values, { references }) {
    const environment = ENVIRONMENTS[values.environment];
    return {
      kind: "client_credentials",
      provider: "zocdoc",
      environment: values.environment,
      tokenUrl: values.token_url ?? new URL(environment.token),
      clientAuth: "json",
      clientId: references.value(values.client_id),
      clientSecret: references.secret(values.client_secret),
      scopes: [],
      audience: values.audience ?? environment.audience,
      params: {},
      tokenRequestHeaders: [],
      injectHeaders: [],
      connection: references.connection(values),
      tokenRequestsPerSecond: values.token_requests_per_second ?? Number.POSITIVE_INFINITY,
    };
  },
});

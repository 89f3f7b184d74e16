import { z } from "zod";
import { clientKeys, tokenEndpointKeys, tokenRequestsPerSecond } from "../config/credential-keys.ts";
import { defineProvider } from "../config/provider-definition.ts";
import { choice, httpUrl } from "../config/value-schemas.ts";

/** Zocdoc's developer documentation, "Authentication". The trailing slash of an audience counts. */
const ENVIRONMENTS = {
  production: {
    api: "https://api-developer.zocdoc.com/",
    token: "https://auth.zocdoc.com/oauth/token",
    authorize: "https://auth.zocdoc.com/authorize",
    audience: "https://api-developer.zocdoc.com/",
  },
  sandbox: {
    api: "https://api-developer-sandbox.zocdoc.com/",
    token: "https://auth-api-developer-sandbox.zocdoc.com/oauth/token",
    authorize: "https://auth-api-developer-sandbox.zocdoc.com/authorize",
    audience: "https://api-developer-sandbox.zocdoc.com/",
  },
} as const;

/**
 * Client credentials at Zocdoc's Auth0: JSON client authentication, an audience, no scope. Without the audience the
 * token would be opaque and every API call with it a 401, so it is always sent.
 */
export const zocdoc = defineProvider({
  name: "zocdoc",
  description: "Zocdoc's developer API, with client credentials.",
  keys: {
    grant: choice(["client_credentials"], "client_credentials, the only grant in this version")
      .prefault("client_credentials")
      .describe("How tokens are had. Only client_credentials in this version."),
    environment: choice(["sandbox", "production"]).describe(
      "Credentials are valid in one environment only. Gives the token URL, the audience and the routes' default upstream.",
    ),
    ...clientKeys,
    audience: z
      .string()
      .min(1)
      .optional()
      .describe("Default: the environment's API base, with its trailing slash, which counts."),
    token_url: httpUrl({ query: true }).optional().describe("A stand-in for the environment's token URL."),
    api_url: httpUrl()
      .optional()
      .describe("A stand-in for the environment's API base: the routes' default upstream."),
    authorize_url: httpUrl().optional().describe("A stand-in for the environment's authorize URL."),
    token_requests_per_second: tokenRequestsPerSecond()
      .optional()
      .describe("Spaces requests to one token URL. Default: not spaced."),
    ...tokenEndpointKeys,
  },
  sharedKeys: ["grant", "api_url", "authorize_url", "prefetch"],
  tenantFiles: { references: ["client_id", "client_secret"], texts: [] },
  injectedFields: ["authorization"],
  // It answers with a new client secret in its body; the app behind the proxy must never see one.
  defaultDeny: ["POST /v1/credentials/rotate"],
  defaultUpstream({ api_url: apiUrl, environment }) {
    if (apiUrl !== undefined) return apiUrl;
    return environment === undefined ? undefined : new URL(ENVIRONMENTS[environment].api);
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

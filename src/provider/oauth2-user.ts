import { z } from "zod";
import {
  clientAuthentication,
  clientKeys,
  connectionKeys,
  scopeList,
  tokenRequestsPerSecond,
  userKeys,
} from "../config/credential-keys.ts";
import { defineProvider } from "../config/provider-definition.ts";
import { secretReference } from "../config/reference-schemas.ts";
import { httpUrl } from "../config/url-schemas.ts";

/** Any server with the authorization-code grant of RFC 6749 §4.1; always with PKCE (RFC 7636, RFC 9700 §2.1.1). */
export const oauth2User = defineProvider({
  name: "oauth2",
  grant: "user",
  description: "Any OAuth 2.0 server, for users who sign in: authorization code (RFC 6749 §4.1) with PKCE.",
  keys: {
    authorize_url: httpUrl({ query: true })
      .describe("The authorization endpoint.")
      .meta({ examples: ["https://id.example.com/oauth2/authorize"] }),
    token_url: httpUrl({ query: true })
      .describe("The token endpoint.")
      .meta({ examples: ["https://id.example.com/oauth2/token"] }),
    client_id: clientKeys.client_id,
    client_secret: secretReference
      .optional()
      .describe(
        "The client's secret: { env: NAME } or { file: PATH }. Default: a public client, without one.",
      )
      .meta({ examples: [{ file: "secrets/client-secret" }] }),
    client_auth: clientAuthentication
      .optional()
      .describe(
        "How the client shows who it is: client_secret_basic, client_secret_post (RFC 6749 §2.3.1), or a JSON body as Auth0 takes it. Default: basic with a client_secret; without one a form with the client's id.",
      ),
    scopes: scopeList
      .optional()
      .describe(
        "Scopes to ask for; many servers give a refresh token for offline_access only. Default: no scope parameter.",
      )
      .meta({ examples: [["openid", "offline_access"]] }),
    audience: z
      .string()
      .min(1)
      .optional()
      .describe("The parameter `audience`, as servers like Auth0 ask for it. Default: it is not sent.")
      .meta({ examples: ["https://api.example.com/"] }),
    ...userKeys,
    token_requests_per_second: tokenRequestsPerSecond()
      .optional()
      .describe("Spaces requests to one token URL. Default: not spaced."),
    ...connectionKeys,
  },
  sharedKeys: [],
  tenantFiles: undefined,
  injectedFields: ["authorization"],
  defaultDeny: [],
  defaultUpstream: () => undefined,
  createSpec(values, { references, fault }) {
    const { client_secret: secret, client_auth: auth } = values;
    if (secret === undefined && (auth === "basic" || auth === "post")) {
      fault("conflict", "client_auth", `${auth} needs a client_secret; leave both out for a public client`);
      return undefined;
    }
    return {
      kind: "user",
      provider: "oauth2",
      environment: "",
      authorizeUrl: values.authorize_url,
      tokenUrl: values.token_url,
      revocationUrl: values.revocation_url,
      issuer: values.issuer,
      clientId: references.value(values.client_id),
      client: secret === undefined ? undefined : { secret: references.secret(secret), auth: auth ?? "basic" },
      tokenRequestFormat: auth === "json" ? "json" : "form",
      scopes: values.scopes ?? [],
      audience: values.audience,
      anonymous: undefined,
      connection: references.connection(values),
      tokenRequestsPerSecond: values.token_requests_per_second ?? Number.POSITIVE_INFINITY,
    };
  },
});

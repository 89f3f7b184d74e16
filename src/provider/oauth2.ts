import { z } from "zod";
import {
  clientAuthentication,
  clientKeys,
  scopeList,
  tokenEndpointKeys,
  tokenRequestsPerSecond,
} from "../config/credential-keys.ts";
import { customIssue } from "../config/fault-kind.ts";
import { defineProvider } from "../config/provider-definition.ts";
import { httpUrl } from "../config/url-schemas.ts";
import { parameterValue } from "../config/value-schemas.ts";

/** Parameters that the token request makes itself (RFC 6749 §4.4.2, §2.3.1; RFC 7521 §4.2), and what to write instead. */
const RESERVED_PARAMETERS: Readonly<Record<string, string>> = {
  grant_type: "the grant is always client_credentials",
  client_id: "use the key client_id",
  client_secret: "use the key client_secret",
  client_assertion: "client assertions are not supported",
  client_assertion_type: "client assertions are not supported",
  scope: "use the key scopes",
  audience: "use the key audience",
};

const parameterName = z
  .string()
  .min(1)
  .superRefine((name, context) => {
    const reason = Object.hasOwn(RESERVED_PARAMETERS, name) ? RESERVED_PARAMETERS[name] : undefined;
    if (reason !== undefined) context.addIssue(customIssue("reserved-name", `cannot be set here: ${reason}`));
  });

/** Any server with the client-credentials grant of RFC 6749 §4.4. */
export const oauth2 = defineProvider({
  name: "oauth2",
  grant: "client_credentials",
  description: "Any OAuth 2.0 server with the client-credentials grant (RFC 6749 §4.4).",
  keys: {
    token_url: httpUrl({ query: true })
      .describe("The token endpoint.")
      .meta({ examples: ["https://id.example.com/oauth2/token"] }),
    client_auth: clientAuthentication
      .prefault("basic")
      .describe(
        "How the client shows who it is: client_secret_basic, client_secret_post (RFC 6749 §2.3.1), or both in a JSON body as Auth0 takes it.",
      ),
    ...clientKeys,
    scopes: scopeList
      .optional()
      .describe("Scopes to ask for. Default: no scope parameter.")
      .meta({ examples: [["billing.read"]] }),
    audience: z
      .string()
      .min(1)
      .optional()
      .describe("The parameter `audience`, as servers like Auth0 ask for it. Default: it is not sent.")
      .meta({ examples: ["https://api.example.com/"] }),
    params: z
      .record(parameterName, parameterValue)
      .prefault({})
      .describe("Extra parameters of the token request, such as `resource` (RFC 8707). Not for secrets.")
      .meta({ examples: [{ resource: "urn:example:billing" }] }),
    token_requests_per_second: tokenRequestsPerSecond()
      .optional()
      .describe("Spaces requests to one token URL. Default: not spaced."),
    ...tokenEndpointKeys,
  },
  sharedKeys: ["prefetch"],
  tenantFiles: { references: ["client_id", "client_secret"], texts: [] },
  injectedFields: ["authorization"],
  defaultDeny: [],
  defaultUpstream: () => undefined,
  createSpec: (values, { references }) => ({
    kind: "client_credentials",
    provider: "oauth2",
    environment: "",
    tokenUrl: values.token_url,
    clientAuth: values.client_auth,
    clientId: references.value(values.client_id),
    clientSecret: references.secret(values.client_secret),
    scopes: values.scopes ?? [],
    audience: values.audience,
    params: values.params,
    tokenRequestHeaders: [],
    injectHeaders: [],
    connection: references.connection(values),
    tokenRequestsPerSecond: values.token_requests_per_second ?? Number.POSITIVE_INFINITY,
  }),
});

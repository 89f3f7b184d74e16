import { connectionKeys, credentialName, tokenRequestsPerSecond } from "../config/credential-keys.ts";
import { defineProvider } from "../config/provider-definition.ts";
import { valueReference } from "../config/reference-schemas.ts";
import { apiUrl, common, ENVIRONMENTS, environmentKeys, otherEnvironment } from "./zocdoc-environment.ts";

const MINT_PATH = "v1/token/anonymous-user";

/** Visitors of Zocdoc who are not signed in: one token each, minted with an application's own ("Anonymous User Flow"). */
export const zocdocAnonymous = defineProvider({
  ...common,
  grant: "anonymous",
  description: "Zocdoc's developer API, for visitors who are not signed in: one token each.",
  keys: {
    app: credentialName
      .describe(
        "Name of the credential of grant client_credentials, in the same environment and without tenants, whose token mints the visitors'.",
      )
      .meta({ examples: ["zocdoc"] }),
    app_client_id: valueReference
      .describe(
        "Id of the application that visitors may later sign in to, as in grant user: text, { env: NAME } or { file: PATH }.",
      )
      .meta({ examples: [{ env: "ZOCDOC_USER_CLIENT_ID" }] }),
    ...environmentKeys,
    token_requests_per_second: tokenRequestsPerSecond()
      .optional()
      .describe("Spaces requests for anonymous tokens. Default: not spaced."),
    ...connectionKeys,
  },
  refused: {
    client_id:
      "cannot be used here: `app` names the credential that mints, and `app_client_id` the application that visitors use",
    client_secret: "cannot be used here: the credential that `app` names has it",
  },
  sharedKeys: [],
  tenantFiles: undefined,
  createSpec(values, { references, fault, referTo }) {
    const { app, environment } = values;
    const spec = referTo("app", app, { provider: "zocdoc", grant: "client_credentials" });
    if (spec === undefined) return undefined;
    if (spec.environment !== environment) {
      fault("unsuitable-credential", "app", otherEnvironment(app, spec.environment, environment));
      return undefined;
    }
    return {
      kind: "anonymous",
      provider: "zocdoc",
      environment,
      mintUrl: mintUrl(apiUrl(values) ?? new URL(ENVIRONMENTS[environment].api)),
      app: { credential: app, spec },
      appClientId: references.value(values.app_client_id),
      connection: references.connection(values),
      tokenRequestsPerSecond: values.token_requests_per_second ?? Number.POSITIVE_INFINITY,
    };
  },
});

/** Below the API base, whether that ends with a slash or not. */
function mintUrl(base: URL): URL {
  return new URL(base.href.replace(/\/?$/, `/${MINT_PATH}`));
}

import { z } from "zod";
import {
  connectionKeys,
  credentialName,
  scopeList,
  tokenRequestsPerSecond,
  userKeys,
} from "../config/credential-keys.ts";
import { defineProvider } from "../config/provider-definition.ts";
import { valueReference } from "../config/reference-schemas.ts";
import { common, ENVIRONMENTS, environmentKeys, otherEnvironment } from "./zocdoc-environment.ts";

/** Without it Zocdoc gives no refresh token. */
const OFFLINE_ACCESS = "offline_access";

/**
 * Users of Zocdoc: authorization code with PKCE for a public client, JSON bodies, an audience of patients ("Authentication",
 * Authorization Code Flow with PKCE). A user's appointments are visible to that user's token alone.
 */
export const zocdocUser = defineProvider({
  ...common,
  grant: "user",
  description: "Zocdoc's developer API, for users who sign in: authorization code with PKCE.",
  keys: {
    client_id: valueReference
      .describe(
        "Id of the application that users sign in to (a single-page application: it has no secret): text, { env: NAME } or { file: PATH }.",
      )
      .meta({ examples: [{ env: "ZOCDOC_USER_CLIENT_ID" }] }),
    scopes: scopeList
      .prefault(["external.appointment.read", "external.appointment.write", OFFLINE_ACCESS])
      .describe(
        "Scopes to ask for. Without offline_access there is no refresh token: users sign in again when the access token ends.",
      )
      .meta({ examples: [["external.appointment.read", "offline_access"]] }),
    audience: z
      .string()
      .min(1)
      .optional()
      .describe(
        "The API that tokens are for. Default: DeveloperApiPatient, in the sandbox DeveloperApiPatient-Sandbox.",
      )
      .meta({ examples: ["DeveloperApiPatient-Sandbox"] }),
    anonymous: credentialName
      .optional()
      .describe(
        "Name of the credential of grant anonymous whose token goes along with the login, so that Zocdoc can link what a visitor did before. Default: none goes along.",
      )
      .meta({ examples: ["zocdoc-anonymous"] }),
    ...environmentKeys,
    ...userKeys,
    token_requests_per_second: tokenRequestsPerSecond()
      .optional()
      .describe("Spaces requests to one token URL. Default: not spaced."),
    ...connectionKeys,
  },
  refused: {
    client_secret:
      "cannot be used here: users sign in through a public client, which has no secret (PKCE takes its place)",
  },
  sharedKeys: [],
  tenantFiles: undefined,
  createSpec(values, { references, warn, fault, referTo }) {
    const environment = ENVIRONMENTS[values.environment];
    const { anonymous } = values;
    if (!values.scopes.includes(OFFLINE_ACCESS)) {
      warn(
        "no-refresh-token",
        "scopes",
        `has no ${OFFLINE_ACCESS}: users have to sign in again when their access token ends`,
      );
    }
    if (anonymous !== undefined) {
      const spec = referTo("anonymous", anonymous, { provider: "zocdoc", grant: "anonymous" });
      if (spec !== undefined && spec.environment !== values.environment) {
        fault(
          "unsuitable-credential",
          "anonymous",
          otherEnvironment(anonymous, spec.environment, values.environment),
        );
      }
    }
    return {
      kind: "user",
      provider: "zocdoc",
      environment: values.environment,
      authorizeUrl: values.authorize_url ?? new URL(environment.authorize),
      tokenUrl: values.token_url ?? new URL(environment.token),
      revocationUrl: values.revocation_url,
      issuer: values.issuer,
      clientId: references.value(values.client_id),
      client: undefined,
      tokenRequestFormat: "json",
      scopes: values.scopes,
      audience: values.audience ?? environment.userAudience,
      anonymous,
      connection: references.connection(values),
      tokenRequestsPerSecond: values.token_requests_per_second ?? Number.POSITIVE_INFINITY,
    };
  },
});

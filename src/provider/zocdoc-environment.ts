import { httpUrl } from "../config/url-schemas.ts";
import { choice } from "../config/value-schemas.ts";

/** Zocdoc's developer documentation, "Authentication". The trailing slash of an audience counts. */
export const ENVIRONMENTS = {
  production: {
    api: "https://api-developer.zocdoc.com/",
    token: "https://auth.zocdoc.com/oauth/token",
    authorize: "https://auth.zocdoc.com/authorize",
    audience: "https://api-developer.zocdoc.com/",
    userAudience: "DeveloperApiPatient",
  },
  sandbox: {
    api: "https://api-developer-sandbox.zocdoc.com/",
    token: "https://auth-api-developer-sandbox.zocdoc.com/oauth/token",
    authorize: "https://auth-api-developer-sandbox.zocdoc.com/authorize",
    audience: "https://api-developer-sandbox.zocdoc.com/",
    userAudience: "DeveloperApiPatient-Sandbox",
  },
} as const;

/** What every grant takes: where things are. */
export const environmentKeys = {
  environment: choice(["sandbox", "production"]).describe(
    "Credentials are valid in one environment only. Gives the URLs, the audience and the routes' default upstream.",
  ),
  token_url: httpUrl({ query: true })
    .optional()
    .describe("A stand-in for the environment's token URL. Default: the environment's own.")
    .meta({ examples: ["http://127.0.0.1:9400/zocdoc/sandbox/oauth/token"] }),
  api_url: httpUrl()
    .optional()
    .describe(
      "A stand-in for the environment's API base: the routes' default upstream. Default: the environment's own.",
    )
    .meta({ examples: ["http://127.0.0.1:9400/zocdoc/sandbox/"] }),
  authorize_url: httpUrl({ query: true })
    .optional()
    .describe(
      "A stand-in for the environment's authorize URL, to which grant user sends browsers. Default: the environment's own.",
    )
    .meta({ examples: ["http://127.0.0.1:9400/zocdoc/sandbox/authorize"] }),
};

/** What holds of every grant. */
export const common = {
  name: "zocdoc",
  injectedFields: ["authorization"],
  // It answers with a new client secret in its body; the app behind the proxy must never see one.
  defaultDeny: ["POST /v1/credentials/rotate"],
  defaultUpstream: apiUrl,
} as const;

interface EnvironmentValues {
  readonly environment?: keyof typeof ENVIRONMENTS | undefined;
  readonly api_url?: URL | undefined;
}

export function apiUrl({ api_url: standIn, environment }: EnvironmentValues): URL | undefined {
  if (standIn !== undefined) return standIn;
  return environment === undefined ? undefined : new URL(ENVIRONMENTS[environment].api);
}

/** Words for a reference to a credential of the other environment. */
export function otherEnvironment(name: string, theirs: string, ours: string): string {
  return `credential ${name} is of environment ${theirs}, and this one of ${ours}; Zocdoc accepts no token of the other`;
}

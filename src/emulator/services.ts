/** One provider in one environment or region, as it is named in the emulator's paths. */
export type ServiceName = "zocdoc/sandbox" | "zocdoc/production" | "qmatic/eu-west-1" | "qmatic/us-east-1";

export interface Service {
  readonly name: ServiceName;
  readonly provider: "zocdoc" | "qmatic";
  /** Zocdoc's environment or Qmatic's region. */
  readonly environment: string;
  /** Path of the token endpoint below the service's prefix. */
  readonly tokenPath: string;
  /** `iss` of its tokens. */
  readonly issuer: string;
  /** The one `aud` that its API takes of machines and of visitors; "" where the provider has no audiences. */
  readonly audience: string;
  /** The `aud` of a signed-in user's tokens; "" where the provider has no users. */
  readonly userAudience: string;
}

/** Below the prefix of a service that has users (Zocdoc): Auth0's paths. */
export const USER_PATHS = { authorize: "/authorize", revoke: "/oauth/revoke" } as const;

function zocdoc(
  environment: "sandbox" | "production",
  issuer: string,
  audience: string,
  userAudience: string,
): Service {
  return {
    name: `zocdoc/${environment}`,
    provider: "zocdoc",
    environment,
    tokenPath: "/oauth/token",
    issuer,
    audience,
    userAudience,
  };
}

function qmatic(environment: "eu-west-1" | "us-east-1"): Service {
  const issuer = `https://api.${environment}.qmatic.io/`;
  return {
    name: `qmatic/${environment}`,
    provider: "qmatic",
    environment,
    tokenPath: "/oauth2/token",
    issuer,
    audience: "",
    userAudience: "",
  };
}

/**
 * Every service that the emulator stands in for. Audiences are the real ones, whatever address the emulator has: an
 * audience is an identifier, not a place, and its trailing slash counts (Zocdoc, Authentication).
 */
export const SERVICES: readonly Service[] = [
  zocdoc(
    "sandbox",
    "https://auth-api-developer-sandbox.zocdoc.com/",
    "https://api-developer-sandbox.zocdoc.com/",
    "DeveloperApiPatient-Sandbox",
  ),
  zocdoc(
    "production",
    "https://auth.zocdoc.com/",
    "https://api-developer.zocdoc.com/",
    "DeveloperApiPatient",
  ),
  qmatic("eu-west-1"),
  qmatic("us-east-1"),
];

const PREFIX = /^\/([^/]+\/[^/]+)(\/.*)$/;

/** `/zocdoc/sandbox/v1/providers` → the service and `/v1/providers`; undefined where no service lives. */
export function findService(path: string): { service: Service; rest: string } | undefined {
  const match = PREFIX.exec(path);
  const service = SERVICES.find(({ name }) => name === match?.[1]);
  return service === undefined ? undefined : { service, rest: match?.[2] ?? "/" };
}

export interface ServiceEndpoints {
  readonly tokenUrl: string;
  /** With a trailing slash; what `api_url` and `upstream` are to be set to. */
  readonly apiUrl: string;
  /** "" where the service has no users. */
  readonly authorizeUrl: string;
  /** "" where the service has no users. */
  readonly revocationUrl: string;
}

/** Every service's addresses at an emulator with this origin. */
export function endpointsAt(origin: string): Record<ServiceName, ServiceEndpoints> {
  const entries = SERVICES.map(({ name, tokenPath, userAudience }): [ServiceName, ServiceEndpoints] => {
    const base = `${origin}/${name}`;
    const hasUsers = userAudience !== "";
    return [
      name,
      {
        tokenUrl: base + tokenPath,
        apiUrl: `${base}/`,
        authorizeUrl: hasUsers ? base + USER_PATHS.authorize : "",
        revocationUrl: hasUsers ? base + USER_PATHS.revoke : "",
      },
    ];
  });
  return Object.fromEntries(entries) as Record<ServiceName, ServiceEndpoints>;
}

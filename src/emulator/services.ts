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
  /** The one `aud` that its API takes; "" where the provider has no audiences. */
  readonly audience: string;
}

function zocdoc(environment: "sandbox" | "production", issuer: string, audience: string): Service {
  return {
    name: `zocdoc/${environment}`,
    provider: "zocdoc",
    environment,
    tokenPath: "/oauth/token",
    issuer,
    audience,
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
  ),
  zocdoc("production", "https://auth.zocdoc.com/", "https://api-developer.zocdoc.com/"),
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

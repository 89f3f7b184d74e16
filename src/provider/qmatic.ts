import {
  clientKeys,
  scopeList,
  tokenEndpointKeys,
  tokenRequestsPerSecond,
} from "../config/credential-keys.ts";
import { defineProvider } from "../config/provider-definition.ts";
import { didYouMean } from "../config/suggestion.ts";
import { httpUrl } from "../config/url-schemas.ts";
import { choice, fieldValue } from "../config/value-schemas.ts";

/** Qmatic Cloud Appointments, "OAuth2": the scopes' common prefix and their short names. */
const SCOPE_PREFIX = "com.qmatic.saas.appointments/external.appointment.";
const SHORT_SCOPES = ["book", "reschedule", "cancel"] as const;

/**
 * Client credentials at Qmatic Cloud Appointments: HTTP Basic, the tenant's account in `X-ACCOUNT`, and the tenant's id
 * in `X-TENANT-ID` of every API call.
 */
export const qmatic = defineProvider({
  name: "qmatic",
  description: "Qmatic Cloud Appointments; mostly with tenants, each with a client and a token of its own.",
  keys: {
    region: choice(["eu-west-1", "us-east-1"]).describe(
      "Gives the token URL and the routes' default upstream. A route's upstream is the same for all tenants: where a tenant lives in another region, give it a credential of its own.",
    ),
    ...clientKeys,
    scopes: scopeList
      .prefault([...SHORT_SCOPES])
      .describe("Scopes to ask for: short names (book, reschedule, cancel) or full ones.")
      .meta({ examples: [["book"]] }),
    account: fieldValue
      .optional()
      .describe(
        "X-ACCOUNT of the token request, sent as written. Default: the tenant's name, lower-cased; without tenants it must be given.",
      )
      .meta({ examples: ["isb"] }),
    tenant_id: fieldValue
      .optional()
      .describe(
        "X-TENANT-ID injected into API calls; it need not equal the account. Default: none is injected.",
      )
      .meta({ examples: ["1001"] }),
    token_url: httpUrl({ query: true })
      .optional()
      .describe("A stand-in for the region's token URL. Default: the region's own.")
      .meta({ examples: ["http://127.0.0.1:9400/qmatic/eu-west-1/oauth2/token"] }),
    api_url: httpUrl()
      .optional()
      .describe(
        "A stand-in for the region's API base: the routes' default upstream. Default: the region's own.",
      )
      .meta({ examples: ["http://127.0.0.1:9400/qmatic/eu-west-1/"] }),
    token_requests_per_second: tokenRequestsPerSecond()
      .prefault(1)
      .describe("Spaces requests to one token URL; Qmatic allows one a second."),
    ...tokenEndpointKeys,
  },
  sharedKeys: ["api_url", "prefetch"],
  tenantFiles: { references: ["client_id", "client_secret"], texts: ["account", "tenant_id"] },
  injectedFields: ["authorization", "x-account", "x-tenant-id"],
  defaultDeny: [],
  advice: {
    refusal({ environment, tokenRequestHeaders }, error) {
      const account = `account (X-ACCOUNT) was "${tokenRequestHeaders[1] ?? ""}"`;
      switch (error) {
        case "invalid_client":
          return `check client_id and client_secret; a client belongs to one tenant and one region, and this credential says region: ${environment}`;
        case "unauthorized_client":
        case "invalid_request":
        case "access_denied":
          return `${account}: the server does not know it, or the client is another account's; it is the system's name in lower case without spaces (the key account)`;
        default:
          return undefined;
      }
    },
    // Qmatic Cloud Appointments: every API call needs X-TENANT-ID, an existing system's id.
    omission({ injectHeaders }) {
      return injectHeaders.includes("x-tenant-id")
        ? undefined
        : {
            reason: "no tenant_id is set, so that API calls go without X-TENANT-ID",
            hint: "set tenant_id to the id of the tenant's system: Qmatic refuses calls without it",
          };
    },
  },
  defaultUpstream({ api_url: apiUrl, region }) {
    if (apiUrl !== undefined) return apiUrl;
    return region === undefined ? undefined : new URL(`https://api.${region}.qmatic.io/`);
  },
  createSpec(values, { tenant, references, fault }) {
    const account = values.account ?? accountOf(tenant);
    if (account === undefined)
      fault("missing-key", "account", "is missing: without tenants the account (X-ACCOUNT) must be given");
    const scopes: string[] = [];
    for (const name of values.scopes) {
      const scope = fullScope(name);
      if (scope !== undefined) scopes.push(scope);
      else fault("not-a-choice", "scopes", unknownScope(name));
    }
    if (account === undefined || scopes.length < values.scopes.length) return undefined;
    return {
      kind: "client_credentials",
      provider: "qmatic",
      environment: values.region,
      tokenUrl: values.token_url ?? new URL(`https://api.${values.region}.qmatic.io/oauth2/token`),
      clientAuth: "basic",
      clientId: references.value(values.client_id),
      clientSecret: references.secret(values.client_secret),
      scopes,
      audience: undefined,
      params: {},
      tokenRequestHeaders: ["X-ACCOUNT", account],
      injectHeaders: values.tenant_id === undefined ? [] : ["x-tenant-id", values.tenant_id],
      connection: references.connection(values),
      tokenRequestsPerSecond: values.token_requests_per_second,
    };
  },
});

/** The account is the system's name in lower case, with spaces removed. */
export function accountOf(tenant: string | undefined): string | undefined {
  return tenant?.toLowerCase().replaceAll(" ", "");
}

/** The full name of a scope by its short or full name; undefined for a word that is neither. */
export function fullScope(name: string): string | undefined {
  if (SHORT_SCOPES.some((short) => short === name)) return SCOPE_PREFIX + name;
  return name.includes("/") ? name : undefined;
}

function unknownScope(name: string): string {
  const rule = `expected ${SHORT_SCOPES.join(", ")} or a full name (${SCOPE_PREFIX}…)`;
  return `unknown scope "${name}"${didYouMean(name, SHORT_SCOPES)}: ${rule}`;
}

import type { EmulatedClient, UserClient } from "./clients.ts";
import type { Emulator } from "./emulator.ts";

export interface DevConfiguration {
  /** A configuration file in YAML. */
  readonly text: string;
  /** The environment variables that its secret references name, with the emulator's fake values. */
  readonly env: Readonly<Record<string, string>>;
}

export interface DevSurroundings {
  /** As `listen` and `admin` in a configuration: `host:port` or `unix:/path`. */
  readonly listen: string;
  readonly admin: string;
  /** Where sessions are kept, and the key that seals them. Default: in memory. */
  readonly store?: { readonly file: string; readonly keyFile: string };
}

/** Without an address of its own a browser gets to a Unix socket through somebody else, by convention on this port. */
const PUBLIC_URL = "http://localhost:8080";

/** The tenants of the emulated region that the configuration uses. */
const TENANTS = ["isb", "riverside"];

/**
 * The built-in configuration of `pillion dev`: every kind of route once, all of them leading to a started emulator.
 * Written to be read, since it is also the example that `pillion emulate` prints.
 */
export function devConfiguration(
  emulator: Emulator,
  { listen, admin, store }: DevSurroundings,
): DevConfiguration {
  const zocdoc = emulator.endpoints["zocdoc/sandbox"];
  const qmatic = emulator.endpoints["qmatic/eu-west-1"];
  const zocdocClient = emulator.clients.find(({ name }) => name === "zocdoc-sandbox") as EmulatedClient;
  const userClient = emulator.userClients.find(({ name }) => name === "zocdoc-sandbox-user") as UserClient;
  const tenants = emulator.clients.filter(({ account }) => TENANTS.includes(account ?? ""));
  const secretName = (account: string) => `QMATIC_${account.toUpperCase()}_CLIENT_SECRET`;

  const text = `listen: ${scalar(listen)}
admin: ${scalar(admin)}
log: { level: info, format: pretty, access: true }

credentials:
  zocdoc:
    provider: zocdoc
    environment: sandbox
    token_url: ${zocdoc.tokenUrl}
    api_url: ${zocdoc.apiUrl}
    client_id: ${zocdocClient.clientId}
    client_secret: { env: ZOCDOC_CLIENT_SECRET }
  zocdoc-user:                    # a token per user that signed in
    provider: zocdoc
    grant: user
    environment: sandbox
    authorize_url: ${zocdoc.authorizeUrl}
    token_url: ${zocdoc.tokenUrl}
    revocation_url: ${zocdoc.revocationUrl}
    api_url: ${zocdoc.apiUrl}
    client_id: ${userClient.clientId}
    scopes: [external.appointment.read, external.appointment.write, offline_access]
    anonymous: zocdoc-anonymous
  zocdoc-anonymous:               # a token per visitor that did not
    provider: zocdoc
    grant: anonymous
    environment: sandbox
    api_url: ${zocdoc.apiUrl}
    app: zocdoc
    app_client_id: ${userClient.clientId}
  qmatic:
    provider: qmatic
    region: eu-west-1
    token_url: ${qmatic.tokenUrl}
    scopes: [book, reschedule, cancel]
    tenants:
${tenants
  .map(
    ({ account = "", tenantId, clientId }) => `      ${account}:
        account: ${account}
        tenant_id: "${tenantId}"
        client_id: ${clientId}
        client_secret: { env: ${secretName(account)} }
`,
  )
  .join(
    "",
  )}${store === undefined ? "" : storeSection(store)}${listen.startsWith("unix:") ? `\nsession: { public_url: "${PUBLIC_URL}" }\n` : ""}
routes:
  - name: zocdoc
    path: /zocdoc/
    credential: zocdoc
  - name: zocdoc-anonymous        # providers, locations, reference data
    path: /zocdoc-anonymous/
    credential: zocdoc-anonymous
  - name: zocdoc-user             # a user's own appointments
    path: /zocdoc-user/
    credential: zocdoc-user
  - name: demo                    # an application without any OAuth
    path: /demo/
    upstream: ${emulator.origin}/demo/
    credential: none
  - name: qmatic                  # the tenant is a segment of the path
    path: /qmatic/{tenant}/
    upstream: ${qmatic.apiUrl}
    credential: qmatic
  - name: qmatic-by-header        # the tenant is in a header field
    path: /appointments/
    upstream: ${qmatic.apiUrl}appointments/
    credential: qmatic
    tenant: { header: X-Tenant }
`;
  const env = Object.fromEntries([
    ["ZOCDOC_CLIENT_SECRET", zocdocClient.clientSecret],
    ...tenants.map(({ account = "", clientSecret }) => [secretName(account), clientSecret]),
  ]);
  return { text, env };
}

function storeSection({ file, keyFile }: { readonly file: string; readonly keyFile: string }): string {
  return `
store:                            # sessions outlive a restart
  sqlite: ${JSON.stringify(file)}
  encryption_keys: [{ file: ${JSON.stringify(keyFile)} }]
`;
}

/** A YAML scalar: quoted where a plain one would be read as something else, such as `[::1]:8080`. */
function scalar(text: string): string {
  return /^[\w.][\w.:/-]*$/.test(text) ? text : JSON.stringify(text);
}

/** An authorization server that is not ours: the package oidc-provider, with its own pages for login and consent. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";

/** A public client (PKCE only), as Zocdoc's single-page applications are. */
export const PUBLIC_CLIENT = "spa-client";
/** One that authenticates with `client_secret_basic`. */
export const CONFIDENTIAL_CLIENT = "web-client";
export const CLIENT_SECRET = "fake-web-client-secret";
export const SCOPES = ["external.appointment.read", "external.appointment.write"];

const DAY_SECONDS = 86_400;
const RESOURCE_SERVER = { id: "resource-server", secret: "fake-resource-server-secret" };

export interface OidcServer extends AsyncDisposable {
  readonly issuer: string;
  readonly authorizeUrl: string;
  /** A form, as RFC 6749 has it. */
  readonly tokenUrl: string;
  /** The same by a JSON body, as Zocdoc has it. */
  readonly jsonTokenUrl: string;
  readonly revocationUrl: string;
  /** The parameters of every request to the token endpoint, whichever form they came in. */
  readonly tokenRequests: readonly URLSearchParams[];
  readonly revocations: readonly URLSearchParams[];
  /** What was refused there, and the server's own reason for it. */
  readonly refusals: readonly string[];
  /** Of access tokens from now on. Default one hour. */
  accessTokenSeconds: number;
  /** This token alone is no good any more. */
  drop(accessToken: string): Promise<void>;
  /** Nor is any other of the same login, the refresh token included. */
  revoke(accessToken: string, clientId: string): Promise<void>;
  /** RFC 7662, as a resource server asks. */
  introspect(token: string): Promise<Introspection>;
}

export interface Introspection {
  readonly active: boolean;
  /** The login that was typed in. */
  readonly sub?: string;
  readonly client_id?: string;
  readonly scope?: string;
}

/** `redirectUris` are registered for both clients. */
export async function startOidcServer(redirectUris: readonly string[]): Promise<OidcServer> {
  const tokenRequests: URLSearchParams[] = [];
  const revocations: URLSearchParams[] = [];
  const refusals: string[] = [];
  const http = createServer();
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  const server: OidcServer = {
    issuer,
    authorizeUrl: `${issuer}/auth`,
    tokenUrl: `${issuer}/token`,
    jsonTokenUrl: `${issuer}/json/token`,
    revocationUrl: `${issuer}/token/revocation`,
    tokenRequests,
    revocations,
    refusals,
    accessTokenSeconds: 3_600,
    async drop(accessToken) {
      await (await provider.AccessToken.find(accessToken))?.destroy();
    },
    async revoke(accessToken, clientId) {
      const body = new URLSearchParams({ token: accessToken, client_id: clientId });
      await fetch(server.revocationUrl, { method: "POST", body });
      revocations.pop();
    },
    async introspect(token) {
      const { id, secret } = RESOURCE_SERVER;
      const answer = await fetch(`${issuer}/token/introspection`, {
        method: "POST",
        headers: { Authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` },
        body: new URLSearchParams({ token }),
      });
      return (await answer.json()) as Introspection;
    },
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
    },
  };

  const user = { grant_types: ["authorization_code", "refresh_token"], redirect_uris: [...redirectUris] };
  const provider = new Provider(issuer, {
    clients: [
      { ...user, client_id: PUBLIC_CLIENT, token_endpoint_auth_method: "none" },
      { ...user, client_id: CONFIDENTIAL_CLIENT, client_secret: CLIENT_SECRET },
      {
        client_id: RESOURCE_SERVER.id,
        client_secret: RESOURCE_SERVER.secret,
        grant_types: [],
        redirect_uris: [],
        response_types: [],
      },
    ],
    scopes: ["openid", "offline_access", ...SCOPES],
    // Zocdoc gives its applications one for the asking; OpenID Connect Core §11 wants prompt=consent beside offline_access,
    // and the server drops that scope without.
    issueRefreshToken: async (
      _context: unknown,
      client: { clientId: string },
      source: { scopes: Set<string> },
    ) => client.clientId === PUBLIC_CLIENT || source.scopes.has("offline_access"),
    expiresWithSession: async () => false,
    rotateRefreshToken: true,
    pkce: { required: () => true },
    ttl: {
      AccessToken: () => server.accessTokenSeconds,
      RefreshToken: DAY_SECONDS,
      Grant: DAY_SECONDS,
      Interaction: DAY_SECONDS,
      Session: DAY_SECONDS,
    },
    clockTolerance: 0,
    features: {
      devInteractions: { enabled: true },
      introspection: { enabled: true, allowedPolicy: async () => true },
      revocation: {
        enabled: true,
        allowedPolicy: async (_context: unknown, client: { clientId: string }, token: { clientId: string }) =>
          client.clientId === token.clientId,
      },
    },
    findAccount: async (_context: unknown, accountId: string) => ({
      accountId,
      claims: async () => ({ sub: accountId }),
    }),
    cookies: { keys: ["fake-cookie-key"] },
  });
  provider.on("grant.error", (_context, { error, error_detail: detail }) => {
    refusals.push(`${error}: ${detail ?? ""}`);
  });
  const answer = provider.callback();

  http.on("request", (request, response) => {
    const path = new URL(request.url ?? "/", issuer).pathname;
    if (path === "/json/token") {
      void relay(request, response).catch(() => response.destroy());
      return;
    }
    if (path === "/token" || path === "/token/revocation") {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const parameters = new URLSearchParams(Buffer.concat(chunks).toString());
        (path === "/token" ? tokenRequests : revocations).push(parameters);
      });
    }
    answer(request, response);
  });

  /** The shim: an object of strings becomes the form that the server takes. */
  async function relay(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isJson = request.headers["content-type"] === "application/json";
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const members = isJson ? (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, string>) : {};
    const relayed = await fetch(server.tokenUrl, { method: "POST", body: new URLSearchParams(members) });
    response.writeHead(relayed.status, { "content-type": relayed.headers.get("content-type") ?? "" });
    response.end(await relayed.text());
  }

  return server;
}

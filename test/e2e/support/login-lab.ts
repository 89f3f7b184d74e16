/** `pillion run` between browsers, an authorization server that is not ours, and an API that asks that server who calls. */

import { createTestBrowser, type TestBrowser, type Visited } from "../../support/browser.ts";
import {
  CLIENT_SECRET,
  CONFIDENTIAL_CLIENT,
  type OidcServer,
  PUBLIC_CLIENT,
  startOidcServer,
} from "../../support/oidc-server.ts";
import { type Serving, serve } from "./serve.ts";
import { startUpstream, type Upstream } from "./upstream.ts";
import { createWorkspace } from "./workspace.ts";

/** As a legacy application would have it: a page of its own that takes the redirect. */
export const APP_PAGE = "https://app.example.com/signed-in";

const SCOPES = "[external.appointment.read, external.appointment.write, offline_access]";

export interface LoginLab extends AsyncDisposable {
  /** As the configuration has it; only the lab's browsers know where that is. */
  readonly publicUrl: string;
  readonly server: OidcServer;
  /** Answers what the authorization server says of the token that came, or 401. */
  readonly api: Upstream;
  pillion(): Serving;
  browser(): TestBrowser;
  /** Ends it at once and starts it again on another port. */
  restart(): Promise<void>;
}

export interface LoginLabOptions {
  /** Default `http://localhost:8080`. */
  readonly publicUrl?: string;
  /** YAML at the top level. */
  readonly extra?: string;
}

export async function startLoginLab(options: LoginLabOptions = {}): Promise<LoginLab> {
  const { publicUrl = "http://localhost:8080", extra = "" } = options;
  const server = await startOidcServer([`${publicUrl}/.pillion/callback`, APP_PAGE]);
  const api = await startUpstream((request, response) => {
    const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "";
    server.introspect(token).then(
      (said) => {
        response.writeHead(said.active ? 200 : 401, { "content-type": "application/json" });
        response.end(JSON.stringify(said));
      },
      () => response.destroy(),
    );
  });
  const workspace = createWorkspace();
  workspace.write("store-key", Buffer.alloc(32, 7).toString("base64"));
  workspace.write("web-secret", `${CLIENT_SECRET}\n`);
  const text = `session: { public_url: "${publicUrl}" }
store: { sqlite: sessions.db, encryption_keys: [{ file: store-key }] }
${extra}
credentials:
  zocdoc:
    provider: zocdoc
    grant: user
    environment: sandbox
    authorize_url: ${server.authorizeUrl}
    token_url: ${server.jsonTokenUrl}
    revocation_url: ${server.revocationUrl}
    client_id: ${PUBLIC_CLIENT}
    scopes: ${SCOPES}
  plain:
    provider: oauth2
    grant: user
    authorize_url: ${server.authorizeUrl}?prompt=consent
    token_url: ${server.tokenUrl}
    revocation_url: ${server.revocationUrl}
    issuer: ${server.issuer}
    client_id: ${CONFIDENTIAL_CLIENT}
    client_secret: { file: web-secret }
    scopes: ${SCOPES}
  no-refresh:
    provider: oauth2
    grant: user
    authorize_url: ${server.authorizeUrl}
    token_url: ${server.tokenUrl}
    client_id: ${CONFIDENTIAL_CLIENT}
    client_secret: { file: web-secret }
    scopes: ${SCOPES}
  other-issuer:
    provider: oauth2
    grant: user
    authorize_url: ${server.authorizeUrl}
    token_url: ${server.tokenUrl}
    issuer: https://id.example.com
    client_id: ${PUBLIC_CLIENT}
    scopes: ${SCOPES}
routes:
  - { name: my, path: /my/, upstream: "${api.origin}/api/", credential: zocdoc, login: redirect }
  - { name: plain, path: /plain/, upstream: "${api.origin}/", credential: plain }
  - { name: no-refresh, path: /no-refresh/, upstream: "${api.origin}/", credential: no-refresh }
  - { name: other, path: /other/, upstream: "${api.origin}/", credential: other-issuer }
`;
  const start = (): Promise<Serving> => serve(text, { workspace });
  let pillion = await start().catch(async (error: unknown) => {
    await Promise.all([server[Symbol.asyncDispose](), api.close()]);
    throw error;
  });
  return {
    publicUrl,
    server,
    api,
    pillion: () => pillion,
    browser: () => createTestBrowser({ hosts: () => ({ [publicUrl]: pillion.origin }) }),
    async restart() {
      pillion.signal("SIGKILL");
      await pillion.exited();
      pillion = await start();
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([pillion.stop(), server[Symbol.asyncDispose](), api.close()]);
    },
  };
}

/** Goes through the server's own pages: types the login in and agrees, as far as it asks. */
export async function signInThere(
  browser: TestBrowser,
  asked: Visited,
  login: string,
  stopAt: (url: URL) => boolean = () => false,
): Promise<Visited> {
  let page = asked;
  while (page.text.includes("<form")) {
    const fields = page.text.includes('name="login"') ? { login, password: "fake-password" } : {};
    page = await browser.submit(page, fields, { stopAt });
  }
  return page;
}

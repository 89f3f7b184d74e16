/** Several real processes before one store, one authorization server and one upstream. */
import { randomBytes } from "node:crypto";
import type { EmulatedClient, UserClient } from "../../../src/emulator/clients.ts";
import { signIn } from "../../support/emulator-user.ts";
import type { PillionProcess, StartOptions } from "../../support/pillion-process.ts";
import { type StrictProvider, startStrictProvider } from "../../support/strict-provider.ts";
import { type Reply, send } from "./http-client.ts";
import { type Serving, serve } from "./serve.ts";
import { startUpstream, type Upstream } from "./upstream.ts";
import { createWorkspace, type Workspace } from "./workspace.ts";

/** What of a store's section differs from test to test. */
export type FleetStore =
  | { readonly kind: "sqlite" }
  | {
      readonly kind: "redis";
      readonly url: string;
    };

export interface MemberOptions extends StartOptions {
  /** The store's keys, base64, the one that encrypts first. Default: the fleet's own. */
  readonly keys?: readonly string[];
  /** Lines of the section `session`. */
  readonly session?: string;
  /** Default: the fleet's. */
  readonly store?: FleetStore;
}

export interface Fleet extends AsyncDisposable {
  readonly provider: StrictProvider;
  readonly upstream: Upstream;
  /** base64. */
  readonly key: string;
  /** For the fleet's SQLite file. */
  readonly workspace: Workspace;
  start(options?: MemberOptions): Promise<Serving>;
}

export const STORE_FILE = "sessions.db";

/** Routes `/user/`, `/anonymous/` and `/machine/`, named and with credentials named as their paths. */
export async function startFleet(store: FleetStore): Promise<Fleet> {
  const provider = await startStrictProvider();
  const upstream = await startUpstream();
  const workspace = createWorkspace();
  const key = newKey();
  const members = new Set<Serving>();
  return {
    provider,
    upstream,
    key,
    workspace,
    async start(options = {}) {
      const { keys = [key], session = "", store: other = store, ...rest } = options;
      const named = keys.map((value, index) => [`STORE_KEY_${index}`, value] as const);
      const { emulator } = provider;
      const client = emulator.clients.find(({ name }) => name === "zocdoc-sandbox") as EmulatedClient;
      const env = {
        ...Object.fromEntries(named),
        MACHINE_SECRET: client.clientSecret,
        ...(other.kind === "redis" ? { REDIS_URL: other.url } : {}),
        ...rest.env,
      };
      const text = configuration(
        provider,
        upstream,
        `${storeSection(other, workspace)}, encryption_keys: [${named.map(([name]) => `{ env: ${name} }`).join(", ")}] }
session: { public_url: "http://localhost:8080"${session} }`,
      );
      const member = await serve(text, { ...rest, env });
      members.add(member);
      return member;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...members].map((member) => member.stop()));
      await Promise.all([provider[Symbol.asyncDispose](), upstream.close()]);
      workspace.remove();
    },
  };
}

export function newKey(): string {
  return randomBytes(32).toString("base64");
}

function storeSection(store: FleetStore, workspace: Workspace): string {
  return store.kind === "redis"
    ? "store: { redis: { url: { env: REDIS_URL } }"
    : `store: { sqlite: ${JSON.stringify(workspace.path(STORE_FILE))}`;
}

function configuration({ emulator, tokenUrl }: StrictProvider, { origin }: Upstream, more: string): string {
  const zocdoc = emulator.endpoints["zocdoc/sandbox"];
  const client = emulator.clients.find(({ name }) => name === "zocdoc-sandbox") as EmulatedClient;
  const user = emulator.userClients.find(({ name }) => name === "zocdoc-sandbox-user") as UserClient;
  return `log: { level: debug, access: true }
${more}
credentials:
  machine:
    provider: zocdoc
    environment: sandbox
    token_url: ${zocdoc.tokenUrl}
    client_id: ${client.clientId}
    client_secret: { env: MACHINE_SECRET }
  user:
    provider: zocdoc
    grant: user
    environment: sandbox
    authorize_url: ${zocdoc.authorizeUrl}
    token_url: ${tokenUrl}
    revocation_url: ${zocdoc.revocationUrl}
    api_url: ${zocdoc.apiUrl}
    client_id: ${user.clientId}
    scopes: [external.appointment.read, offline_access]
  anonymous:
    provider: zocdoc
    grant: anonymous
    environment: sandbox
    api_url: ${zocdoc.apiUrl}
    app: machine
    app_client_id: ${user.clientId}
routes:
  - { name: user, path: /user/, upstream: "${origin}/", credential: user }
  - { name: anonymous, path: /anonymous/, upstream: "${origin}/", credential: anonymous }
  - { name: machine, path: /machine/, upstream: "${origin}/", credential: machine }
`;
}

/** Signs a user in as a server-side application does; gives the session. */
export async function openSession({ origin }: PillionProcess): Promise<string> {
  const opened = await send(`${origin}/.pillion/sessions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ credential: "user" }),
  });
  if (opened.status !== 201) throw new Error(`no session: ${opened.status} ${opened.text}`);
  const back = await signIn(opened.json.authorize_url);
  const returned = await send(`${origin}${back.pathname}${back.search}`);
  if (returned.status !== 303) throw new Error(`no login: ${returned.status} ${returned.text}`);
  return opened.json.session;
}

/** A request with that session; to the route of grant `user` unless told. */
export function ask({ origin }: PillionProcess, session: string, path = "/user/x"): Promise<Reply> {
  return send(`${origin}${path}`, { headers: { "Pillion-Session": session } });
}

/** `200`, or status and code of the proxy's own answer. */
export function outcome({ status, json }: Reply): string {
  return json?.code === undefined ? String(status) : `${status} ${json.code}`;
}

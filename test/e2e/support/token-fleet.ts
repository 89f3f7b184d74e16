/** Several real processes that share machine tokens in one Redis, before one token endpoint and one upstream. */
import { randomBytes } from "node:crypto";
import type { StartOptions } from "../../support/pillion-process.ts";
import { type ScriptedTokenEndpoint, startTokenEndpoint } from "../../support/token-endpoint.ts";
import { type Reply, send } from "./http-client.ts";
import { type Serving, serve } from "./serve.ts";
import { startUpstream, type Upstream } from "./upstream.ts";

export interface TokenFleet extends AsyncDisposable {
  readonly endpoint: ScriptedTokenEndpoint;
  readonly upstream: Upstream;
  readonly tenants: readonly string[];
  /** One more replica. Its secret is the environment variable `SECRET`. */
  start(options?: StartOptions & { readonly redisUrl?: string }): Promise<Serving>;
  /** Token requests so far, by tenant. */
  requests(): ReadonlyMap<string, number>;
}

export interface TokenFleetOptions {
  readonly redisUrl: string;
  readonly tenants: number;
  /** Default: not spaced. */
  readonly requestsPerSecond?: number;
  /** More lines of the credential. */
  readonly credential?: string;
  /** For a `rediss:` URL: file of the authority that is trusted. */
  readonly redisCa?: string;
}

export async function startTokenFleet(options: TokenFleetOptions): Promise<TokenFleet> {
  const endpoint = await startTokenEndpoint();
  const upstream = await startUpstream();
  const tenants = Array.from({ length: options.tenants }, (_, index) => `t${index}`);
  const key = randomBytes(32).toString("base64");
  const members = new Set<Serving>();
  const spacing =
    options.requestsPerSecond === undefined
      ? ""
      : `token_requests_per_second: ${options.requestsPerSecond}, `;
  const tls = options.redisCa === undefined ? "" : `, tls: { ca: ${JSON.stringify(options.redisCa)} }`;
  const text = `store: { redis: { url: { env: REDIS_URL }${tls} }, encryption_keys: [{ env: STORE_KEY }] }
credentials:
  machine:
    { provider: oauth2, token_url: "${endpoint.url.href}", client_auth: post, ${spacing}${options.credential ?? ""}
      tenants: { ${tenants.map((name) => `${name}: { client_id: ${name}, client_secret: { env: SECRET } }`).join(", ")} } }
routes:
  - { name: machine, path: "/api/{tenant}/", upstream: "${upstream.origin}/", credential: machine }
`;
  return {
    endpoint,
    upstream,
    tenants,
    async start({ redisUrl = options.redisUrl, ...rest } = {}) {
      const env = { REDIS_URL: redisUrl, STORE_KEY: key, SECRET: "first-secret", ...rest.env };
      const member = await serve(text, { ...rest, env });
      members.add(member);
      return member;
    },
    requests() {
      const counts = new Map<string, number>();
      for (const { body } of endpoint.requests) {
        const tenant = new URLSearchParams(body).get("client_id") ?? "";
        counts.set(tenant, (counts.get(tenant) ?? 0) + 1);
      }
      return counts;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...members].map((member) => member.stop()));
      await Promise.all([endpoint.close(), upstream.close()]);
    },
  };
}

/** A request to the route of that tenant. */
export function call({ origin }: Serving, tenant: string): Promise<Reply> {
  return send(`${origin}/api/${tenant}/x`);
}

/** `200`, or status and code of the proxy's own answer. */
export function outcome({ status, json }: Reply): string {
  return json?.code === undefined ? String(status) : `${status} ${json.code}`;
}

/** How many replies were alike: `{ "200": 80 }`. */
export async function outcomes(
  replies: readonly Promise<Reply>[],
): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  for (const reply of await Promise.all(replies)) counts[outcome(reply)] = (counts[outcome(reply)] ?? 0) + 1;
  return counts;
}

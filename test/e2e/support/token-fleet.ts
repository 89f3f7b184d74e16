/** Several real processes that share machine tokens in one Redis, before one token endpoint and one upstream. */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import type { StartOptions } from "../../support/pillion-process.ts";
import { type ScriptedTokenEndpoint, startTokenEndpoint } from "../../support/token-endpoint.ts";
import { eventually } from "./eventually.ts";
import { type Reply, send } from "./http-client.ts";
import { scrape } from "./metrics.ts";
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

/**
 * So many processes of one test file start at once: starting takes a second of a core, and of eight that start at once on a busy
 * machine none would be there in time.
 */
const MAX_STARTING = 2;
const starting = new Set<Promise<unknown>>();

async function inTurn(start: () => Promise<Serving>): Promise<Serving> {
  while (starting.size >= MAX_STARTING) await Promise.race(starting);
  const started = start();
  const over = (): void => void starting.delete(settled);
  const settled = started.then(over, over);
  starting.add(settled);
  return started;
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
      const secrets = { REDIS_URL: redisUrl, STORE_KEY: key, SECRET: "first-secret" };
      // Each time that the store is left out is told at this level.
      const env = { ...secrets, PILLION_LOG_LEVEL: "debug", ...rest.env };
      const member = await inTurn(() => serve(text, { ...rest, env }));
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

/**
 * All members ask at once for `each` tenants, taken from the end of `spare`: one token request a tenant. A machine under
 * test may let a Redis wait longer than a token may wait for it; then the members do without it, which they say, and it
 * is tried again with other tenants.
 */
export async function expectShared(
  fleet: TokenFleet,
  members: readonly Serving[],
  spare: string[],
  each = 1,
): Promise<void> {
  await eventually(
    "tokens are shared",
    async () => {
      const tenants = spare.splice(-each);
      const troubles = await troublesOf(members);
      const before = fleet.endpoint.requests.length;
      const asked = members.flatMap((member) => tenants.map((tenant) => call(member, tenant)));
      expect(await outcomes(asked)).toEqual({ "200": members.length * each });
      const sent = fleet.endpoint.requests.length - before;
      if (sent === each) return true;
      await eventually(`a member says why there were ${sent} token requests for ${each}`, async () => {
        const { isWhole, count } = await troublesOf(members);
        return !troubles.isWhole || !isWhole || count > troubles.count;
      });
      await delay(PROBED_MS);
      return false;
    },
    20_000,
  );
}

/** How often a store that is left out is asked in the background: sooner there is nothing new. */
const PROBED_MS = 250;

/**
 * So many token requests, no more and no fewer; or one of the members says that it had to do without the store: what is shared
 * saves requests, and a request never waits for it long.
 */
export async function expectExactly<T>(members: readonly Serving[], actual: T, expected: T): Promise<void> {
  if (isDeepStrictEqual(actual, expected)) return;
  const isSaid = (): boolean =>
    members.some(({ lines }) => lines.some(({ event }) => event === "store_slow"));
  // It may be on its way through the pipe.
  if (!isSaid()) await delay(500);
  if (!isSaid()) expect(actual).toEqual(expected);
}

/** What the members have said of a store that they had to do without. */
async function troublesOf(members: readonly Serving[]) {
  let count = 0;
  let isWhole = true;
  for (const { lines, adminOrigin } of members) {
    const said = (event: string): number => lines.filter((line) => line.event === event).length;
    const metrics = await scrape(adminOrigin);
    for (const outcome of ["unavailable", "skipped"]) {
      count += metrics.total("pillion_store_operations_total", { outcome });
    }
    count += said("store_slow");
    if (said("store_slow") > said("store_prompt")) isWhole = false;
  }
  return { count, isWhole };
}

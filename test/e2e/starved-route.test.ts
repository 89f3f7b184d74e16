import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { granted, type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";
import { type Reply, send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import { type Serving, serve } from "./support/serve.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

const LIFETIME_MS = 2_000;
const ANSWER_MS = 250;
const CALLERS = 10;
const RUN_MS = 2_500;
/** What comes between the proxy's last look at a token and this process's first at the request. */
const LAG_MS = 100;

describe("a route with one connection, where requests wait longer than a token lives", () => {
  let tokens: ScriptedTokenEndpoint;
  let upstream: Upstream;
  let pillion: Serving;
  const issuedAtMs = new Map<string, number>();
  const arrivals: { readonly token: string; readonly ageMs: number }[] = [];
  const replies: Reply[] = [];
  const waitsMs: number[] = [];

  beforeAll(async () => {
    tokens = await startTokenEndpoint();
    tokens.answer((request, count) => {
      issuedAtMs.set(`Bearer token-${count}`, performance.now());
      return granted({ expires_in: LIFETIME_MS / 1_000 })(request, count);
    });
    upstream = await startUpstream(({ headers }, response) => {
      const token = headers.authorization ?? "none";
      arrivals.push({ token, ageMs: performance.now() - (issuedAtMs.get(token) ?? 0) });
      setTimeout(() => response.end("served"), ANSWER_MS);
    });
    pillion = await serve(
      `credentials:
  app: { provider: oauth2, token_url: "${tokens.url.href}", client_auth: post, client_id: app, client_secret: { env: SECRET } }
routes:
  - { name: starved, path: /starved/, upstream: "${upstream.origin}/", credential: app, connections: 1 }
`,
      { env: { SECRET: "s3cret" } },
    );
    const untilMs = performance.now() + RUN_MS;
    const call = async (caller: number): Promise<void> => {
      while (performance.now() < untilMs) {
        const startMs = performance.now();
        const options = caller % 2 === 0 ? {} : { method: "POST", body: "body" };
        replies.push(await send(`${pillion.origin}/starved/${caller}`, options));
        waitsMs.push(performance.now() - startMs);
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(caller)));
  });
  afterAll(async () => {
    await pillion.stop();
    await Promise.all([upstream.close(), tokens.close()]);
  });

  it("serves every request", () => {
    expect(Math.max(...waitsMs), "they did wait").toBeGreaterThan(LIFETIME_MS);
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it("sends none with a token that has expired", () => {
    expect(arrivals.length).toBe(replies.length);
    expect(arrivals.filter(({ ageMs }) => ageMs > LIFETIME_MS + LAG_MS)).toEqual([]);
  });

  it("counts a token as served for each of them, once", async () => {
    const metrics = await scrape(pillion.adminOrigin);
    expect(metrics.total("pillion_token_served_total")).toBe(replies.length);
  });
});

/**
 * The whole way of an alert: a fault, what a running Pillion counts of it, a real Prometheus that scrapes it with the rules
 * of `config/prometheus`, and what an Alertmanager is told; then the same way back when the fault is mended.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RULES_FILE } from "../support/monitoring-files.ts";
import { readProjectFile } from "../support/project.ts";
import { type PrometheusServer, startPrometheus } from "../support/prometheus-server.ts";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { granted, type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";
import { send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";
import { createWorkspace } from "./support/workspace.ts";

/** The rules as they are, but that a minute lasts a second: `[5m]`, `offset 5m` and `for: 1m`, `[1h]` as 60 s. */
const MINUTES = /(?<=\[|offset |for: )(\d+)m\b/g;
const hasty = readProjectFile(RULES_FILE).replaceAll(MINUTES, "$1s").replaceAll("[1h]", "[60s]");

/** Long enough for Prometheus, which looks for its targets every five seconds, to see the token while it is valid. */
const LIFETIME_SECONDS = 7;

let tokenEndpoint: ScriptedTokenEndpoint;
let redis: RedisServer;
let upstream: Upstream;
let withToken: Serving;
let withConfig: Serving;
let withStore: Serving;
let prometheus: PrometheusServer;

/** What a slow machine may add, of load, is not looked at. */
const firedOf = (target: string): readonly string[] =>
  prometheus.fired(target).filter((name) => /Token|Config|Secret|Store/.test(name));
const targetOf = (pillion: Serving): string => new URL(pillion.adminOrigin).host;
const BILLING = (): string => `credentials:
  billing: { provider: oauth2, token_url: "${tokenEndpoint.url}", client_auth: basic, client_id: some, client_secret: { env: SECRET } }
routes:
  - { name: billing, path: /billing/, upstream: "${upstream.origin}/", credential: billing }
`;

beforeAll(async () => {
  tokenEndpoint = await startTokenEndpoint();
  upstream = await startUpstream();
  redis = await startRedisServer();
  const env = { SECRET: "fake-secret" };
  withToken = await serve(BILLING(), { env });
  withConfig = await serve(BILLING(), { env });
  const workspace = createWorkspace();
  workspace.write("key", randomBytes(32).toString("base64"));
  withStore = await serve(
    `credentials:
  portal: { provider: oauth2, grant: user, authorize_url: "${tokenEndpoint.url}", token_url: "${tokenEndpoint.url}", client_id: some, scopes: [openid] }
routes:
  - { name: portal, path: /portal/, upstream: "${upstream.origin}/", credential: portal }
store: { redis: { url: { env: REDIS_URL } }, encryption_keys: [{ file: key }] }
`,
    { env: { REDIS_URL: redis.url }, workspace },
  );
  const targets = [withToken, withConfig, withStore].map(targetOf);
  prometheus = await startPrometheus({ targets, rules: hasty, interval: "500ms" });
});
afterAll(async () => {
  await prometheus.stop();
  await Promise.all([withToken.stop(), withConfig.stop(), withStore.stop()]);
  await Promise.all([redis.stop(), upstream.close(), tokenEndpoint.close()]);
});

describe("rules in a hurry", () => {
  it("are the rules, with seconds for minutes", () => {
    expect(hasty).not.toMatch(/(?:\[|offset |for: )\d+[mh]/);
    expect(hasty.match(/\[\d+s\]/g)?.length).toBeGreaterThan(10);
    expect(hasty.match(/for: \d+s/g)?.length).toBeGreaterThan(5);
  });
});

describe.concurrent("an alert fires and resolves", { timeout: 60_000 }, () => {
  it("when the token endpoint fails until the token has expired, and then works again", async () => {
    const target = targetOf(withToken);
    const url = `${withToken.origin}/billing/`;
    tokenEndpoint.answer(granted({ expires_in: LIFETIME_SECONDS }), { status: 500 });
    expect((await send(url)).status).toBe(200);

    const over = new AbortController();
    const traffic = (async () => {
      while (!over.signal.aborted) {
        await send(url);
        await delay(100);
      }
    })();
    const [failing, unavailable] = await Promise.all([
      prometheus.fires("PillionTokenRefreshFailing", target),
      prometheus.fires("PillionTokenUnavailable", target),
    ]);
    expect(failing.labels).toMatchObject({ credential: "billing", severity: "critical", job: "pillion" });
    expect(failing.annotations["summary"]).toContain("billing");
    expect(unavailable.labels).toMatchObject({ credential: "billing", severity: "critical" });

    const resolved = Promise.all([
      prometheus.resolves("PillionTokenRefreshFailing", target),
      prometheus.resolves("PillionTokenUnavailable", target),
    ]);
    tokenEndpoint.answer(granted());
    withToken.signal("SIGHUP"); // the next attempt at once
    await resolved;
    over.abort();
    await traffic;
    expect((await send(url)).status).toBe(200);
    expect(firedOf(target)).toEqual(expect.not.arrayContaining(["PillionConfigReloadFailed"]));
  });

  it("when the configuration gets a fault, and loses it", async () => {
    const target = targetOf(withConfig);
    const fires = prometheus.fires("PillionConfigReloadFailed", target);
    withConfig.configure(`${BILLING()}unknown: key\n`);
    withConfig.signal("SIGHUP");
    expect((await fires).labels).toMatchObject({ severity: "warning" });

    const resolved = prometheus.resolves("PillionConfigReloadFailed", target);
    withConfig.configure(BILLING());
    withConfig.signal("SIGHUP");
    await resolved;
    expect(firedOf(target)).toEqual(["PillionConfigReloadFailed"]);
  });

  it("when Redis is killed, and started again", async () => {
    const target = targetOf(withStore);
    const fires = prometheus.fires("PillionStoreDown", target);
    await redis.kill();
    expect((await fires).labels).toMatchObject({ severity: "critical" });

    const resolved = prometheus.resolves("PillionStoreDown", target);
    await redis.restart();
    await resolved;
    expect(firedOf(target)).toEqual(["PillionStoreDown"]);
  });
});

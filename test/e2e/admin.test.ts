import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  granted,
  refused,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { eventually } from "./support/eventually.ts";
import { expectProblem } from "./support/expectations.ts";
import { send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import { type Serving, serve } from "./support/serve.ts";
import { createGate, startUpstream, type Upstream } from "./support/upstream.ts";

let tokenEndpoint: ScriptedTokenEndpoint;
let upstream: Upstream;
beforeAll(async () => {
  tokenEndpoint = await startTokenEndpoint();
  upstream = await startUpstream();
});
afterAll(async () => {
  await upstream.close();
  await tokenEndpoint.close();
});

function configuration(more: string): string {
  return `credentials:
  qmatic:
    provider: qmatic
    region: eu-west-1
    token_url: ${tokenEndpoint.url}
    token_requests_per_second: 1000
    client_secret: { env: SECRET }
    ${more}
    tenants:
      isb: { tenant_id: "1001", client_id: isb }
      riverside: { tenant_id: "1002", client_id: riverside }
routes:
  - { name: qmatic, path: "/qmatic/{tenant}/", credential: qmatic, upstream: "${upstream.origin}/", methods: [GET, POST] }
  - { name: down, path: /down/, credential: none, upstream: "http://127.0.0.1:9/" }
`;
}
const ENV = { SECRET: "fake-secret-of-the-canary" };

describe("probes with a credential that is fetched beforehand", () => {
  it("tell start, readiness and life apart", async () => {
    const gate = createGate();
    tokenEndpoint.answer((request, count) => ({
      ...granted({ expires_in: 2 })(request, count),
      after: gate.opened,
    }));
    await using pillion = await serve(configuration("prefetch: true"), { env: ENV });
    const probe = async (path: string) => (await send(pillion.adminOrigin + path)).status;
    expect(await probe("/livez")).toBe(200);
    expect(await probe("/startupz")).toBe(503);

    gate.open();
    await eventually("all tokens are there", async () => (await probe("/startupz")) === 200);
    expect(await probe("/readyz")).toBe(200);
    const ready = await send(`${pillion.adminOrigin}/readyz`);
    expect(ready.json.checks).toEqual(
      expect.arrayContaining([{ name: expect.stringContaining("qmatic"), ok: true }]),
    );

    tokenEndpoint.answer({ status: 503 });
    const unready = await eventually("a token has expired", async () => {
      const reply = await send(`${pillion.adminOrigin}/readyz`);
      return reply.status === 503 && reply;
    });
    expect(unready.json.checks.some(({ ok }: { ok: boolean }) => !ok)).toBe(true);
    expect(await probe("/livez")).toBe(200);

    tokenEndpoint.answer(granted());
    await eventually("it heals without a request", async () => (await probe("/readyz")) === 200, 30_000);
  }, 45_000);

  it("do not fail for a token that nobody fetches beforehand", async () => {
    tokenEndpoint.answer({ status: 503 });
    await using pillion = await serve(configuration(""), { env: ENV });
    expect((await send(`${pillion.origin}/qmatic/isb/x`)).status).toBe(503);
    for (const path of ["/livez", "/startupz", "/readyz"]) {
      expect((await send(pillion.adminOrigin + path)).status).toBe(200);
    }
  });
});

describe("the admin listener", () => {
  let pillion: Serving;
  beforeAll(async () => {
    tokenEndpoint.answer(granted({ access_token: "canary-of-the-token", expires_in: 3_600 }));
    pillion = await serve(configuration(""), { env: ENV });
    await send(`${pillion.origin}/qmatic/isb/x`);
    await send(`${pillion.origin}/down/x`);
  });
  afterAll(() => pillion.stop());

  it("answers 404 for what it does not have and 405 with Allow for a wrong method", async () => {
    expectProblem(await send(`${pillion.adminOrigin}/elsewhere`), 404, "ROUTE_NOT_FOUND");
    const wrong = await send(`${pillion.adminOrigin}/metrics`, { method: "POST" });
    expectProblem(wrong, 405, "METHOD_NOT_ALLOWED");
    expect(wrong.headers.allow).toMatch(/GET/);
    expect((await send(`${pillion.adminOrigin}/livez`, { method: "HEAD" })).status).toBe(200);
  });

  it("is no way to the upstream, nor the data listener a way to it", async () => {
    expect((await send(`${pillion.adminOrigin}/qmatic/isb/x`)).status).toBe(404);
    expect((await send(`${pillion.origin}/metrics`)).status).toBe(404);
  });

  it("refuses the lifecycle unless the configuration allows it", async () => {
    expect((await send(`${pillion.adminOrigin}/-/quit`, { method: "POST" })).status).toBe(403);
    expect((await send(`${pillion.adminOrigin}/livez`)).status).toBe(200);
  });

  it("/status.json says what runs: routes, credentials, tenants and the state of each token", async () => {
    const { json } = await send(`${pillion.adminOrigin}/status.json`);
    expect(json.routes).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: "qmatic", path: "/qmatic/{tenant}/", credential: "qmatic" }),
        expect.objectContaining({ name: "down", credential: "none" }),
      ]),
    );
    expect(json.credentials).toEqual([
      expect.objectContaining({ name: "qmatic", provider: "qmatic", tenants: ["isb", "riverside"] }),
    ]);
    const [token] = json.tokens;
    expect(token).toMatchObject({ credential: "qmatic", tenant: "isb", state: "fresh" });
    expect(token.age_seconds).toBeGreaterThanOrEqual(0);
    expect(token.expires_in_seconds).toBeGreaterThan(3_500);
    expect(token.last_refresh_at).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it("/status.json says what went wrong with a token", async () => {
    tokenEndpoint.answer(refused(401, "invalid_client"));
    await send(`${pillion.origin}/qmatic/riverside/x`);
    const { json } = await send(`${pillion.adminOrigin}/status.json`);
    const token = json.tokens.find(({ tenant }: { tenant: string }) => tenant === "riverside");
    expect(JSON.stringify(token.last_error)).toMatch(/TOKEN_REJECTED.*invalid_client/);
  });

  it("shows no secret and no token anywhere", async () => {
    for (const path of ["/status.json", "/metrics", "/readyz", "/startupz", "/livez"]) {
      expect((await send(pillion.adminOrigin + path)).text).not.toMatch(/canary/);
    }
  });

  it("/metrics has every series of the contract, with its type and labels", async () => {
    const { samples, types } = await scrape(pillion.adminOrigin);
    const series: readonly [string, string, ...string[]][] = [
      ["requests_total", "counter", "route", "tenant", "method", "code"],
      ["request_duration_seconds", "histogram", "route", "method"],
      ["upstream_duration_seconds", "histogram", "route"],
      ["requests_in_flight", "gauge", "route"],
      ["rejected_total", "counter", "reason"],
      ["token_requests_total", "counter", "credential", "tenant", "grant", "outcome"],
      ["token_request_duration_seconds", "histogram", "credential"],
      ["token_expiry_timestamp_seconds", "gauge", "credential", "tenant"],
      ["token_served_total", "counter", "credential", "source"],
      ["token_unavailable_total", "counter", "credential", "reason"],
      ["upstream_401_total", "counter", "route", "action"],
      ["secret_reloads_total", "counter", "outcome"],
      ["config_reloads_total", "counter", "outcome"],
      ["config_last_reload_successful", "gauge"],
      ["config_last_reload_success_timestamp_seconds", "gauge"],
      ["build_info", "gauge", "version", "node"],
    ];
    for (const [name, type, ...labels] of series) {
      const full = `pillion_${name}`;
      expect(types.get(full), full).toBe(type);
      for (const sample of samples.filter(
        (sample) => sample.name.replace(/_(bucket|sum|count)$/, "") === full,
      )) {
        expect(
          Object.keys(sample.labels)
            .filter((label) => label !== "le")
            .sort(),
          full,
        ).toEqual(labels.sort());
      }
    }
    for (const name of [
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "nodejs_eventloop_lag_seconds",
    ]) {
      expect(types.has(name), name).toBe(true);
    }
  });

  it("/metrics does not count the start as a reload", async () => {
    const metrics = await scrape(pillion.adminOrigin);
    expect(metrics.total("pillion_config_reloads_total", { outcome: "success" })).toBe(0);
    expect(metrics.total("pillion_config_last_reload_successful")).toBe(1);
    const appliedAt = metrics.total("pillion_config_last_reload_success_timestamp_seconds");
    expect(Math.abs(Date.now() / 1_000 - appliedAt)).toBeLessThan(120);
  });

  it("/metrics counts what happened", async () => {
    const metrics = await scrape(pillion.adminOrigin);
    const isb = { route: "qmatic", tenant: "isb", method: "GET", code: "200" };
    expect(metrics.total("pillion_requests_total", isb)).toBe(1);
    expect(metrics.total("pillion_requests_total", { route: "down", code: "502" })).toBe(1);
    expect(metrics.total("pillion_rejected_total", { reason: "UPSTREAM_UNREACHABLE" })).toBe(1);
    expect(metrics.total("pillion_requests_in_flight")).toBe(0);
    expect(metrics.total("pillion_token_served_total", { credential: "qmatic" })).toBe(1);
    const expiry = metrics.total("pillion_token_expiry_timestamp_seconds", { tenant: "isb" });
    expect(expiry - Date.now() / 1_000).toBeGreaterThan(3_500);
    expect(expiry - Date.now() / 1_000).toBeLessThanOrEqual(3_600);
  });

  it("/metrics grows with no value from a request", async () => {
    tokenEndpoint.answer(granted());
    const methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "TRACE", "OPTIONS"];
    const visit = async (random: string): Promise<void> => {
      for (const method of methods) {
        await send(`${pillion.origin}/${random}/x`, { method });
        await send(`${pillion.origin}/qmatic/isb/${random}`, { method });
        await send(`${pillion.origin}/qmatic/t${random}/x`, { method });
        await send(`${pillion.origin}/%2e%2e/${random}`, { method, headers: { Host: `${random}.example` } });
      }
    };
    await visit("0");
    const before = await scrape(pillion.adminOrigin);
    await Promise.all(Array.from({ length: 200 / 4 }, (_, index) => visit(`r${index}z${index * index}`)));
    const after = await scrape(pillion.adminOrigin);
    const names = ({ samples }: typeof before): string[] =>
      samples
        .filter(({ name }) => name.startsWith("pillion_"))
        .map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`)
        .sort();
    expect(names(after)).toEqual(names(before));
    const tenants = new Set(after.samples.map(({ labels }) => labels["tenant"]));
    expect(tenants).toEqual(new Set([undefined, "", "isb", "riverside"]));
  });
});

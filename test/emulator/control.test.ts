import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { EmulatorEvent } from "../../src/emulator/context.ts";
import { send, startBench } from "./harness.ts";

describe("the emulator's own pages", () => {
  it("list endpoints, clients and switches, and the credentials listed are good", async () => {
    await using bench = await startBench();
    const { status, json } = await send(`${bench.emulator.origin}/_emulator/`);
    expect(status).toBe(200);
    const names = json.endpoints.map((endpoint: { service: string }) => endpoint.service);
    expect(names).toEqual(["zocdoc/sandbox", "zocdoc/production", "qmatic/eu-west-1", "qmatic/us-east-1"]);
    expect(json.clients).toHaveLength(bench.emulator.clients.length);
    expect(json.user_clients.map(({ name }: { name: string }) => name)).toContain("zocdoc-sandbox-user");
    expect(json.endpoints[0]).toMatchObject({
      authorize_url: bench.emulator.endpoints["zocdoc/sandbox"].authorizeUrl,
      user_audience: "DeveloperApiPatient-Sandbox",
    });
    for (const listed of json.clients) expect(await bench.token(listed.name)).toEqual(expect.any(String));
  });

  it("count token requests per client and API requests by their token", async () => {
    await using bench = await startBench({ expiresInSeconds: 10 });
    const { origin, endpoints } = bench.emulator;
    const authorization = `Bearer ${await bench.token("zocdoc-sandbox")}`;
    await send(endpoints["zocdoc/sandbox"].tokenUrl, { method: "POST", body: "nonsense" });
    const get = (headers: Record<string, string>) =>
      send(`${endpoints["zocdoc/sandbox"].apiUrl}v1/specialties`, { headers });
    await get({});
    await get({ Authorization: authorization });
    await get({ Authorization: authorization });
    await get({ Authorization: "Bearer nonsense" });
    bench.advance(10_000);
    await get({ Authorization: authorization });

    const { json } = await send(`${origin}/_emulator/stats`);
    expect(json.clients["zocdoc-sandbox"]).toEqual({ requests: 1, issued: 1, refused: 0 });
    expect(json.clients["unknown"]).toEqual({ requests: 1, issued: 0, refused: 1 });
    expect(json.token_endpoints["zocdoc/sandbox"]).toEqual({ requests: 2, issued: 1, refused: 1 });
    expect(json.apis["zocdoc/sandbox"]).toEqual({ total: 5, valid: 2, expired: 1, foreign: 1, absent: 1 });
    expect(json.apis["qmatic/eu-west-1"].total).toBe(0);
    expect(json.users["zocdoc/sandbox"]).toMatchObject({ logins: 0, refreshes: 0, codes_reused: 0 });
    expect(bench.emulator.stats().apis).toEqual(json.apis);
  });

  it.each([
    ["GET", "/", 404],
    ["GET", "/_emulators", 404],
    ["GET", "/_emulator/nothing", 404],
    ["POST", "/_emulator/", 405],
    ["DELETE", "/_emulator/stats", 405],
    ["GET", "/zocdoc/staging/v1/providers", 404],
    ["GET", "/qmatic/eu-west-1", 404],
  ])("%s %s answers %i", async (method, path, status) => {
    await using bench = await startBench();
    expect((await send(bench.emulator.origin + path, { method })).status).toBe(status);
  });

  it("tell the log what happened, without a secret or a token", async () => {
    const events: EmulatorEvent[] = [];
    await using bench = await startBench({ onEvent: (event) => events.push(event) });
    const token = await bench.token("qmatic-isb");
    await bench.call("qmatic-isb", "services?x=1", { headers: { Authorization: `Bearer ${token}` } });
    await bench.call("qmatic-isb", "services", { headers: { Authorization: "Bearer bad" } });
    await send(bench.emulator.endpoints["zocdoc/sandbox"].tokenUrl, { method: "POST" });
    const service = "qmatic/eu-west-1";
    const request = { event: "api_request", service, method: "GET", path: "/services" };
    expect(events).toEqual([
      {
        event: "token_issued",
        service,
        client: "qmatic-isb",
        expiresInSeconds: 3_600,
        receivedMs: expect.any(Number),
        tokenDigest: createHash("sha256").update(token).digest("hex").slice(0, 12),
      },
      { ...request, client: "qmatic-isb", status: 200, token: "valid" },
      { ...request, client: undefined, status: 401, token: "foreign" },
      {
        event: "token_refused",
        service: "zocdoc/sandbox",
        client: undefined,
        status: 400,
        error: "invalid_request",
        receivedMs: expect.any(Number),
      },
    ]);
    expect(JSON.stringify(events)).not.toContain(token);
  });
});

describe("the emulator's start", () => {
  it("fails on a port that is taken, and its addresses wait for it", async () => {
    await using bench = await startBench();
    await expect(startBench({ port: bench.emulator.port })).rejects.toThrow(/EADDRINUSE/);
    await bench.emulator.stop();
    await bench.emulator.stop();
    expect(() => bench.emulator.port).toThrow(/not been started/);
  });
});

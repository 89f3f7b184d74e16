import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { devConfiguration } from "../../src/emulator/dev-configuration.ts";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { eventually } from "./support/eventually.ts";
import { createKeptConnection, type Reply, send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import { type Serving, serve } from "./support/serve.ts";

/** The routes and credentials of `pillion dev`, logging as a service does. */
function configuration(emulator: Emulator): { text: string; env: Readonly<Record<string, string>> } {
  const { text, env } = devConfiguration(emulator, { listen: "127.0.0.1:0", admin: "127.0.0.1:0" });
  const withoutListeners = text.replace(/^(listen|admin|log): .*\n/gm, "");
  const harbor = `  - name: harbor
    path: /harbor/
    upstream: ${emulator.endpoints["qmatic/us-east-1"].apiUrl}
    credential: qmatic-us
    tenant: harbor
`;
  const credential = `  qmatic-us:
    provider: qmatic
    region: us-east-1
    token_url: ${emulator.endpoints["qmatic/us-east-1"].tokenUrl}
    scopes: [book, cancel]
    tenants:
      harbor: { tenant_id: "2001", client_id: qmatic-harbor-client, client_secret: { env: HARBOR } }
`;
  return {
    text: withoutListeners.replace("routes:\n", `${credential}\nroutes:\n`) + harbor,
    env: { ...env, HARBOR: "fake-qmatic-harbor-secret" },
  };
}

describe("tokens of two seconds under steady traffic", () => {
  const LIFETIME_SECONDS = 2;
  const RUN_MS = 8_000;
  let emulator: Emulator;
  let pillion: Serving;
  const replies: Reply[] = [];

  /** A request every 50 ms, however long each takes, on kept connections. */
  async function steadyTraffic(path: string, untilMs: number): Promise<void> {
    const agent = createKeptConnection();
    const pending: Promise<void>[] = [];
    while (performance.now() < untilMs) {
      pending.push(send(pillion.origin + path, { agent }).then((reply) => void replies.push(reply)));
      await delay(50);
    }
    await Promise.all(pending);
    agent.destroy();
  }

  beforeAll(async () => {
    emulator = createEmulator({ expiresInSeconds: LIFETIME_SECONDS });
    await emulator.start();
    const { text, env } = configuration(emulator);
    pillion = await serve(text, { env });
    const untilMs = performance.now() + RUN_MS;
    const paths = ["/zocdoc/v1/providers?npis=9000000001", "/qmatic/isb/services", "/harbor/services"];
    await Promise.all(paths.map((path) => steadyTraffic(path, untilMs)));
  });
  afterAll(async () => {
    await pillion.stop();
    await emulator.stop();
  });

  it("fail no request", () => {
    expect(replies.length).toBeGreaterThan(300);
    expect(replies.filter(({ status }) => status !== 200)).toEqual([]);
  });

  it("are never sent when they have expired, nor where they do not belong", () => {
    for (const api of ["zocdoc/sandbox", "qmatic/eu-west-1", "qmatic/us-east-1"] as const) {
      const { total, valid } = emulator.stats().apis[api];
      expect(valid).toBeGreaterThan(100);
      expect(total - valid).toBe(0);
    }
  });

  it("are asked for as often as the windows allow: once in 78 to 82 % of their life", async () => {
    for (const [credential, tenant, client] of [
      ["zocdoc", "", "zocdoc-sandbox"],
      ["qmatic", "isb", "qmatic-isb"],
      ["qmatic-us", "harbor", "qmatic-harbor"],
    ] as const) {
      const labels = { credential, tenant, outcome: "success" };
      const counted = await eventually("both sides count the same", async () => {
        const metrics = await scrape(pillion.adminOrigin);
        const count = metrics.total("pillion_token_requests_total", labels);
        return emulator.stats().clients[client]?.issued === count && count;
      });
      // 1 + 8000 / 1640 … 1 + 8000 / 1560, and a renewal that was due when the traffic ended.
      expect(counted).toBeGreaterThanOrEqual(5);
      expect(counted).toBeLessThanOrEqual(7);
      expect(emulator.stats().clients[client]).toMatchObject({ refused: 0 });
    }
  });

  it("are left to expire when nobody sends requests any more", async () => {
    const issued = (): number => emulator.stats().tokenEndpoints["zocdoc/sandbox"].issued;
    await eventually(
      "the token is expired",
      async () => {
        const { json } = await send(`${pillion.adminOrigin}/status.json`);
        return json.tokens.every(({ state }: { state: string }) => state === "expired");
      },
      3 * LIFETIME_SECONDS * 1_000,
    );
    const before = issued();
    await delay(LIFETIME_SECONDS * 1_000);
    expect(issued()).toBe(before);
  });
});

import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { eventually } from "./support/eventually.ts";
import { send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import { type Serving, serve } from "./support/serve.ts";

describe.each(["unavailable", "refuse", "malformed"] as const)(
  "a token endpoint that fails (%s)",
  (fault) => {
    const LIFETIME_SECONDS = 3;
    let emulator: Emulator;
    let pillion: Serving;
    let url: string;
    beforeAll(async () => {
      emulator = createEmulator({ expiresInSeconds: LIFETIME_SECONDS });
      await emulator.start();
      const { tokenUrl, apiUrl } = emulator.endpoints["zocdoc/sandbox"];
      pillion = await serve(
        `credentials:
  zocdoc:
    provider: zocdoc
    environment: sandbox
    token_url: ${tokenUrl}
    api_url: ${apiUrl}
    client_id: zocdoc-sandbox-client
    client_secret: { env: SECRET }
routes:
  - { name: zocdoc, path: /zocdoc/, credential: zocdoc }
`,
        { env: { SECRET: "fake-zocdoc-sandbox-secret" } },
      );
      url = `${pillion.origin}/zocdoc/v1/specialties`;
    });
    afterAll(async () => {
      await pillion.stop();
      await emulator.stop();
    });

    it("is not noticed while the token is valid, gives 503 afterwards, and heals by itself", async () => {
      expect((await send(url)).status).toBe(200);
      const expiresAtMs = performance.now() + LIFETIME_SECONDS * 1_000;
      emulator.setFaults({ token_endpoint: fault });

      // Up to half a second before the end: where exactly it lies is the other side's knowledge.
      while (performance.now() < expiresAtMs - 500) {
        expect((await send(url)).status).toBe(200);
        await delay(20);
      }

      const refusal = await eventually("the token is gone", async () => {
        const reply = await send(url);
        return reply.status !== 200 && reply;
      });
      expect(refusal.status).toBe(503);
      expect(refusal.headers["content-type"]).toBe("application/problem+json");
      expect(refusal.headers["proxy-status"]).toMatch(/^pillion; error=\w+; details="TOKEN_UNAVAILABLE"$/);
      expect(Number(refusal.headers["retry-after"])).toBeGreaterThan(0);
      expect(Number(refusal.headers["retry-after"])).toBeLessThanOrEqual(30);
      expect(refusal.json).toMatchObject({ status: 503, code: "TOKEN_UNAVAILABLE" });

      const startedAtMs = performance.now();
      expect((await send(url)).status).toBe(503);
      expect(performance.now() - startedAtMs, "a known outage fails fast").toBeLessThan(1_000);

      emulator.setFaults({ token_endpoint: "ok" });
      await eventually("requests are served again", async () => (await send(url)).status === 200, 30_000);
      expect(emulator.stats().apis["zocdoc/sandbox"]).toMatchObject({ expired: 0, foreign: 0, absent: 0 });

      const metrics = await scrape(pillion.adminOrigin);
      const failed = metrics.samples.filter(
        ({ name, labels }) => name === "pillion_token_requests_total" && labels["outcome"] !== "success",
      );
      expect(failed.reduce((sum, { value }) => sum + value, 0)).toBeGreaterThan(0);
      expect(metrics.total("pillion_token_unavailable_total", { credential: "zocdoc" })).toBeGreaterThan(0);
      expect(metrics.total("pillion_rejected_total", { reason: "TOKEN_UNAVAILABLE" })).toBeGreaterThan(0);
    }, 45_000);
  },
);

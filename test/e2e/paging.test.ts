import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";

describe("rewrite_urls: true", () => {
  let emulator: Emulator;
  let pillion: Serving;
  beforeAll(async () => {
    emulator = createEmulator();
    await emulator.start();
    const { tokenUrl, apiUrl } = emulator.endpoints["zocdoc/sandbox"];
    const client = emulator.clients.find(({ name }) => name === "zocdoc-sandbox");
    pillion = await serve(
      `credentials:
  zocdoc:
    provider: zocdoc
    environment: sandbox
    token_url: ${tokenUrl}
    api_url: ${apiUrl}
    client_id: ${client?.clientId}
    client_secret: { env: SECRET }
routes:
  - { name: followed, path: /zocdoc/, credential: zocdoc, rewrite_urls: true }
  - { name: plain, path: /plain/, credential: zocdoc }
`,
      { env: { SECRET: client?.clientSecret ?? "" } },
    );
  });
  afterAll(async () => {
    await pillion.stop();
    await emulator.stop();
  });

  it("lets a caller follow every page by next_url, without a token of its own", async () => {
    const npis: string[] = [];
    let pages = 0;
    for (let url = `${pillion.origin}/zocdoc/v1/reference/npi?page_size=7`; url !== ""; ) {
      expect(url).toMatch(new RegExp(`^${pillion.origin}/zocdoc/v1/reference/npi\\?`));
      const { status, json, headers, body } = await send(url, { headers: { "Accept-Encoding": "gzip" } });
      expect([status, headers["content-encoding"]]).toEqual([200, undefined]);
      if (headers["content-length"] !== undefined)
        expect(Number(headers["content-length"])).toBe(body.length);
      expect(json.total_count).toBe(24);
      npis.push(...json.data.npis.map(String));
      pages += 1;
      url = json.next_url;
    }
    expect(pages).toBe(4);
    expect(new Set(npis).size).toBe(24);
  });

  it("is what does it: elsewhere next_url leads to the upstream", async () => {
    const { json } = await send(`${pillion.origin}/plain/v1/reference/npi?page_size=7`);
    expect(json.next_url).toMatch(new RegExp(`^${emulator.origin}/`));
  });
});

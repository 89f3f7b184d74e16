import { describe, expect, it } from "vitest";
import { type EmulatedClient, qmaticScope } from "../../src/emulator/clients.ts";
import type { EmulatorEvent } from "../../src/emulator/context.ts";
import { basic, send, startBench } from "./harness.ts";

const SECRET = "fake-secret";
const clients: readonly EmulatedClient[] = Array.from({ length: 1_000 }, (_, index) => ({
  name: `t${index}`,
  service: "qmatic/eu-west-1",
  clientId: `client-${index}`,
  clientSecret: SECRET,
  scopes: [qmaticScope("book")],
  account: `account-${index}`,
  tenantId: `${index}`,
}));
const service = "qmatic/eu-west-1";

describe("an emulator with given clients", () => {
  it("knows them, and none of its own", async () => {
    const events: EmulatorEvent[] = [];
    await using bench = await startBench({ clients, onEvent: (event) => events.push(event) });
    const { tokenUrl, apiUrl } = bench.emulator.endpoints[service];
    const ask = (clientId: string, account: string) =>
      send(tokenUrl, {
        method: "POST",
        headers: {
          Authorization: basic(clientId, SECRET),
          "X-ACCOUNT": account,
          "Content-Type": "application/x-www-form-urlencoded",
        },
        body: `grant_type=client_credentials&scope=${qmaticScope("book")}`,
      });
    const granted = await ask("client-999", "account-999");
    expect(granted.status).toBe(200);
    const { access_token: token } = granted.json as { access_token: string };
    const echo = await send(`${apiUrl}echo`, {
      headers: { Authorization: `Bearer ${token}`, "X-TENANT-ID": "999" },
    });
    expect(echo.json).toMatchObject({ client: "t999" });
    const [issued] = events;
    if (issued?.event !== "token_issued") throw new Error("no token was issued");
    expect(echo.text).toContain(`sha256 ${issued.tokenDigest}`);

    bench.advance(1_000);
    expect((await ask("qmatic-isb-client", "isb")).json).toEqual({ error: "invalid_client" });
    bench.advance(1_000);
    expect((await ask("client-1", "account-2")).json).toEqual({ error: "unauthorized_client" });

    const index = await send(`${bench.emulator.origin}/_emulator/`);
    expect(index.json).toMatchObject({ clients: expect.objectContaining({ length: 1_000 }) });
    expect(bench.emulator.stats().clients["t999"]).toEqual({ requests: 1, issued: 1, refused: 0 });
  });

  it("answers token requests after the time that was given, and tells of them as it does", async () => {
    const order: string[] = [];
    await using bench = await startBench({ tokenAnswerMs: 60, onEvent: ({ event }) => order.push(event) });
    const askedMs = performance.now();
    const answered = bench.token("zocdoc-sandbox").then(() => order.push("answered"));
    await answered;
    expect(performance.now() - askedMs).toBeGreaterThanOrEqual(59);
    expect(order).toEqual(["token_issued", "answered"]);
  });
});

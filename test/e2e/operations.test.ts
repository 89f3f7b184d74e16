import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { expectProblem } from "./support/expectations.ts";
import { send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

describe("operations", () => {
  let emulator: Emulator;
  let upstream: Upstream;
  let pillion: Serving;
  beforeAll(async () => {
    emulator = createEmulator();
    await emulator.start();
    upstream = await startUpstream();
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
  - { name: zocdoc, path: /zocdoc/, credential: zocdoc, upstream: "${upstream.origin}/" }
  - { name: rotating, path: /rotating/, credential: zocdoc, upstream: "${upstream.origin}/", allow: ["POST /v1/credentials/rotate"] }
  - { name: denying, path: /denying/, credential: zocdoc, upstream: "${upstream.origin}/", deny: ["GET /v1/npi"] }
  - { name: stand-in, path: /stand-in/, credential: zocdoc }
  - name: judged
    path: /judged/
    credential: none
    upstream: ${upstream.origin}/api/
    allow: ["GET /api/orders/*", "POST /api/orders"]
    deny: ["* /api/orders/secret"]
`,
      { env: { SECRET: "fake-zocdoc-sandbox-secret" } },
    );
  });
  afterAll(async () => {
    await pillion.stop();
    await upstream.close();
    await emulator.stop();
  });

  it.each([
    "/v1/credentials/rotate",
    "/v1/credentials/rotate?x=1",
    "/v1/credentials/%72otate",
    "/v1/%63redentials/rotat%65",
    "/%76%31/credentials/rotate",
    "/v1/credentials/rotate/",
    "/v1//credentials/rotate",
    "/V1/Credentials/Rotate",
    "/v1/credentials/rotate;x=1",
  ])("are denied by the provider's default, however they are written: POST %s", async (path) => {
    const before = upstream.requests.length;
    const reply = await send(`${pillion.origin}/zocdoc${path}`, { method: "POST" });
    expectProblem(reply, 403, "OPERATION_DENIED");
    expect(upstream.requests.length).toBe(before);
  });

  it("are denied by the provider's default below the path of an API base too", async () => {
    const before = emulator.stats().apis["zocdoc/sandbox"].total;
    const reply = await send(`${pillion.origin}/stand-in/v1/credentials/rotate`, { method: "POST" });
    expectProblem(reply, 403, "OPERATION_DENIED");
    expect(emulator.stats().apis["zocdoc/sandbox"].total).toBe(before);
  });

  it("are denied by the provider's default beside what the route denies", async () => {
    const ask = (method: string, path: string) => send(`${pillion.origin}/denying${path}`, { method });
    expectProblem(await ask("GET", "/v1/npi"), 403, "OPERATION_DENIED");
    expectProblem(await ask("POST", "/v1/credentials/rotate"), 403, "OPERATION_DENIED");
    expect((await ask("GET", "/v1/providers")).status).toBe(200);
  });

  it("are served in spite of the default where the route allows them in so many words", async () => {
    const reply = await send(`${pillion.origin}/rotating/v1/credentials/rotate`, { method: "POST" });
    expect(reply.status).toBe(200);
    expect(upstream.last()).toMatchObject({ method: "POST", target: "/v1/credentials/rotate" });
  });

  it.each([
    ["GET", "/orders/1", 200],
    ["GET", "/orders/%31", 200],
    ["POST", "/orders", 200],
    ["POST", "/orders/1", 403],
    ["GET", "/customers", 403],
    ["GET", "/orders/secret", 403],
    ["GET", "/orders/%73ecret", 403],
    ["GET", "/orders/SECRET", 403],
  ])("are allowed by list, and denied all the same: %s %s → %i", async (method, path, status) => {
    const before = upstream.requests.length;
    const reply = await send(`${pillion.origin}/judged${path}`, { method });
    expect(reply.status).toBe(status);
    expect(upstream.requests.length - before).toBe(status === 200 ? 1 : 0);
    if (status === 403) expectProblem(reply, 403, "OPERATION_DENIED");
  });
});

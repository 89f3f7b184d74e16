import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, basic, send, startBench } from "./harness.ts";

const SANDBOX_AUDIENCE = "https://api-developer-sandbox.zocdoc.com/";
const GOOD = {
  grant_type: "client_credentials",
  client_id: "zocdoc-sandbox-client",
  client_secret: "fake-zocdoc-sandbox-secret",
  audience: SANDBOX_AUDIENCE,
};
const JSON_TYPE = { "Content-Type": "application/json" };
const FORM_TYPE = { "Content-Type": "application/x-www-form-urlencoded" };

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ expiresInSeconds: 600 });
});
afterAll(() => bench.emulator.stop());

function post(body: string, headers: Record<string, string> = JSON_TYPE, method = "POST") {
  return send(bench.emulator.endpoints["zocdoc/sandbox"].tokenUrl, { method, headers, body });
}

describe("Zocdoc's token endpoint", () => {
  it.each([
    ["JSON", JSON.stringify(GOOD), JSON_TYPE],
    ["JSON with a charset", JSON.stringify(GOOD), { "Content-Type": "application/json; charset=utf-8" }],
    ["a form", new URLSearchParams(GOOD).toString(), FORM_TYPE],
  ])("grants a token to %s", async (_name, body, headers) => {
    const reply = await post(body, headers);
    expect(reply.status).toBe(200);
    expect(reply.json).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: "Bearer",
      expires_in: 600,
      scope: expect.stringContaining("external.appointment.read"),
    });
    expect(reply.headers["cache-control"]).toBe("no-store");
  });

  it("makes tokens of about the size of real ones", async () => {
    const { json } = await post(JSON.stringify(GOOD));
    expect(json.access_token.length).toBeGreaterThan(750);
    expect(json.access_token.length).toBeLessThan(900);
  });

  const { audience: _, ...withoutAudience } = GOOD;
  it("hands out an opaque token where no audience is asked for", async () => {
    const reply = await post(JSON.stringify(withoutAudience));
    expect(reply.status).toBe(200);
    expect(reply.json.access_token).not.toContain(".");
  });

  it.each([
    ["a wrong secret", { client_secret: "wrong" }, 401, "access_denied"],
    ["an unknown client", { client_id: "nobody" }, 401, "access_denied"],
    [
      "a client of Qmatic",
      { client_id: "qmatic-isb-client", client_secret: "fake-qmatic-isb-secret" },
      401,
      "access_denied",
    ],
    [
      "production's client",
      { client_id: "zocdoc-production-client", client_secret: "fake-zocdoc-production-secret" },
      403,
      "access_denied",
    ],
    [
      "an audience without its slash",
      { audience: "https://api-developer-sandbox.zocdoc.com" },
      403,
      "access_denied",
    ],
    ["production's audience", { audience: "https://api-developer.zocdoc.com/" }, 403, "access_denied"],
    ["a grant it may not use", { grant_type: "password" }, 403, "unauthorized_client"],
    ["a grant nobody knows", { grant_type: "magic" }, 400, "unsupported_grant_type"],
    ["no grant", { grant_type: "" }, 400, "invalid_request"],
    ["no client id", { client_id: "" }, 400, "invalid_request"],
    ["no secret", { client_secret: "" }, 400, "invalid_request"],
    ["a parameter that is no string", { audience: [SANDBOX_AUDIENCE] }, 400, "invalid_request"],
  ])("refuses %s", async (_name, change, status, error) => {
    const reply = await post(JSON.stringify({ ...GOOD, ...change }));
    expect(reply.status).toBe(status);
    expect(reply.json).toEqual({ error, error_description: expect.any(String) });
  });

  it.each([
    ["malformed JSON", "{", JSON_TYPE],
    ["JSON that is no object", "[]", JSON_TYPE],
    ["a doubled parameter", `${new URLSearchParams(GOOD)}&client_id=other`, FORM_TYPE],
    ["another content type", JSON.stringify(GOOD), { "Content-Type": "text/plain" }],
    ["no content type", JSON.stringify(GOOD), {}],
    [
      "a client that authenticates by Basic",
      JSON.stringify({ grant_type: GOOD.grant_type, audience: GOOD.audience }),
      { ...JSON_TYPE, Authorization: basic(GOOD.client_id, GOOD.client_secret) },
    ],
  ])("answers %s with 400 invalid_request", async (_name, body, headers) => {
    const reply = await post(body, headers);
    expect([reply.status, reply.json.error]).toEqual([400, "invalid_request"]);
  });

  it.each(["GET", "PUT", "DELETE"])("does not take %s", async (method) => {
    const reply = await post(JSON.stringify(GOOD), JSON_TYPE, method);
    expect([reply.status, reply.headers.allow]).toEqual([405, "POST"]);
  });

  it("refuses a body beyond 64 KiB", async () => {
    const reply = await post(JSON.stringify({ ...GOOD, padding: "x".repeat(70_000) }));
    expect(reply.status).toBe(413);
  });
});

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLIENT_ID, startUserBench, type UserBench } from "./user-harness.ts";

let bench: UserBench;
beforeEach(async () => {
  bench = await startUserBench();
});
afterEach(() => bench.emulator.stop());

async function mint(body: unknown = { app_client_id: CLIENT_ID }, token?: string) {
  return bench.api("v1/token/anonymous-user", token ?? (await bench.token("zocdoc-sandbox")), body);
}
const anonymousToken = async (): Promise<string> => (await mint()).json.access_token;

describe("POST /v1/token/anonymous-user", () => {
  it("mints a token per visitor, in a shape that says it is an assumption", async () => {
    const reply = await mint();
    expect([reply.status, reply.json]).toEqual([
      200,
      { access_token: expect.any(String), token_type: "Bearer", expires_in: 3_600 },
    ]);
    expect(reply.headers["x-emulator-assumption"]).toBeDefined();
    const visitors = await Promise.all(
      [reply.json.access_token, await anonymousToken()].map(
        async (token) => (await bench.api("echo", token)).json.subject,
      ),
    );
    expect(visitors[0]).toEqual({ kind: "anonymous", visitor: expect.any(String) });
    expect(visitors[1].visitor).not.toBe(visitors[0].visitor);
    expect(bench.counts()["anonymous_tokens"]).toBe(2);
  });

  it.each([
    ["no app_client_id", {}],
    ["an unknown one", { app_client_id: "nobody" }],
    ["production's", { app_client_id: "zocdoc-production-user-client" }],
  ])("refuses %s", async (_name, body) => {
    const reply = await mint(body);
    expect([reply.status, reply.json.errors[0].field]).toEqual([400, "app_client_id"]);
  });

  it("is for an application's own token alone", async () => {
    const { access_token: userToken } = await bench.tokens();
    expect((await mint(undefined, userToken)).status).toBe(403);
    expect((await mint(undefined, await anonymousToken())).status).toBe(403);
    expect((await mint(undefined, "nonsense")).status).toBe(401);
  });
});

describe("an anonymous token", () => {
  it.each([
    ["v1/providers?npis=9000000001", 200],
    ["v1/provider_locations?zip_code=10001&specialty_id=sp_901", 200],
    ["v1/reference/npi", 200],
    ["v1/specialties", 200],
    ["v1/insurance_plans", 200],
    ["v1/appointments", 403],
  ])("gets %s: %i", async (path, status) => {
    expect((await bench.api(path, await anonymousToken())).status).toBe(status);
  });

  it("books nothing and rotates nothing", async () => {
    const token = await anonymousToken();
    for (const path of ["v1/appointments", "v1/appointments/cancel", "v1/credentials/rotate"]) {
      expect((await bench.api(path, token, {})).status).toBe(403);
    }
  });

  it("is linked to the user who signs in with it", async () => {
    const token = await anonymousToken();
    const { visitor } = (await bench.api("echo", token)).json.subject;
    const tokens = await bench.tokens({ anonymous_token: token });
    expect((await bench.api("echo", tokens.access_token)).json.subject).toEqual({
      kind: "user",
      user: expect.any(String),
      visitor,
    });
    const { access_token: refreshed } = (await bench.refresh(tokens.refresh_token)).json;
    expect((await bench.api("echo", refreshed)).json.subject.visitor).toBe(visitor);
    expect(bench.counts()).toMatchObject({ visitors_linked: 1, anonymous_tokens_ignored: 0 });
  });

  it("that is none does not stop the login, and is counted", async () => {
    const machineToken = await bench.token("zocdoc-sandbox");
    const productionToken = await bench.token("zocdoc-production");
    for (const token of ["nonsense", "a b", machineToken, productionToken]) {
      const { access_token: accessToken } = await bench.tokens({ anonymous_token: token });
      expect((await bench.api("echo", accessToken)).json.subject).not.toHaveProperty("visitor");
    }
    expect(bench.counts()).toMatchObject({ visitors_linked: 0, anonymous_tokens_ignored: 4 });
  });
});

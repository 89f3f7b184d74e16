import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { send } from "./harness.ts";
import { CLIENT_ID, REDIRECT_URI, startUserBench, type UserBench, VERIFIER } from "./user-harness.ts";

let bench: UserBench;
beforeEach(async () => {
  bench = await startUserBench({ expiresInSeconds: 600 });
});
afterEach(() => bench.emulator.stop());

describe("an authorization code", () => {
  it("gives tokens of the documented shape", async () => {
    const reply = await bench.exchange(await bench.code());
    expect([reply.status, reply.headers["cache-control"]]).toEqual([200, "no-store"]);
    expect(reply.json).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refresh_token: expect.stringMatching(/^[\w-]{60,}$/),
      expires_in: 600,
      token_type: "Bearer",
      scope: "external.appointment.read external.appointment.write",
    });
  });

  it("gives no refresh token where offline_access was not asked for", async () => {
    const tokens = await bench.tokens({ scope: "external.appointment.read" });
    expect(tokens).not.toHaveProperty("refresh_token");
    expect(tokens.scope).toBe("external.appointment.read");
  });

  it("is taken in a form as well", async () => {
    const reply = await send(bench.emulator.endpoints["zocdoc/sandbox"].tokenUrl, {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({
        grant_type: "authorization_code",
        client_id: CLIENT_ID,
        code: await bench.code(),
        redirect_uri: REDIRECT_URI,
        code_verifier: VERIFIER,
      }).toString(),
    });
    expect(reply.status).toBe(200);
  });

  it("is good once: used again it ends all that it gave", async () => {
    const code = await bench.code();
    const { access_token: accessToken, refresh_token: refreshToken } = (await bench.exchange(code)).json;
    expect((await bench.api("v1/appointments", accessToken)).status).toBe(200);
    const again = await bench.exchange(code);
    expect([again.status, again.json.error]).toEqual([403, "invalid_grant"]);
    expect((await bench.api("v1/appointments", accessToken)).status).toBe(401);
    expect((await bench.refresh(refreshToken)).status).toBe(403);
    expect(bench.counts()).toMatchObject({ codes_exchanged: 1, codes_reused: 1 });
  });

  it("is good for 60 seconds", async () => {
    const [early, late] = [await bench.code(), await bench.code()];
    bench.advance(59_999);
    expect((await bench.exchange(early)).status).toBe(200);
    bench.advance(1);
    expect((await bench.exchange(late)).json.error).toBe("invalid_grant");
  });

  it.each([
    ["another redirect URI", { redirect_uri: "http://127.0.0.1:8080/.pillion/callback" }],
    ["another verifier", { code_verifier: "x".repeat(43) }],
    ["another client", { client_id: "zocdoc-sandbox-other-user-client" }],
    ["a made-up code", { code: "x".repeat(43) }],
  ])("is refused with %s: 403 invalid_grant", async (_name, change) => {
    const reply = await bench.exchange(await bench.code(), change);
    expect([reply.status, reply.json]).toEqual([
      403,
      { error: "invalid_grant", error_description: expect.any(String) },
    ]);
  });

  it("is spent by a wrong verifier, so that nobody can try many", async () => {
    const code = await bench.code();
    await bench.exchange(code, { code_verifier: "x".repeat(43) });
    expect((await bench.exchange(code)).status).toBe(403);
  });

  it.each(["code", "redirect_uri", "code_verifier", "client_id"])("needs %s: 400", async (name) => {
    const reply = await bench.exchange(await bench.code(), { [name]: "" });
    expect([reply.status, reply.json.error]).toEqual([400, "invalid_request"]);
  });

  it("is no matter of machines, nor is their grant one of users", async () => {
    const machine = await bench.exchange(await bench.code(), {
      client_id: "zocdoc-sandbox-client",
      client_secret: "fake-zocdoc-sandbox-secret",
    });
    expect([machine.status, machine.json.error]).toEqual([403, "unauthorized_client"]);
    const user = await bench.post("token", { grant_type: "client_credentials", client_id: CLIENT_ID });
    expect([user.status, user.json.error]).toEqual([403, "unauthorized_client"]);
  });

  it("of one environment is nothing in the other", async () => {
    const code = await bench.code();
    const { tokenUrl } = bench.emulator.endpoints["zocdoc/production"];
    const body = {
      grant_type: "authorization_code",
      code,
      redirect_uri: REDIRECT_URI,
      code_verifier: VERIFIER,
    };
    for (const [clientId, error] of [
      [CLIENT_ID, "access_denied"],
      ["zocdoc-production-user-client", "invalid_grant"],
    ]) {
      const reply = await bench.post(tokenUrl, { ...body, client_id: clientId });
      expect([reply.status, reply.json.error]).toEqual([403, error]);
    }
  });
});

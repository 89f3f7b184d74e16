import { afterEach, describe, expect, it } from "vitest";
import type { EmulatorOptions } from "../../src/emulator/emulator.ts";
import { send } from "./harness.ts";
import { CLIENT_ID, startUserBench, type UserBench } from "./user-harness.ts";

const DAY_MS = 86_400_000;

let bench: UserBench | undefined;
afterEach(() => bench?.emulator.stop());

async function start(options: EmulatorOptions = {}): Promise<UserBench> {
  bench = await startUserBench(options);
  return bench;
}

describe("a refresh token that rotates", () => {
  it("gives a new access token and a new refresh token", async () => {
    const user = await start();
    const first = await user.tokens();
    const reply = await user.refresh(first.refresh_token);
    expect([reply.status, reply.json]).toEqual([
      200,
      {
        access_token: expect.any(String),
        refresh_token: expect.any(String),
        expires_in: 3_600,
        token_type: "Bearer",
        scope: first.scope,
      },
    ]);
    expect(reply.json.refresh_token).not.toBe(first.refresh_token);
    expect((await user.api("v1/appointments", reply.json.access_token)).status).toBe(200);
    expect(user.counts()["refreshes"]).toBe(1);
  });

  it("ends its whole family when it is sent again", async () => {
    const user = await start();
    const first = await user.tokens();
    const second = (await user.refresh(first.refresh_token)).json;
    const again = await user.refresh(first.refresh_token);
    expect([again.status, again.json]).toEqual([
      403,
      { error: "invalid_grant", error_description: "Unknown or invalid refresh token." },
    ]);
    expect((await user.refresh(second.refresh_token)).status).toBe(403);
    expect(user.counts()).toMatchObject({ refreshes: 1, consumed_tokens_resent: 1 });
  });

  it("leaves other logins of the same user alone when its family ends", async () => {
    const user = await start();
    const [mine, other] = [await user.tokens(), await user.tokens()];
    await user.refresh(mine.refresh_token);
    await user.refresh(mine.refresh_token);
    expect((await user.refresh(other.refresh_token)).status).toBe(200);
  });

  it("is lost where the answer is: the connection is cut after the request was processed", async () => {
    const user = await start();
    const { refresh_token: refreshToken } = await user.tokens();
    user.emulator.setFaults({ token_endpoint: "lose_answer" });
    await expect(user.refresh(refreshToken)).rejects.toThrow(/socket hang up|ECONNRESET/);
    user.emulator.setFaults({ token_endpoint: "ok" });
    expect((await user.refresh(refreshToken)).status).toBe(403);
    expect(user.counts()).toMatchObject({ refreshes: 1, consumed_tokens_resent: 1 });
  });

  it("is used up, too, by a request that is never answered", async () => {
    const user = await start();
    const { refresh_token: refreshToken } = await user.tokens();
    user.emulator.setFaults({ token_endpoint: "hold_answer" });
    const unanswered = user.refresh(refreshToken);
    while (user.counts()["refreshes"] === 0) await new Promise(setImmediate);
    user.emulator.setFaults({ token_endpoint: "ok" });
    expect((await user.refresh(refreshToken)).status).toBe(403);
    await user.emulator.stop();
    await expect(unanswered).rejects.toThrow(/socket hang up|ECONNRESET/);
  });

  it("is not touched by a fault that comes before it is looked at", async () => {
    const user = await start();
    const { refresh_token: refreshToken } = await user.tokens();
    user.emulator.setFaults({ token_endpoint: "unavailable" });
    expect((await user.refresh(refreshToken)).status).toBe(503);
    user.emulator.setFaults({ token_endpoint: "ok" });
    expect((await user.refresh(refreshToken)).status).toBe(200);
  });
});

describe("a refresh token that does not rotate", () => {
  it("stays good, and no other is sent", async () => {
    const user = await start({ refreshRotation: false });
    const { refresh_token: refreshToken } = await user.tokens();
    for (let count = 0; count < 3; count += 1) {
      const reply = await user.refresh(refreshToken);
      expect(reply.status).toBe(200);
      expect(reply.json).not.toHaveProperty("refresh_token");
    }
    expect(user.counts()).toMatchObject({ refreshes: 3, consumed_tokens_resent: 0 });
  });
});

describe("refresh tokens end", () => {
  it.each<[string, EmulatorOptions, number]>([
    ["15 days", {}, 15 * DAY_MS],
    ["the seconds given", { refreshIdleSeconds: 5 }, 5_000],
  ])("when unused for %s", async (_name, options, idleMs) => {
    const user = await start(options);
    let { refresh_token: refreshToken } = await user.tokens();
    user.advance(idleMs - 1);
    refreshToken = (await user.refresh(refreshToken)).json.refresh_token;
    expect(refreshToken).toEqual(expect.any(String));
    user.advance(idleMs);
    expect((await user.refresh(refreshToken)).json.error).toBe("invalid_grant");
  });

  it.each<[string, EmulatorOptions, number]>([
    ["30 days", {}, 30 * DAY_MS],
    ["the seconds given", { refreshLifetimeSeconds: 12 }, 12_000],
  ])("after %s however busy they are", async (_name, options, lifetimeMs) => {
    const user = await start(options);
    let { refresh_token: refreshToken } = await user.tokens();
    for (let step = 1; step <= 2; step += 1) {
      user.advance(lifetimeMs / 3);
      refreshToken = (await user.refresh(refreshToken)).json.refresh_token;
    }
    user.advance(lifetimeMs / 3);
    expect((await user.refresh(refreshToken)).json.error).toBe("invalid_grant");
  });

  it("for their own client alone", async () => {
    const user = await start();
    const { refresh_token: refreshToken } = await user.tokens();
    const change = { client_id: "zocdoc-sandbox-other-user-client" };
    expect((await user.refresh(refreshToken, change)).json.error).toBe("invalid_grant");
    expect((await user.refresh(refreshToken)).status).toBe(200);
  });

  it.each(["", "x", "x".repeat(70), "=".repeat(70)])("and %j is none", async (text) => {
    const user = await start();
    const reply = await user.refresh(text);
    expect([reply.status, reply.json.error]).toEqual(
      text === "" ? [400, "invalid_request"] : [403, "invalid_grant"],
    );
  });
});

describe("POST /oauth/revoke", () => {
  const revoke = (user: UserBench, body: Record<string, unknown>) => user.post("revoke", body);

  it.each(["refresh_token", "access_token", undefined])("ends the family (hint %s)", async (hint) => {
    const user = await start();
    const first = await user.tokens();
    const second = (await user.refresh(first.refresh_token)).json;
    const body = { client_id: CLIENT_ID, token: second.refresh_token };
    const reply = await revoke(user, hint === undefined ? body : { ...body, token_type_hint: hint });
    expect(reply.status).toBe(200);
    expect((await user.refresh(second.refresh_token)).status).toBe(403);
    expect(user.counts()).toMatchObject({ revocations: 1, consumed_tokens_resent: 0 });
  });

  it("takes a form as well, and a token twice", async () => {
    const user = await start();
    const { refresh_token: token = "" } = await user.tokens();
    const url = user.emulator.endpoints["zocdoc/sandbox"].revocationUrl;
    const body = new URLSearchParams({ client_id: CLIENT_ID, token }).toString();
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    for (let count = 0; count < 2; count += 1) {
      expect((await send(url, { method: "POST", headers, body })).status).toBe(200);
    }
    expect(user.counts()["revocations"]).toBe(1);
  });

  it.each<[string, Record<string, unknown>, number, string | undefined]>([
    ["a token that is none", { token: "nonsense" }, 200, undefined],
    ["no token", { token: "" }, 400, "invalid_request"],
    ["no client", { client_id: "" }, 400, "invalid_request"],
    ["an unknown client", { client_id: "nobody" }, 401, "invalid_client"],
    ["another client", { client_id: "zocdoc-sandbox-other-user-client" }, 400, "invalid_grant"],
  ])("answers %s as RFC 7009 has it", async (_name, change, status, error) => {
    const user = await start();
    const { refresh_token: token } = await user.tokens();
    const reply = await revoke(user, { client_id: CLIENT_ID, token, ...change });
    expect([reply.status, reply.json?.error]).toEqual([status, error]);
    expect((await user.refresh(token)).status).toBe(200);
  });

  it("does not revoke access tokens", async () => {
    const user = await start();
    const { access_token: token } = await user.tokens();
    const reply = await revoke(user, { client_id: CLIENT_ID, token });
    expect([reply.status, reply.json.error]).toEqual([400, "unsupported_token_type"]);
  });
});

import { afterEach, describe, expect, it } from "vitest";
import { createSystemClock } from "../../src/core/clock.ts";
import { ProxyError } from "../../src/core/errors.ts";
import { fetchToken } from "../../src/token/fetch-token.ts";
import {
  granted,
  refused,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { createSecrets, spec } from "./engine.ts";

let server: ScriptedTokenEndpoint;
afterEach(() => server.close());

const fetchFrom = (secrets = createSecrets()) =>
  fetchToken(
    { credential: "billing", tenant: "isb", spec: spec({ tokenUrl: server.url }) },
    { clock: createSystemClock(), random: () => 0.5, secrets },
  );

describe("one token, past every cache", () => {
  it("with its expiry, scope and type", async () => {
    server = await startTokenEndpoint();
    server.answer(granted({ scope: "billing.read" }));
    const beforeMs = Date.now();
    const token = await fetchFrom();
    expect(token.value.reveal()).toBe("token-1");
    expect([token.type, token.scope, token.lifetimeMs]).toEqual(["Bearer", "billing.read", 3_600_000]);
    expect(token.expiresAtWallMs - beforeMs).toBeGreaterThanOrEqual(3_600_000 - 1);
    expect(token.expiresAtWallMs).toBeLessThanOrEqual(Date.now() + 3_600_000);
    expect(JSON.stringify(token)).not.toContain("token-1");
  });

  it("or the reason why not, and what to do", async () => {
    server = await startTokenEndpoint();
    server.answer(refused(401, "invalid_client", "wrong secret s3cret-0"));
    const error = await fetchFrom().catch((thrown: unknown) => thrown);
    if (!(error instanceof ProxyError)) throw new Error("no ProxyError");
    expect(error.code).toBe("TOKEN_REJECTED");
    expect(error.message).toBe(
      `credential billing, tenant isb: the token endpoint ${server.url.host} answered 401 invalid_client; ` +
        "check client_id, client_secret and client_auth",
    );
  });

  it.each([
    [503, {}, "it should pass when the server recovers"],
    [429, { "retry-after": "7" }, "lower token_requests_per_second or ask for a higher limit"],
  ])("and no promise to try again that nobody keeps, after %i", async (status, headers, advice) => {
    server = await startTokenEndpoint();
    server.answer({ status, headers });
    await expect(fetchFrom()).rejects.toThrow(new RegExp(`answered ${status}.*; ${advice}$`));
  });

  it("and reads the secret again where the server does not accept it", async () => {
    server = await startTokenEndpoint();
    server.answer(refused(401, "invalid_client"), granted());
    const secrets = createSecrets();
    secrets.stage("CLIENT_SECRET", "s3cret-1");
    expect((await fetchFrom(secrets)).value.reveal()).toBe("token-2");
  });
});

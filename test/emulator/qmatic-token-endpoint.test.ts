import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { qmaticScope } from "../../src/emulator/clients.ts";
import { type Bench, basic, send, startBench } from "./harness.ts";

const ISB = basic("qmatic-isb-client", "fake-qmatic-isb-secret");
const HARBOR = basic("qmatic-harbor-client", "fake-qmatic-harbor-secret");
const FORM = "application/x-www-form-urlencoded";
const GOOD_HEADERS = { Authorization: ISB, "X-ACCOUNT": "isb", "Content-Type": FORM };
const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
const GOOD_BODY = form({
  grant_type: "client_credentials",
  scope: `${qmaticScope("book")} ${qmaticScope("cancel")}`,
});

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.emulator.stop());
beforeEach(() => bench.advance(1_000));

function post(headers: Record<string, string | string[]>, body = GOOD_BODY, method = "POST") {
  return send(bench.emulator.endpoints["qmatic/eu-west-1"].tokenUrl, { method, headers, body });
}

describe("Qmatic's token endpoint", () => {
  it("grants a token to a request that is right in all respects", async () => {
    const reply = await post(GOOD_HEADERS);
    expect(reply.status).toBe(200);
    expect(reply.json).toEqual({
      access_token: expect.any(String),
      expires_in: 3_600,
      token_type: "Bearer",
    });
  });

  it("reads client id and secret percent-encoded", async () => {
    const encoded = basic("qmatic%2Disb%2Dclient", "fake%2Dqmatic-isb-secret");
    expect((await post({ ...GOOD_HEADERS, Authorization: encoded })).status).toBe(200);
  });

  const { Authorization: _a, ...withoutAuthorization } = GOOD_HEADERS;
  const { "X-ACCOUNT": _x, ...withoutAccount } = GOOD_HEADERS;
  const encodedIsb = ISB.slice("Basic ".length);
  it.each([
    ["no Authorization", withoutAuthorization, "invalid_client"],
    ["a bearer token", { ...GOOD_HEADERS, Authorization: `Bearer ${encodedIsb}` }, "invalid_client"],
    ["two spaces after Basic", { ...GOOD_HEADERS, Authorization: `Basic  ${encodedIsb}` }, "invalid_client"],
    [
      "base64 broken into two",
      { ...GOOD_HEADERS, Authorization: `Basic ${encodedIsb.slice(0, 20)} ${encodedIsb.slice(20)}` },
      "invalid_client",
    ],
    ["credentials not encoded", { ...GOOD_HEADERS, Authorization: "Basic a:b" }, "invalid_client"],
    ["a wrong secret", { ...GOOD_HEADERS, Authorization: basic("qmatic-isb-client", "x") }, "invalid_client"],
    ["an unknown client", { ...GOOD_HEADERS, Authorization: basic("x", "x") }, "invalid_client"],
    [
      "the client of another region",
      { ...GOOD_HEADERS, Authorization: HARBOR, "X-ACCOUNT": "harbor" },
      "invalid_client",
    ],
    ["no X-ACCOUNT", withoutAccount, "invalid_request"],
    ["two X-ACCOUNT", { ...GOOD_HEADERS, "X-ACCOUNT": ["isb", "isb"] }, "invalid_request"],
    ["another tenant's account", { ...GOOD_HEADERS, "X-ACCOUNT": "riverside" }, "unauthorized_client"],
    ["the account in capitals", { ...GOOD_HEADERS, "X-ACCOUNT": "ISB" }, "unauthorized_client"],
    ["a JSON content type", { ...GOOD_HEADERS, "Content-Type": "application/json" }, "invalid_request"],
    ["no content type", { ...withoutAccount, "X-ACCOUNT": "isb", "Content-Type": "" }, "invalid_request"],
  ])("refuses %s", async (_name, headers, error) => {
    const reply = await post(headers);
    expect([reply.status, reply.json]).toEqual([400, { error }]);
  });

  const grant = "client_credentials";
  const book = qmaticScope("book");
  it.each([
    ["no grant type", form({ scope: book }), "invalid_request"],
    ["another grant type", form({ grant_type: "password", scope: book }), "unsupported_grant_type"],
    ["no scope", form({ grant_type: grant }), "invalid_scope"],
    ["a short scope name", form({ grant_type: grant, scope: "book" }), "invalid_scope"],
    [
      "scopes apart by a comma",
      form({ grant_type: grant, scope: `${book},${qmaticScope("cancel")}` }),
      "invalid_scope",
    ],
    ["one scope too many", form({ grant_type: grant, scope: `${book} openid` }), "invalid_scope"],
    ["a doubled scope parameter", `${GOOD_BODY}&scope=${book}`, "invalid_request"],
    ["a secret in the body too", `${GOOD_BODY}&client_secret=x`, "invalid_request"],
  ])("refuses a body with %s", async (_name, body, error) => {
    const reply = await post(GOOD_HEADERS, body);
    expect([reply.status, reply.json]).toEqual([400, { error }]);
  });

  it("refuses a scope that the client has not been granted", async () => {
    const reply = await send(bench.emulator.endpoints["qmatic/us-east-1"].tokenUrl, {
      method: "POST",
      headers: { Authorization: HARBOR, "X-ACCOUNT": "harbor", "Content-Type": FORM },
      body: form({ grant_type: grant, scope: qmaticScope("reschedule") }),
    });
    expect([reply.status, reply.json]).toEqual([400, { error: "invalid_scope" }]);
  });

  it("does not take GET", async () => {
    const reply = await post(GOOD_HEADERS, "", "GET");
    expect([reply.status, reply.headers.allow]).toEqual([405, "POST"]);
  });

  it("takes one request per second and region, whoever asks", async () => {
    expect((await post(GOOD_HEADERS)).status).toBe(200);
    bench.advance(900);
    const riverside = {
      ...GOOD_HEADERS,
      Authorization: basic("qmatic-riverside-client", "fake-qmatic-riverside-secret"),
      "X-ACCOUNT": "riverside",
    };
    expect((await post(riverside)).status).toBe(429);
    const otherRegion = await send(bench.emulator.endpoints["qmatic/us-east-1"].tokenUrl, {
      method: "POST",
      headers: { Authorization: HARBOR, "X-ACCOUNT": "harbor", "Content-Type": FORM },
      body: form({ grant_type: grant, scope: book }),
    });
    expect(otherRegion.status).toBe(200);
    bench.advance(100);
    expect((await post(riverside)).status).toBe(200);
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, client, send, startBench } from "./harness.ts";

const API_PATHS = [
  ["zocdoc-sandbox", "v1/providers?npis=9000000001"],
  ["zocdoc-sandbox", "v1/no-such-endpoint"],
  ["zocdoc-sandbox", "echo"],
  ["zocdoc-production", "v1/specialties"],
  ["qmatic-isb", "services"],
  ["qmatic-isb", "ticks?count=1&interval_ms=1"],
  ["qmatic-harbor", "services"],
] as const;

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ expiresInSeconds: 60 });
});
afterAll(() => bench.emulator.stop());

async function expectUnauthorized(clientName: string, path: string, authorization: string | string[]) {
  const reply = await bench.call(clientName, path, { headers: { Authorization: authorization } });
  expect(reply.status).toBe(401);
  expect(reply.headers["www-authenticate"]).toBe('Bearer error="invalid_token"');
  if (clientName.startsWith("zocdoc")) expect(reply.text).toBe("");
}

describe.each(API_PATHS)("the API of %s at %s", (clientName, path) => {
  it("answers 401 without a token", async () => {
    const { service } = client(clientName);
    const reply = await send(bench.emulator.endpoints[service].apiUrl + path);
    expect([reply.status, reply.headers["www-authenticate"]]).toEqual([401, "Bearer"]);
  });

  it("answers 401 to a token from the moment it expires, and not before", async () => {
    const authorization = `Bearer ${await bench.token(clientName)}`;
    bench.advance(59_999);
    const reply = await bench.call(clientName, path, { headers: { Authorization: authorization } });
    expect(reply.status).not.toBe(401);
    bench.advance(1);
    await expectUnauthorized(clientName, path, authorization);
  });

  it.each([
    ["changed in its last place", (token: string) => flipLast(token)],
    ["whose claims were changed", (token: string) => token.replace(/\.(.)/, (_, c) => `.${flip(c)}`)],
    ["without its signature", (token: string) => token.slice(0, token.lastIndexOf("."))],
    ["of nonsense", () => "nonsense"],
  ])("answers 401 to a token %s", async (_name, change) => {
    await expectUnauthorized(clientName, path, `Bearer ${change(await bench.token(clientName))}`);
  });

  it("answers 401 to a good token sent twice", async () => {
    const authorization = `Bearer ${await bench.token(clientName)}`;
    await expectUnauthorized(clientName, path, [authorization, authorization]);
  });

  it("answers 401 to a good token under another scheme", async () => {
    await expectUnauthorized(clientName, path, `Basic ${await bench.token(clientName)}`);
  });

  const foreign = ["zocdoc-sandbox", "zocdoc-production", "qmatic-isb", "qmatic-harbor"].filter(
    (name) => client(name).service !== client(clientName).service,
  );
  it.each(foreign)("answers 401 to the token of %s", async (otherName) => {
    await expectUnauthorized(clientName, path, `Bearer ${await bench.token(otherName)}`);
  });
});

describe("a token of another process", () => {
  it("is refused, since every process has a key of its own", async () => {
    await using other = await startBench();
    await expectUnauthorized(
      "zocdoc-sandbox",
      "v1/specialties",
      `Bearer ${await other.token("zocdoc-sandbox")}`,
    );
  });
});

describe("Zocdoc's opaque token, had without an audience", () => {
  it("opens nothing", async () => {
    const reply = await send(bench.emulator.endpoints["zocdoc/sandbox"].tokenUrl, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        grant_type: "client_credentials",
        client_id: "zocdoc-sandbox-client",
        client_secret: "fake-zocdoc-sandbox-secret",
      }),
    });
    await expectUnauthorized("zocdoc-sandbox", "v1/specialties", `Bearer ${reply.json.access_token}`);
  });
});

function flip(letter: string): string {
  return letter === "A" ? "B" : "A";
}

/** The last letter of a 32-byte signature has two bits to spare; the one before has none. */
function flipLast(token: string): string {
  return token.slice(0, -2) + flip(token.at(-2) ?? "") + token.slice(-1);
}

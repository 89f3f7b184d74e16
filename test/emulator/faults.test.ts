import { once } from "node:events";
import { request } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EmulatorEvent } from "../../src/emulator/context.ts";
import { type Bench, send, startBench } from "./harness.ts";

let bench: Bench;
let events: EmulatorEvent[];
beforeEach(async () => {
  events = [];
  bench = await startBench({ onEvent: (event) => events.push(event) });
});
afterEach(() => bench.emulator.stop());

const post = (body: unknown, headers: Record<string, string> = { "Content-Type": "application/json" }) =>
  send(`${bench.emulator.origin}/_emulator/faults`, {
    method: "POST",
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
const tokenRequest = (service: "zocdoc/sandbox" | "qmatic/eu-west-1" = "zocdoc/sandbox") =>
  send(bench.emulator.endpoints[service].tokenUrl, { method: "POST", body: "{}" });

describe("a token endpoint's fault", () => {
  it.each([
    ["unavailable", 503],
    ["rate_limited", 429],
    ["malformed", 200],
    ["ok", 400],
  ])("%s answers %i", async (fault, status) => {
    await post({ token_endpoint: fault });
    const reply = await tokenRequest();
    expect(reply.status).toBe(status);
    expect(reply.headers["x-ratelimit-reset"] !== undefined).toBe(fault === "rate_limited");
    expect(reply.headers["content-type"]).toBe(fault === "malformed" ? "text/html" : "application/json");
  });

  it("refuse cuts the connection", async () => {
    await post({ token_endpoint: "refuse" });
    await expect(tokenRequest()).rejects.toThrow(/socket hang up|ECONNRESET/);
  });

  it("lose_answer cuts the connection of a request that was processed", async () => {
    await post({ token_endpoint: "lose_answer" });
    await expect(bench.token("zocdoc-sandbox")).rejects.toThrow(/socket hang up|ECONNRESET/);
    expect(bench.emulator.stats().clients["zocdoc-sandbox"]).toMatchObject({ issued: 1 });
  });

  it("hang never answers", async () => {
    await post({ token_endpoint: "hang" });
    const outgoing = request(bench.emulator.endpoints["zocdoc/sandbox"].tokenUrl, { method: "POST" });
    let answered = false;
    outgoing.on("response", () => {
      answered = true;
    });
    const cut = once(outgoing, "error");
    outgoing.end();
    while (bench.emulator.stats().tokenEndpoints["zocdoc/sandbox"].requests === 0) {
      await new Promise(setImmediate);
    }
    await bench.emulator.stop();
    await cut;
    expect(answered).toBe(false);
  });

  it("ends by itself after for_seconds", async () => {
    await post({ token_endpoint: "unavailable", for_seconds: 20 });
    bench.advance(19_999);
    expect((await tokenRequest()).status).toBe(503);
    bench.advance(1);
    expect((await tokenRequest()).status).toBe(400);
  });

  it.each([
    ["zocdoc", 503, 400],
    ["zocdoc/sandbox", 503, 400],
    ["zocdoc/production", 400, 400],
    ["qmatic", 400, 503],
  ])("for %s leaves the others alone", async (provider, zocdoc, qmatic) => {
    await post({ token_endpoint: "unavailable", provider });
    expect((await tokenRequest()).status).toBe(zocdoc);
    expect((await tokenRequest("qmatic/eu-west-1")).status).toBe(qmatic);
  });
});

describe("an API's fault", () => {
  it("unauthorized_once answers 401 to one good token, and then serves it", async () => {
    const headers = { Authorization: `Bearer ${await bench.token("zocdoc-sandbox")}` };
    await post({ api: "unauthorized_once", provider: "zocdoc" });
    await bench.call("zocdoc-sandbox", "v1/specialties", { headers: { Authorization: "Bearer bad" } });
    const statuses: number[] = [];
    for (let count = 0; count < 3; count += 1) {
      statuses.push((await bench.call("zocdoc-sandbox", "v1/specialties", { headers })).status);
    }
    expect(statuses).toEqual([401, 200, 200]);
  });

  it("unavailable answers 503 and leaves the token endpoint alone", async () => {
    await post({ api: "unavailable" });
    expect((await bench.call("zocdoc-sandbox", "v1/specialties")).status).toBe(503);
    await post({ api: "ok" });
    expect((await bench.call("zocdoc-sandbox", "v1/specialties")).status).toBe(200);
  });

  it("refuse cuts the connection", async () => {
    await post({ api: "refuse" });
    await expect(bench.call("qmatic-isb", "services")).rejects.toThrow(/socket hang up|ECONNRESET/);
  });
});

describe("POST /_emulator/faults", () => {
  it("says what holds now, and tells the log", async () => {
    const reply = await post({ api: "hang", provider: "qmatic/us-east-1" });
    expect(reply.json["qmatic/us-east-1"]).toEqual({ token_endpoint: "ok", api: "hang" });
    expect(reply.json["qmatic/eu-west-1"]).toEqual({ token_endpoint: "ok", api: "ok" });
    expect(events).toEqual([{ event: "faults_set", api: "hang", provider: "qmatic/us-east-1" }]);
  });

  it.each([
    ["{", /JSON object/],
    ["[]", /JSON object/],
    [{}, /token_endpoint or api/],
    [{ for_seconds: 3 }, /token_endpoint or api/],
    [{ token_endpoint: "broken" }, /token_endpoint must be one of ok, unavailable/],
    [{ api: "rate_limited" }, /api must be one of/],
    [{ api: "ok", for_seconds: 0 }, /for_seconds must be a positive number/],
    [{ api: "ok", provider: "other" }, /provider must be one of zocdoc, zocdoc\/sandbox/],
    [{ api: "ok", nonsense: 1 }, /nonsense is unknown/],
    ['{"api":"ok","__proto__":1}', /__proto__ is unknown/],
  ])("refuses %j", async (body, message) => {
    const reply = await post(body);
    expect([reply.status, reply.json.message]).toEqual([400, expect.stringMatching(message)]);
    expect(events).toEqual([]);
  });

  it("refuses what a form on a foreign web page can send", async () => {
    const reply = await post({ api: "hang" }, { "Content-Type": "text/plain" });
    expect(reply.status).toBe(415);
    expect((await bench.call("zocdoc-sandbox", "v1/specialties")).status).toBe(200);
  });
});

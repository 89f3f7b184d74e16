import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Bench, startBench } from "./harness.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.emulator.stop());

describe.each(["zocdoc-sandbox", "qmatic-isb"])("the echo of %s", (clientName) => {
  it.each(["GET", "POST", "PUT", "PATCH", "DELETE"])("shows %s as it arrived", async (method) => {
    const body = Buffer.from("a body\u0000 with bytes");
    const { json } = await bench.call(clientName, "echo?a=%7C%2F&b", {
      method,
      headers: { "X-Thing": "1" },
      body,
    });
    expect(json.method).toBe(method);
    expect(json.target).toMatch(/\/echo\?a=%7C%2F&b$/);
    expect(json.client).toBe(clientName);
    expect(json.headers).toContainEqual(["X-Thing", "1"]);
    expect(json.body).toEqual({
      bytes: body.length,
      sha256: createHash("sha256").update(body).digest("hex"),
    });
  });

  it("tells the token by scheme, length and fingerprint only", async () => {
    const token = await bench.token(clientName);
    const reply = await bench.call(clientName, "echo", { headers: { Authorization: `Bearer ${token}` } });
    const fingerprint = createHash("sha256").update(token).digest("hex").slice(0, 12);
    const shown = `Bearer (${token.length} characters, sha256 ${fingerprint})`;
    expect(reply.json.headers).toContainEqual(["Authorization", shown]);
    expect(reply.text).not.toContain(token.slice(-20));
  });
});

describe("what else the real services do not have", () => {
  it("streams as many server-sent events as asked for", async () => {
    const reply = await bench.call("zocdoc-sandbox", "ticks?count=3&interval_ms=1");
    expect(reply.headers["content-type"]).toBe("text/event-stream");
    expect(reply.text.match(/^data: .*$/gm)).toEqual([
      'data: {"tick":1}',
      'data: {"tick":2}',
      'data: {"tick":3}',
    ]);
  });

  it("redirects to an absolute address by the request's Host", async () => {
    const reply = await bench.call("qmatic-isb", "redirect", { headers: { Host: "qmatic.example" } });
    expect([reply.status, reply.headers.location]).toEqual([
      302,
      "http://qmatic.example/qmatic/eu-west-1/echo?redirected=true",
    ]);
  });
});

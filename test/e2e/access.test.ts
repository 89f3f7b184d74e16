import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectProblem } from "./support/expectations.ts";
import { send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";

describe("who may ask", () => {
  let upstream: Upstream;
  let pillion: Serving;
  /** By listener: an address that answers 200 to those who may. */
  let urls: Readonly<Record<string, string>>;
  beforeAll(async () => {
    upstream = await startUpstream();
    pillion = await serve(
      `access: { hosts: ["appointments.internal:8080"], origins: ["https://app.example"] }
credentials:
  key: { provider: static, header: X-API-Key, value: { env: KEY } }
routes:
  - { name: key, path: /key/, credential: key, upstream: "${upstream.origin}/" }
  - { name: plain, path: /plain/, credential: none, upstream: "${upstream.origin}/" }
`,
      { env: { KEY: "fake-key" } },
    );
    urls = { data: `${pillion.origin}/key/x`, admin: `${pillion.adminOrigin}/livez` };
  });
  afterAll(async () => {
    await pillion.stop();
    await upstream.close();
  });

  describe.each(["data", "admin"])("on the %s listener", (listener) => {
    const port = (): string => new URL(urls[listener] ?? "").port;
    const ask = (headers: Readonly<Record<string, string>>, method = "GET") =>
      send(urls[listener] ?? "", { headers, method });

    it.each([
      "localhost",
      "localhost:PORT",
      "LOCALHOST:PORT",
      "127.0.0.1:PORT",
      "127.9.9.9",
      "[::1]:PORT",
      "anything.localhost:PORT",
      "appointments.internal:8080",
    ])("Host %s is served", async (host) => {
      expect((await ask({ Host: host.replace("PORT", port()) })).status).toBe(200);
    });

    it.each([
      "evil.example",
      "evil.example:PORT",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "appointments.internal.evil.example:8080",
      "localhost:1",
    ])("Host %s is refused", async (host) => {
      const before = upstream.requests.length;
      expectProblem(await ask({ Host: host.replace("PORT", port()) }), 403, "HOST_NOT_ALLOWED");
      expect(upstream.requests.length).toBe(before);
    });

    it.each([
      [{ Origin: "https://evil.example" }],
      [{ Origin: "null" }],
      [{ Origin: "http://localhost:1" }],
      [{ "Sec-Fetch-Site": "cross-site" }],
      [{ "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe" }],
      [{ "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document" }],
    ])("a foreign page is refused: %j", async (headers) => {
      const reply = await ask(headers);
      expectProblem(reply, 403, "ORIGIN_NOT_ALLOWED");
      expect(reply.headers["access-control-allow-origin"]).toBeUndefined();
    });

    it("its own pages are served", async () => {
      const origin = new URL(urls[listener] ?? "").origin;
      expect((await ask({ Origin: origin, "Sec-Fetch-Site": "same-origin" })).status).toBe(200);
    });
  });

  it("the admin listener is reached by an address that the data listener refuses", async () => {
    const { port } = new URL(pillion.adminOrigin);
    const byAddress = { Host: `10.1.2.3:${port}` };
    expect((await send(`${pillion.adminOrigin}/livez`, { headers: byAddress })).status).toBe(200);
    const data = { Host: `10.1.2.3:${new URL(pillion.origin).port}` };
    expectProblem(await send(`${pillion.origin}/key/x`, { headers: data }), 403, "HOST_NOT_ALLOWED");
  });

  it("a page that a person opens may come from elsewhere where nothing is injected", async () => {
    const headers = {
      "Sec-Fetch-Site": "cross-site",
      "Sec-Fetch-Mode": "navigate",
      "Sec-Fetch-Dest": "document",
    };
    expect((await send(`${pillion.origin}/plain/x`, { headers })).status).toBe(200);
    expectProblem(await send(`${pillion.origin}/key/x`, { headers }), 403, "ORIGIN_NOT_ALLOWED");
  });

  it("a listed origin gets CORS answers for itself, and the upstream's own are removed", async () => {
    upstream.respond((_request, response) => {
      response.writeHead(200, {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Credentials": "true",
      });
      response.end();
    });
    const listed = { Origin: "https://app.example", "Sec-Fetch-Site": "cross-site" };
    const granted = await send(`${pillion.origin}/key/x`, { headers: listed });
    expect(granted.status).toBe(200);
    expect(granted.headers["access-control-allow-origin"]).toBe("https://app.example");
    expect(granted.headers["access-control-allow-credentials"]).toBeUndefined();

    const before = upstream.requests.length;
    const preflight = await send(`${pillion.origin}/key/x`, {
      method: "OPTIONS",
      headers: { ...listed, "Access-Control-Request-Method": "PUT" },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers["access-control-allow-origin"]).toBe("https://app.example");
    expect(preflight.headers["access-control-allow-methods"]).toContain("PUT");
    expect(upstream.requests.length).toBe(before);

    const plain = await send(`${pillion.origin}/key/x`);
    expect(plain.headers["access-control-allow-origin"]).toBeUndefined();
  });
});

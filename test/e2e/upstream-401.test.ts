import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { granted, type ScriptedTokenEndpoint, startTokenEndpoint } from "../support/token-endpoint.ts";
import { type Reply, send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import { type Serving, serve } from "./support/serve.ts";
import { answerOk, startUpstream, type Upstream } from "./support/upstream.ts";

describe("an upstream that answers 401", () => {
  let tokenEndpoint: ScriptedTokenEndpoint;
  let upstream: Upstream;
  let pillion: Serving;
  beforeEach(async () => {
    tokenEndpoint = await startTokenEndpoint();
    tokenEndpoint.answer(granted());
    upstream = await startUpstream();
    const common = `credential: billing, upstream: "${upstream.origin}/"`;
    pillion = await serve(
      `credentials:
  billing: { provider: oauth2, token_url: "${tokenEndpoint.url}", client_id: c, client_secret: { env: SECRET } }
routes:
  - { name: safe, path: /safe/, ${common} }
  - { name: buffered, path: /buffered/, ${common}, replay_on_401: buffered, max_replay_body: 1KiB }
  - { name: off, path: /off/, ${common}, replay_on_401: off }
`,
      { env: { SECRET: "fake-secret" } },
    );
    upstream.respond((request, response) => {
      if (request.headers.authorization !== "Bearer token-1") return answerOk(request, response);
      response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"' });
      response.end("revoked");
    });
  });
  afterEach(async () => {
    await pillion.stop();
    await upstream.close();
    await tokenEndpoint.close();
  });

  const bearers = (): unknown[] => upstream.requests.map(({ headers }) => headers.authorization);

  it("gets a safe request once more, with a new token, and the caller sees that answer alone", async () => {
    const reply = await send(`${pillion.origin}/safe/x`);
    expect(reply.status).toBe(200);
    expect(bearers()).toEqual(["Bearer token-1", "Bearer token-2"]);
    expect(tokenEndpoint.requests).toHaveLength(2);
    const metrics = await scrape(pillion.adminOrigin);
    expect(metrics.total("pillion_upstream_401_total", { route: "safe", action: "replayed" })).toBe(1);
  });

  it("gets 20 concurrent requests once more for one forced refresh", async () => {
    const replies = await Promise.all(Array.from({ length: 20 }, () => send(`${pillion.origin}/safe/x`)));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    expect(tokenEndpoint.requests).toHaveLength(2);
  });

  it("keeps a body that is not to be repeated to one try, and the next request has a new token", async () => {
    const reply = await send(`${pillion.origin}/safe/x`, { method: "POST", body: "{}" });
    expect(reply.status).toBe(401);
    expect(reply.text).toBe("revoked");
    expect(reply.headers["www-authenticate"]).toBe('Bearer error="invalid_token"');
    expect(reply.headers["proxy-status"]).toBeUndefined();
    expect((await send(`${pillion.origin}/safe/x`)).status).toBe(200);
    expect(bearers()).toEqual(["Bearer token-1", "Bearer token-2"]);
  });

  it("gets a small body once more where the route keeps it, byte for byte", async () => {
    const reply = await send(`${pillion.origin}/buffered/x`, { method: "POST", body: "a=1&b=%7C" });
    expect(reply.status).toBe(200);
    expect(upstream.requests.map(({ body }) => body.toString())).toEqual(["a=1&b=%7C", "a=1&b=%7C"]);
  });

  it("gets a body that is larger than the route keeps only once", async () => {
    const body = "x".repeat(2_000);
    const reply = await send(`${pillion.origin}/buffered/x`, { method: "POST", body });
    expect(reply.status).toBe(401);
    expect(upstream.requests).toHaveLength(1);
  });

  it("is passed on where replay is off", async () => {
    expect((await send(`${pillion.origin}/off/x`)).status).toBe(401);
    expect(upstream.requests).toHaveLength(1);
  });

  it("again and again causes one forced refresh in 10 seconds, and is passed on", async () => {
    upstream.respond((_request, response) => response.writeHead(401).end("never"));
    const replies: Reply[] = [];
    for (let count = 0; count < 10; count += 1) replies.push(await send(`${pillion.origin}/safe/x`));
    expect(replies.map(({ status, text }) => `${status} ${text}`)).toEqual(replies.map(() => "401 never"));
    expect(tokenEndpoint.requests).toHaveLength(2);
  });

  it("is not what 403 is: that means scope or policy, and the token stays", async () => {
    upstream.respond((_request, response) => response.writeHead(403).end("no"));
    expect((await send(`${pillion.origin}/safe/x`)).status).toBe(403);
    expect(upstream.requests).toHaveLength(1);
    expect(tokenEndpoint.requests).toHaveLength(1);
  });
});

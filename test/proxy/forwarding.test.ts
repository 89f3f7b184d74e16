import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aCredential, aRoute, type RunningProxy, startProxy } from "../support/proxy-harness.ts";
import { fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { readBody, startUpstream, type Upstream } from "../support/upstream.ts";

describe("a request goes on with a token", () => {
  let upstream: Upstream;
  let proxy: RunningProxy;
  beforeAll(async () => {
    upstream = await startUpstream(async (request, response) => {
      const body = await readBody(request);
      response.writeHead(200, { "content-type": "text/plain", "x-answer": "yes" });
      response.end(`${request.method} ${request.url} ${body}`);
    });
    proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, credential: aCredential() })],
    });
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  it("which is the proxy's, and the only one", async () => {
    const answer = await roundTrip(
      proxy.port,
      head("GET /api/things?a=%7C", "Authorization: Bearer evil", "AUTHORIZATION: Basic ZXZpbA=="),
    );
    expect(answer.status).toBe(200);
    expect(answer.body).toBe("GET /things?a=%7C ");
    const seen = upstream.requests.at(-1);
    expect(fieldValues(seen?.headers ?? [], "authorization")).toEqual(["Bearer token-app"]);
    expect(fieldValues(seen?.headers ?? [], "host")).toEqual([upstream.origin.host]);
    expect(fieldValues(seen?.headers ?? [], "via")).toEqual(["1.1 pillion"]);
  });

  it("and the upstream's answer bears no mark of the proxy's own errors", async () => {
    const answer = await roundTrip(proxy.port, head("GET /api/things"));
    expect(answer.field("proxy-status")).toBeUndefined();
    expect(answer.field("content-type")).toBe("text/plain");
    expect(answer.field("x-answer")).toBe("yes");
  });
});

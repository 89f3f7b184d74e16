import { once } from "node:events";
import { describe, expect, it } from "vitest";
import {
  aCredential,
  aRoute,
  createScriptedSource,
  eventually,
  startProxy,
} from "../support/proxy-harness.ts";
import { connectRaw, head } from "../support/raw-client.ts";
import { startUpstream } from "../support/upstream.ts";

/** Longer than the proxy waits before it looks whether the caller is still there, twice. */
const SLOW_MS = 900;
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("U10 a caller that shuts only its sending side gets its whole answer", () => {
  it("from an upstream that takes its time, behind an interim answer", async () => {
    await using upstream = await startUpstream((_request, response) => {
      setTimeout(() => response.end("late"), SLOW_MS);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.socket.end(head("GET /api/a"));
    const statuses: number[] = [];
    let answer = await client.answer();
    for (; answer.status < 200; answer = await client.answer()) statuses.push(answer.status);
    expect(new Set(statuses)).toEqual(new Set([102]));
    expect([answer.status, answer.body]).toEqual([200, "late"]);
    await client.closed();
  });

  it("while its token is fetched", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    const source = createScriptedSource(() => after(SLOW_MS).then(() => "late"));
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, credential: aCredential() })],
      source: () => source,
    });
    const client = await connectRaw(proxy.port);
    client.socket.end(head("GET /api/a"));
    let answer = await client.answer();
    while (answer.status < 200) answer = await client.answer();
    expect(answer.status).toBe(200);
  });

  it("with an upload before it", async () => {
    await using upstream = await startUpstream(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      setTimeout(() => response.end(body), SLOW_MS);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.socket.end(`${head("POST /api/a", "Content-Length: 4")}body`);
    let answer = await client.answer();
    while (answer.status < 200) answer = await client.answer();
    expect(answer.body).toBe("body");
  });

  it("in chunks that pause, the body unchanged", async () => {
    await using upstream = await startUpstream((_request, response) => {
      response.write("first ");
      setTimeout(() => response.write("second "), SLOW_MS);
      setTimeout(() => response.end(), 2 * SLOW_MS);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.socket.end(head("GET /api/a"));
    expect((await client.answer()).body).toBe("first second ");
    expect(client.buffered()).toBe("");
  });

  it("and those of all its pipelined requests", async () => {
    await using upstream = await startUpstream(({ url }, response) => {
      setTimeout(() => response.end(url), SLOW_MS);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.socket.end(head("GET /api/1") + head("GET /api/2") + head("GET /api/3"));
    const bodies: string[] = [];
    while (bodies.length < 3) {
      const { status, body } = await client.answer();
      if (status === 200) bodies.push(body);
    }
    expect(bodies).toEqual(["/1", "/2", "/3"]);
  });

  it("without interim answers where it speaks HTTP/1.0", async () => {
    await using upstream = await startUpstream((_request, response) => {
      setTimeout(() => response.end("late"), SLOW_MS);
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.socket.end("GET /api/a HTTP/1.0\r\nHost: localhost\r\n\r\n");
    await client.closed();
    expect(client.buffered()).toMatch(/^HTTP\/1\.1 200 [\s\S]*\r\n\r\nlate$/);
  });
});

describe("a caller that closed its connection altogether is told from one that half-closed", () => {
  it.each<[string, string | undefined]>([
    ["before the upstream's head", undefined],
    ["in the middle of chunks", "chunked"],
    ["in the middle of a body with a length", "length"],
  ])("%s: the upstream is free within a second", async (_when, framing) => {
    await using upstream = await startUpstream((_request, response) => {
      if (framing === undefined) return;
      response.writeHead(200, framing === "length" ? { "content-length": 10 } : {});
      response.write("half");
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    if (framing === undefined) await eventually(() => upstream.requests.length === 1);
    else await eventually(() => client.buffered().includes("half"));
    const leftAtMs = performance.now();
    client.socket.destroy();
    await once(client.socket, "close");
    await upstream.idle();
    expect(performance.now() - leftAtMs).toBeLessThan(1_000);
  });
});

/**
 * Faults of upstreams, seen from the caller. What more there is of a row lies elsewhere:
 *
 * - U02, U04: test/proxy/upstream-failures.test.ts
 * - U05: test/proxy/interim-answers.test.ts
 * - U08, U09: test/proxy/framing.test.ts
 * - U11 (checksums, backpressure): test/proxy/streaming.test.ts; resident memory: bench/memory.ts
 * - U12: test/transport/upstream-connections.test.ts
 */
import type { Socket } from "node:net";
import { describe, expect, it } from "vitest";
import type { Route } from "../../src/config/config.ts";
import { aCredential, aRoute, eventually, type RouteOptions, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { startRawUpstream, startUpstream } from "../support/upstream.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** The same upstream behind a route that injects nothing, one that injects, and one of a tenant. */
const routesTo = (upstream: URL, options: Partial<RouteOptions> = {}): readonly Route[] => [
  aRoute({ ...options, upstream, name: "none", path: "/none/" }),
  aRoute({ ...options, upstream, name: "app", path: "/app/", credential: aCredential() }),
  aRoute({
    ...options,
    upstream,
    name: "tenant",
    path: "/t/{tenant}/",
    credential: aCredential({ tenants: ["isb"] }),
  }),
];
const PATHS = ["/none/a", "/app/a", "/t/isb/a"];

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

describe("U01: an answer that the upstream breaks off", () => {
  const halves: readonly (readonly [string, string, (socket: Socket) => void])[] = [
    ["RST mid-chunk", "transfer-encoding: chunked\r\n\r\n8\r\nhalf", (socket) => socket.resetAndDestroy()],
    [
      "RST between chunks",
      "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
      (socket) => socket.resetAndDestroy(),
    ],
    ["FIN short of Content-Length", "content-length: 100\r\n\r\nhalf", (socket) => socket.end()],
    ["FIN without a last chunk", "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", (socket) => socket.end()],
  ];
  it.each(halves)(
    "U01: is broken off for the caller within 100 ms, unterminated: %s",
    async (_name, bytes, cut) => {
      const cuts: (() => void)[] = [];
      await using upstream = await startRawUpstream((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n${bytes}`);
        cuts.push(() => cut(socket));
      });
      await using proxy = await startProxy({ routes: routesTo(upstream.origin) });
      const delaysMs: number[] = [];
      for (const path of [...PATHS, ...PATHS]) {
        const client = await connectRaw(proxy.port);
        client.send(head(`GET ${path}`));
        await eventually(() => client.buffered().includes("\r\n\r\n"));
        const cutAtMs = performance.now();
        cuts.pop()?.();
        await client.closed();
        delaysMs.push(performance.now() - cutAtMs);
        expect(client.buffered()).not.toMatch(/0\r\n\r\n$/);
        expect(client.buffered()).not.toMatch(/content-length: 4\b/i);
        client.socket.destroy();
      }
      expect(median(delaysMs)).toBeLessThan(100);
      await upstream.idle();
    },
  );
});

describe("U02: a connection that breaks before any byte of the answer", () => {
  it.each(["reset", "end"] as const)("U02: on a fresh socket: 502, one attempt (%s)", async (how) => {
    const requests: string[] = [];
    await using upstream = await startRawUpstream((socket, text) => {
      requests.push(text.split("\r\n", 1)[0] ?? "");
      if (how === "reset") socket.resetAndDestroy();
      else socket.end();
    });
    await using proxy = await startProxy({ routes: routesTo(upstream.origin) });
    for (const path of PATHS) {
      const answer = await roundTrip(proxy.port, head(`GET ${path}`));
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "UPSTREAM_UNREACHABLE"]);
    }
    expect(requests).toEqual(PATHS.map(() => "GET /a HTTP/1.1"));
  });

  it("U02: 500 kept sockets closed under a request cost no 502, and nothing is served twice", async () => {
    /** Requests that were answered: what an upstream has worked on. */
    const served = new Map<string, number>();
    let stale = 0;
    await using upstream = await startRawUpstream((socket, text) => {
      const id = /^GET \/(\d+) /.exec(text)?.[1] ?? "";
      // Every socket is closed while its second request is on its way: by FIN or by RST, read or not.
      if (socket.listenerCount("used") > 0) {
        stale += 1;
        if (stale % 2 === 0) socket.resetAndDestroy();
        else socket.end();
        return;
      }
      socket.once("used", () => {});
      served.set(id, (served.get(id) ?? 0) + 1);
      socket.write(OK);
      // And every fifth for being idle, at the very moment at which its next request may come.
      if (Number(id) % 5 === 0) setImmediate(() => socket.end());
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const statuses = new Map<number, number>();
    let next = 0;
    const client = async (): Promise<void> => {
      const connection = await connectRaw(proxy.port);
      while (next < 1_200) {
        connection.send(head(`GET /api/${next++}`));
        const { status } = await connection.answer();
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
      connection.socket.destroy();
    };
    await Promise.all(Array.from({ length: 8 }, client));
    expect(Object.fromEntries(statuses)).toEqual({ 200: 1_200 });
    expect(served.size).toBe(1_200);
    expect(Math.max(...served.values())).toBe(1);
    expect(stale).toBeGreaterThan(500);
  });

  it("U02: an upstream that restarts closes all kept sockets at once, and nobody notices", async () => {
    let used = new WeakSet<Socket>();
    await using upstream = await startRawUpstream((socket, _text) => {
      if (used.has(socket)) socket.resetAndDestroy();
      else {
        used.add(socket);
        setTimeout(() => socket.write(OK), 5);
      }
    });
    await using proxy = await startProxy({ routes: [aRoute({ upstream: upstream.origin })] });
    const five = () => Promise.all([1, 2, 3, 4, 5].map(() => roundTrip(proxy.port, head("GET /api/a"))));
    expect((await five()).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(upstream.sockets.size).toBe(5);
    // One after the other: each of these may meet every dead socket that is left.
    for (let count = 0; count < 3; count += 1)
      expect((await roundTrip(proxy.port, head("GET /api/a"))).status).toBe(200);
    used = new WeakSet();
  });

  it.each([
    ["a POST", head("POST /app/a")],
    ["a POST with a body", `${head("POST /app/a", "Content-Length: 2")}{}`],
    ["a PATCH", head("PATCH /app/a")],
    ["a PUT with a body", `${head("PUT /app/a", "Transfer-Encoding: chunked")}2\r\n{}\r\n0\r\n\r\n`],
  ])("U02: %s that an upstream has taken is never sent again", async (_name, request) => {
    const taken: string[] = [];
    await using upstream = await startRawUpstream((socket, text) => {
      if (text.startsWith("GET ")) {
        socket.write(OK);
        return;
      }
      taken.push(text);
      setImmediate(() => socket.resetAndDestroy());
    });
    await using proxy = await startProxy({ routes: routesTo(upstream.origin) });
    const methods = (): number => taken.filter((text) => /^(POST|PUT|PATCH) /.test(text)).length;
    for (let count = 1; count <= 10; count += 1) {
      expect((await roundTrip(proxy.port, head("GET /app/a"))).status).toBe(200);
      expect((await roundTrip(proxy.port, request)).status).toBe(502);
      expect(methods()).toBe(count);
    }
  });
});

describe("U04: an upstream that says nothing", () => {
  const timeouts = { connectMs: 500, headersMs: 500, idleMs: 60_000 };
  it.each([
    ["does not finish the connection", "https", "connection_timeout"],
    ["sends no header", "http", "http_response_timeout"],
  ])("U04: %s: 504 at the deadline, on every kind of route", async (_name, scheme, error) => {
    await using upstream = await startRawUpstream(() => {});
    const origin = new URL(`${scheme}://127.0.0.1:${upstream.origin.port}/`);
    await using proxy = await startProxy({ routes: routesTo(origin, { timeouts }) });
    const startedAtMs = performance.now();
    const answers = await Promise.all(PATHS.map((path) => roundTrip(proxy.port, head(`GET ${path}`))));
    const waitedMs = performance.now() - startedAtMs;
    for (const answer of answers) {
      expect([answer.status, JSON.parse(answer.body).code]).toEqual([504, "UPSTREAM_TIMEOUT"]);
      expect(answer.field("proxy-status")).toContain(`error=${error}`);
    }
    expect(waitedMs).toBeGreaterThanOrEqual(450);
    expect(waitedMs).toBeLessThan(3_000);
    await upstream.idle();
  });
});

describe("U11: an event stream", () => {
  it("U11: brings each event to the caller within 50 ms", async () => {
    let emit = (_text: string): void => {};
    await using upstream = await startUpstream((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.flushHeaders();
      emit = (text) => void response.write(text);
    });
    await using proxy = await startProxy({ routes: routesTo(upstream.origin) });
    const delaysMs: number[] = [];
    for (const path of PATHS) {
      const client = await connectRaw(proxy.port);
      client.send(head(`GET ${path}`));
      await eventually(() => client.buffered().includes("text/event-stream"));
      for (let event = 0; event < 20; event += 1) {
        const sentAtMs = performance.now();
        emit(`id: ${event}\ndata: x\n\n`);
        while (!client.buffered().includes(`id: ${event}\n`))
          await new Promise((resolve) => client.socket.once("data", resolve));
        delaysMs.push(performance.now() - sentAtMs);
      }
      client.socket.destroy();
    }
    expect(median(delaysMs)).toBeLessThan(50);
    expect(delaysMs).toHaveLength(60);
    await upstream.idle();
  });
});

import type { ServerResponse } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { describe, expect, it } from "vitest";
import type { VisitorTokenSource } from "../../src/session/sessions.ts";
import {
  type AgingSource,
  createAgingSource,
  createHeldAnswers,
  createTurnableClock,
  LIFETIME_MS,
  RENEWALS,
  startAging,
  started,
  startGate,
  tokensOf,
} from "../support/aging-tokens.ts";
import { createHttp2Routes } from "../support/http2-routes.ts";
import { startHttp2Upstream } from "../support/http2-upstream.ts";
import { aCredential, aVisitorCredential, eventually, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head, roundTrip } from "../support/raw-client.ts";
import { aSessionId, createScriptedSessions } from "../support/scripted-sessions.ts";
import { readBody, startRawUpstream, startUpstream } from "../support/upstream.ts";
import { HANDSHAKE, startWebSocketUpstream } from "../support/websocket-upstream.ts";

const { http2Route, pem, tls } = createHttp2Routes();

/** Every way to ask whose head may have to wait. */
const REQUESTS: readonly (readonly [string, string])[] = [
  ["a GET", head("GET /api/a", "Connection: close")],
  ["a POST with its body", `${head("POST /api/a", "Connection: close", "Content-Length: 4")}body`],
  [
    "a body in chunks",
    `${head("POST /api/a", "Connection: close", "Transfer-Encoding: chunked")}4\r\nbody\r\n0\r\n\r\n`,
  ],
  ["a handshake", head("GET /api/a", ...HANDSHAKE)],
];

describe.each(RENEWALS)(
  "a token that expires while its request waits, where a newer one %s",
  (_what, renew) => {
    it.each(REQUESTS)("for a socket: %s goes out with the newer one", async (_request, bytes) => {
      const held = createHeldAnswers();
      await using upstream = await startWebSocketUpstream({ onRequest: held.answer });
      const { proxy, clock, source } = await startAging(upstream.origin);
      await using _ = proxy;
      source.renew = renew;
      const first = await connectRaw(proxy.port);
      first.send(head("GET /api/hold"));
      await eventually(() => held.heads.length === 1);
      const second = await connectRaw(proxy.port);
      second.send(bytes);
      await eventually(() => started(proxy) === 2);
      clock.turn(LIFETIME_MS);
      held.letGo();
      expect((await second.answer()).status).toBeLessThan(300);
      const sent = [...held.heads, ...upstream.handshakes.map(({ headers }) => headers)].slice(1);
      expect(sent.map(tokensOf)).toEqual([["Bearer token-2"]]);
      expect(source.asked).toEqual([undefined, undefined, "Bearer token-1"]);
      for (const { socket } of [first, second]) socket.destroy();
    });

    it("for a socket: a whole queue of them goes out with the newer one", async () => {
      const held = createHeldAnswers();
      await using upstream = await startUpstream(held.answer);
      const { proxy, clock, source } = await startAging(upstream.origin);
      await using _ = proxy;
      source.renew = renew;
      const clients = await Promise.all([0, 1, 2, 3, 4].map(() => connectRaw(proxy.port)));
      for (const [index, client] of clients.entries()) {
        client.send(head(`GET /api/${index === 0 ? "hold" : index}`));
        await eventually(() => started(proxy) === index + 1);
      }
      await eventually(() => held.heads.length === 1);
      clock.turn(LIFETIME_MS);
      held.letGo();
      for (const client of clients) expect((await client.answer()).status).toBe(200);
      expect(new Set(upstream.requests.map(({ url }) => url)).size).toBe(5);
      expect(upstream.requests.slice(1).flatMap(({ headers }) => tokensOf(headers))).toEqual(
        Array.from({ length: 4 }, () => "Bearer token-2"),
      );
      for (const { socket } of clients) socket.destroy();
    });

    it("for a socket: each tenant's goes out with its own", async () => {
      const held = createHeldAnswers();
      await using upstream = await startUpstream(held.answer);
      const { proxy, clock, sources } = await startAging(upstream.origin, {
        path: "/api/{tenant}/",
        credential: aCredential({ tenants: ["a", "b"] }),
      });
      await using _ = proxy;
      const clients = await Promise.all([0, 1, 2, 3].map(() => connectRaw(proxy.port)));
      for (const [index, client] of clients.entries()) {
        client.send(head(`GET /api/${index % 2 === 0 ? "a" : "b"}/${index < 2 ? "hold" : "x"}`));
        await eventually(() => started(proxy) === index + 1);
      }
      await eventually(() => held.heads.length === 2);
      for (const source of sources.values()) source.renew = renew;
      clock.turn(LIFETIME_MS);
      held.letGo();
      for (const client of clients) expect((await client.answer()).status).toBe(200);
      expect([...sources.values()].map(({ asked }) => asked)).toEqual([
        [undefined, undefined, "Bearer token-1"],
        [undefined, undefined, "Bearer token-1"],
      ]);
      expect(upstream.requests.slice(2).flatMap(({ headers }) => tokensOf(headers))).toEqual([
        "Bearer token-2",
        "Bearer token-2",
      ]);
      for (const { socket } of clients) socket.destroy();
    });

    it("for a socket: a user's goes out with that user's", async () => {
      const held = createHeldAnswers();
      await using upstream = await startUpstream(held.answer);
      const users = new Map<string | undefined, VisitorTokenSource>();
      const { proxy, clock } = await startAging(
        upstream.origin,
        { credential: aVisitorCredential("user") },
        {
          sessions: {
            ...createScriptedSessions(),
            source: (_credential, id) => users.get(id) as VisitorTokenSource,
          },
        },
      );
      await using _ = proxy;
      const asked: AgingSource[] = [];
      for (const name of ["one", "two"]) {
        const source = createAgingSource(clock);
        source.renew = renew;
        asked.push(source);
        users.set(aSessionId(name), Object.assign(source, { created: undefined }));
      }
      const clients = await Promise.all([0, 1].map(() => connectRaw(proxy.port)));
      clients[0]?.send(head("GET /api/hold", `Pillion-Session: ${aSessionId("one")}`));
      await eventually(() => held.heads.length === 1);
      clients[1]?.send(head("GET /api/a", `Pillion-Session: ${aSessionId("two")}`));
      await eventually(() => started(proxy) === 2);
      clock.turn(LIFETIME_MS);
      held.letGo();
      for (const client of clients) expect((await client.answer()).status).toBe(200);
      expect(asked.map((source) => source.asked)).toEqual([[undefined], [undefined, "Bearer token-1"]]);
      expect(tokensOf(upstream.requests[1]?.headers ?? [])).toEqual(["Bearer token-2"]);
      for (const { socket } of clients) socket.destroy();
    });

    it.each([
      ...REQUESTS,
      [
        "one whose caller waits for 100 Continue",
        `${head("POST /api/a", "Connection: close", "Expect: 100-continue", "Content-Length: 4")}body`,
      ],
    ] as const)("for TLS: %s goes out with the newer one", async (_request, bytes) => {
      const held = createHeldAnswers();
      await using upstream = await startWebSocketUpstream({ onRequest: held.answer, tls: pem });
      await using gate = await startGate(upstream.origin);
      const { proxy, clock, source } = await startAging(gate.origin, {
        connection: { tls, httpProxy: undefined },
      });
      await using _ = proxy;
      source.renew = renew;
      const client = await connectRaw(proxy.port);
      client.send(bytes);
      await eventually(() => gate.waiting() === 1);
      clock.turn(LIFETIME_MS);
      gate.open();
      let { status } = await client.answer();
      while (status === 100) status = (await client.answer()).status;
      expect(status).toBeLessThan(300);
      const sent = [...held.heads, ...upstream.handshakes.map(({ headers }) => headers)];
      expect(sent.map(tokensOf)).toEqual([["Bearer token-2"]]);
      expect(source.asked).toEqual([undefined, "Bearer token-1"]);
      client.socket.destroy();
    });

    it("for HTTP/2: both for its connection and for a stream", async () => {
      const streams: ServerHttp2Stream[] = [];
      await using upstream = await startHttp2Upstream(
        { ...pem, settings: { maxConcurrentStreams: 1 } },
        (stream) => void streams.push(stream),
      );
      await using gate = await startGate(upstream.origin);
      const clock = createTurnableClock();
      const source = createAgingSource(clock);
      source.renew = renew;
      await using proxy = await startProxy({
        routes: [http2Route(gate.origin, { credential: aCredential(), connections: 1 })],
        source: () => source,
        clock,
      });
      const clients = await Promise.all([0, 1].map(() => connectRaw(proxy.port)));
      clients[0]?.send(head("GET /api/a"));
      await eventually(() => gate.waiting() === 1);
      clock.turn(LIFETIME_MS);
      gate.open();
      await eventually(() => streams.length === 1);
      clients[1]?.send(head("GET /api/b"));
      await eventually(() => started(proxy) === 2);
      clock.turn(LIFETIME_MS);
      streams[0]?.respond({ ":status": 200 }, { endStream: true });
      await eventually(() => streams.length === 2);
      streams[1]?.respond({ ":status": 200 }, { endStream: true });
      for (const client of clients) expect((await client.answer()).status).toBe(200);
      expect(upstream.requests.map(({ authorization }) => authorization)).toEqual([
        "Bearer token-2",
        "Bearer token-3",
      ]);
      for (const { socket } of clients) socket.destroy();
    });

    it("for HTTP/2: a stream that the peer did not take is sent again with the newer one", async () => {
      const { promise: turned, resolve: turn } = Promise.withResolvers<void>();
      await using upstream = await startHttp2Upstream(pem, (stream, headers) => {
        if (headers.authorization === "Bearer token-1") void turned.then(() => stream.close(7));
        else stream.respond({ ":status": 200 }, { endStream: true });
      });
      const clock = createTurnableClock();
      const source = createAgingSource(clock);
      source.renew = renew;
      await using proxy = await startProxy({
        routes: [http2Route(upstream.origin, { credential: aCredential() })],
        source: () => source,
        clock,
      });
      const client = await connectRaw(proxy.port);
      client.send(head("GET /api/a"));
      await eventually(() => upstream.requests.length === 1);
      clock.turn(LIFETIME_MS);
      turn();
      expect((await client.answer()).status).toBe(200);
      expect(upstream.requests.map(({ authorization }) => authorization)).toEqual([
        "Bearer token-1",
        "Bearer token-2",
      ]);
      client.socket.destroy();
    });

    it.each(["Content-Length: 4", "Transfer-Encoding: chunked"])(
      "for the first of its body (%s)",
      async (framing) => {
        const bodies: string[] = [];
        await using upstream = await startUpstream(async (request, response) => {
          bodies.push(await readBody(request));
          response.end("served");
        });
        const { proxy, clock, source } = await startAging(upstream.origin);
        await using _ = proxy;
        source.renew = renew;
        const client = await connectRaw(proxy.port);
        client.send(head("POST /api/a", framing));
        await eventually(() => started(proxy) === 1);
        clock.turn(LIFETIME_MS);
        client.send(framing.startsWith("T") ? "4\r\nbody\r\n0\r\n\r\n" : "body");
        expect((await client.answer()).body).toBe("served");
        expect([bodies, upstream.requests.map(({ headers }) => tokensOf(headers))]).toEqual([
          ["body"],
          [["Bearer token-2"]],
        ]);
        client.socket.destroy();
      },
    );

    it("for an answer on a kept connection that is lost: the retry goes out with the newer one", async () => {
      const arrived: string[] = [];
      let lose = (): void => {};
      await using upstream = await startRawUpstream((socket, text) => {
        arrived.push(...tokensIn(text));
        if (text.includes("/lost") && arrived.length === 2) lose = () => void socket.resetAndDestroy();
        else socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      });
      const { proxy, clock, source } = await startAging(upstream.origin);
      await using _ = proxy;
      source.renew = renew;
      await roundTrip(proxy.port, head("GET /api/a"));
      const client = await connectRaw(proxy.port);
      client.send(head("GET /api/lost"));
      await eventually(() => arrived.length === 2);
      clock.turn(LIFETIME_MS);
      lose();
      expect((await client.answer()).status).toBe(200);
      expect(arrived).toEqual(["Bearer token-1", "Bearer token-1", "Bearer token-2"]);
      // Both were sent: each counts.
      expect(source.asked).toEqual([undefined, undefined, undefined]);
      client.socket.destroy();
    });

    it("for its replay after a 401", async () => {
      const refused: ServerResponse[] = [];
      await using upstream = await startUpstream((request, response) => {
        if (request.headers.authorization !== "Bearer token-1") response.end("served");
        else {
          response.writeHead(401, { "content-length": 2 }).flushHeaders();
          refused.push(response);
        }
      });
      const { proxy, clock, source } = await startAging(upstream.origin);
      await using _ = proxy;
      source.renew = renew;
      const client = await connectRaw(proxy.port);
      client.send(head("GET /api/a"));
      await eventually(() => proxy.told.events.includes("unauthorized api replayed"));
      clock.turn(LIFETIME_MS);
      refused[0]?.end("no");
      expect((await client.answer()).body).toBe("served");
      expect(upstream.requests.flatMap(({ headers }) => tokensOf(headers))).toEqual([
        "Bearer token-1",
        "Bearer token-3",
      ]);
      client.socket.destroy();
    });
  },
);

function tokensIn(text: string): string[] {
  return [...text.matchAll(/^authorization: (.*)\r$/gim)].map(([, value]) => value ?? "");
}

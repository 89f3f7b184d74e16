import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import {
  aCredential,
  aRoute,
  createScriptedSource,
  eventually,
  type RouteOptions,
  type RunningProxy,
  type ScriptedSource,
  startProxy,
} from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, roundTrip } from "../support/raw-client.ts";
import { closedPort, startRawUpstream, type Upstream } from "../support/upstream.ts";
import {
  HANDSHAKE,
  startWebSocketUpstream,
  switching,
  type WebSocketUpstream,
} from "../support/websocket-upstream.ts";

describe("an upstream that does not agree to an upgrade", () => {
  let upstream: WebSocketUpstream | Omit<Upstream, "requests">;
  let proxy: RunningProxy;
  let source: ScriptedSource;
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  async function start(route: Partial<RouteOptions> = {}): Promise<void> {
    source = createScriptedSource("old");
    proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, upgrade: true, credential: aCredential(), ...route })],
      source: () => source,
    });
  }

  async function startRefusing(answer: string, route: Partial<RouteOptions> = {}): Promise<void> {
    upstream = await startRawUpstream((socket) => void socket.end(answer, "latin1"));
    await start(route);
  }

  it("is passed on: status, fields and body, and the connection ends", async () => {
    await startRefusing(
      "HTTP/1.1 403 Forbidden\r\nX-Why: no\r\ncontent-length: 6\r\nUpgrade: websocket\r\n\r\nnot so",
    );
    const client = await connectRaw(proxy.port);
    client.send(`${head("GET /api/chat", ...HANDSHAKE)}${head("GET /api/b")}`);
    const answer = await client.answer();
    expect({ status: answer.status, why: answer.field("x-why"), body: answer.body }).toEqual({
      status: 403,
      why: "no",
      body: "not so",
    });
    expect(answer.field("connection")).toBe("close");
    expect(answer.field("proxy-status")).toBeUndefined();
    await client.closed();
    expect(client.buffered()).toBe("");
    await eventually(() => proxy.told.events.includes("finished api GET 403"));
  });

  it("is passed on with a large body, as fast as the caller reads it", async () => {
    const body = "0123456789abcdef".repeat(2_097_152);
    upstream = await startWebSocketUpstream({
      onHandshake: (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`);
        socket.write(body);
      },
    });
    await start();
    const client = connect({ port: proxy.port, host: "127.0.0.1" });
    client.write(head("GET /api/chat", ...HANDSHAKE), "latin1");
    const chunks: Buffer[] = [];
    client.on("data", (bytes: Buffer) => {
      // A pause, until everything in between is full.
      if (chunks.push(bytes) === 1) setTimeout(() => client.resume(), 100);
      if (chunks.length === 1) client.pause();
    });
    await once(client, "close");
    const [answerHead = "", answerBody] = Buffer.concat(chunks).toString("latin1").split("\r\n\r\n");
    expect(answerHead).toMatch(/^HTTP\/1\.1 200 /);
    expect(answerBody === body).toBe(true);
  });

  it("with a 401 is asked once more, with a newer token", async () => {
    upstream = await startWebSocketUpstream({
      onHandshake(socket, request) {
        if (request.headers.authorization === "Bearer new") socket.write(switching(request));
        else socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 7\r\n\r\nexpired");
      },
    });
    await start();
    source.renew = () => "new";
    const client = await connectRaw(proxy.port);
    client.send(`${head("GET /api/chat", ...HANDSHAKE)}`);
    expect((await client.answer()).status).toBe(101);
    const { handshakes } = upstream as WebSocketUpstream;
    expect(handshakes.map(({ headers }) => fieldValues(headers, "authorization"))).toEqual([
      ["Bearer old"],
      ["Bearer new"],
    ]);
    expect(handshakes.map(({ headers }) => fieldValues(headers, "upgrade"))).toEqual([
      ["websocket"],
      ["websocket"],
    ]);
    expect(proxy.told.events).toContain("unauthorized api replayed");
    client.socket.destroy();
  });

  it("with a 401 for the newer token too is believed", async () => {
    await startRefusing("HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\nno");
    source.renew = () => "new";
    const answer = await roundTrip(proxy.port, head("GET /api/chat", ...HANDSHAKE));
    expect({ status: answer.status, body: answer.body }).toEqual({ status: 401, body: "no" });
    expect(source.invalidated).toEqual(["Bearer old"]);
  });

  const NOT_ASKED_FOR = /switched to a protocol that was not asked for/;

  it.each([
    [
      "a protocol that was not offered",
      "HTTP/1.1 101 Sure\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
      NOT_ASKED_FOR,
    ],
    [
      "two, of which one was not offered",
      "HTTP/1.1 101 Sure\r\nconnection: upgrade\r\nupgrade: websocket, x\r\n\r\n",
      NOT_ASKED_FOR,
    ],
    ["a 101 that names none", "HTTP/1.1 101 Sure\r\n\r\n", NOT_ASKED_FOR],
    ["a 101 without `Connection: Upgrade`", "HTTP/1.1 101 Sure\r\nupgrade: websocket\r\n\r\n", NOT_ASKED_FOR],
    ["bytes that are no HTTP", "websocket\r\n\r\n", /not valid HTTP/],
  ])("but answers with %s gives 502, and no tunnel", async (_what, bytes, why) => {
    upstream = await startRawUpstream((socket) => void socket.write(bytes));
    await start();
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/chat", ...HANDSHAKE));
    const answer = await client.answer();
    const { code, detail } = JSON.parse(answer.body);
    expect({ status: answer.status, code }).toEqual({ status: 502, code: "UPSTREAM_PROTOCOL_ERROR" });
    expect(detail).toMatch(why);
    await client.closed();
    await (upstream as Upstream).idle();
  });

  it("gives 502 when it cannot be reached, and 504 when it does not answer", async () => {
    upstream = await startRawUpstream(() => {});
    await start({ timeouts: { connectMs: 1_000, headersMs: 200, idleMs: 60_000 } });
    const silent = await roundTrip(proxy.port, head("GET /api/chat", ...HANDSHAKE));
    expect(JSON.parse(silent.body).code).toBe("UPSTREAM_TIMEOUT");
    const nowhere = new URL(`http://127.0.0.1:${await closedPort()}/`);
    proxy.reload([aRoute({ upstream: nowhere, upgrade: true })]);
    const unreachable = await roundTrip(proxy.port, head("GET /api/chat", ...HANDSHAKE));
    expect({ status: unreachable.status, code: JSON.parse(unreachable.body).code }).toEqual({
      status: 502,
      code: "UPSTREAM_UNREACHABLE",
    });
  });
});

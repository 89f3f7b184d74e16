import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import {
  aCredential,
  aRoute,
  createScriptedSource,
  eventually,
  type RunningProxy,
  startProxy,
} from "../support/proxy-harness.ts";
import { connectRaw, fieldValues, head, type RawClient } from "../support/raw-client.ts";
import {
  acceptFor,
  HANDSHAKE,
  KEY,
  startWebSocketUpstream,
  switching,
  textFrame,
  type WebSocketUpstream,
} from "../support/websocket-upstream.ts";

describe("a WebSocket handshake", () => {
  let upstream: WebSocketUpstream;
  let proxy: RunningProxy;
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  async function start(route: Partial<Parameters<typeof aRoute>[0]> = {}): Promise<void> {
    proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, upgrade: true, credential: aCredential(), ...route })],
    });
  }

  it("opens a connection whose frames pass both ways, and is closed as a client closes it", async () => {
    upstream = await startWebSocketUpstream();
    await start();
    const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/api/chat?room=1`);
    await once(client, "open");
    for (const text of ["hello", "x".repeat(100_000), "grüße"]) {
      const answer = once(client, "message");
      client.send(text);
      const [message] = (await answer) as [MessageEvent];
      expect(message.data).toBe(text);
    }
    const closed = once(client, "close");
    client.close(1000, "done");
    const [event] = (await closed) as [CloseEvent];
    expect({ code: event.code, clean: event.wasClean }).toEqual({ code: 1000, clean: true });
    expect(upstream.handshakes.map(({ url }) => url)).toEqual(["/chat?room=1"]);
    await eventually(() => proxy.told.events.includes("finished api GET 101"));
    expect(proxy.told.events).toEqual(["started api", "finished api GET 101"]);
    expect(proxy.told.log.at(-1)?.fields).toMatchObject({
      status: 101,
      outcome: "complete",
      path: "/api/chat",
    });
  });

  it("goes to the upstream with the token and with fields rebuilt as for any request", async () => {
    upstream = await startWebSocketUpstream();
    await start();
    const client = await connectRaw(proxy.port);
    client.send(
      head(
        "GET /api/chat",
        "Connection: keep-alive, Upgrade, X-Hop",
        "X-Hop: 1",
        "Upgrade: websocket",
        `Sec-WebSocket-Key: ${KEY}`,
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "Authorization: Bearer dummy",
        "X-Forwarded-For: 10.0.0.1",
        "Cookie: app=1",
      ),
    );
    const answer = await client.answer();
    expect(answer.status).toBe(101);
    const { headers } = upstream.handshakes[0] ?? { headers: [] };
    expect({
      connection: fieldValues(headers, "connection"),
      upgrade: fieldValues(headers, "upgrade"),
      key: fieldValues(headers, "sec-websocket-key"),
      version: fieldValues(headers, "sec-websocket-version"),
      protocol: fieldValues(headers, "sec-websocket-protocol"),
      extensions: fieldValues(headers, "sec-websocket-extensions"),
      authorization: fieldValues(headers, "authorization"),
      host: fieldValues(headers, "host"),
      via: fieldValues(headers, "via"),
      cookie: fieldValues(headers, "cookie"),
      dropped: [...fieldValues(headers, "x-hop"), ...fieldValues(headers, "x-forwarded-for")],
    }).toEqual({
      connection: ["upgrade"],
      upgrade: ["websocket"],
      key: [KEY],
      version: ["13"],
      protocol: ["chat, superchat"],
      extensions: ["permessage-deflate"],
      authorization: ["Bearer token-app"],
      host: [upstream.origin.host],
      via: ["1.1 pillion"],
      cookie: ["app=1"],
      dropped: [],
    });
    client.socket.destroy();
  });

  it("is answered with the upstream's 101, its connection fields made anew", async () => {
    upstream = await startWebSocketUpstream({
      onHandshake: (socket, request) =>
        void socket.write(
          switching(
            request,
            "Sec-WebSocket-Protocol: chat",
            "Set-Cookie: a=1",
            "Content-Length: 0",
            "Keep-Alive: timeout=5",
            "Access-Control-Allow-Origin: *",
            "Server: hidden",
          ),
        ),
    });
    await start({ responseHeaders: { set: ["X-Set", "1"], remove: new Set(["server"]) } });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/chat", ...HANDSHAKE));
    const answer = await client.answer();
    const names = answer.headers.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    expect({ status: answer.status, reason: answer.reason }).toEqual({
      status: 101,
      reason: "Switching Protocols",
    });
    expect(names.filter((name) => name !== "date").toSorted()).toEqual([
      "connection",
      "sec-websocket-accept",
      "sec-websocket-protocol",
      "set-cookie",
      "upgrade",
      "x-set",
    ]);
    expect(answer.field("connection")?.toLowerCase()).toBe("upgrade");
    expect(answer.field("upgrade")).toBe("websocket");
    expect(answer.field("sec-websocket-accept")).toBe(acceptFor(KEY));
    client.socket.destroy();
  });

  it("loses none of the bytes that come right behind it, on either side", async () => {
    const seen: string[] = [];
    upstream = await startWebSocketUpstream({
      onHandshake(socket, request, early) {
        seen.push(early.toString("latin1"));
        socket.on("data", (bytes: Buffer) => seen.push(bytes.toString("latin1")));
        socket.write(Buffer.concat([Buffer.from(switching(request)), textFrame("first")]));
      },
    });
    await start();
    const client = await connectRaw(proxy.port);
    client.send(`${head("GET /api/chat", ...HANDSHAKE)}early GET /api/b HTTP/1.1\r\n\r\n`);
    expect((await client.answer()).status).toBe(101);
    await eventually(() => client.buffered() === textFrame("first").toString("latin1"));
    await eventually(() => seen.join("") === "early GET /api/b HTTP/1.1\r\n\r\n");
    client.socket.destroy();
  });

  it("waits for the first token", async () => {
    upstream = await startWebSocketUpstream();
    const token = Promise.withResolvers<string>();
    proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, upgrade: true, credential: aCredential() })],
      source: () => createScriptedSource(() => token.promise),
    });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/chat", ...HANDSHAKE));
    await eventually(() => proxy.told.events.includes("started api"));
    expect(upstream.handshakes).toEqual([]);
    token.resolve("late");
    expect((await client.answer()).status).toBe(101);
    expect(fieldValues(upstream.handshakes[0]?.headers ?? [], "authorization")).toEqual(["Bearer late"]);
    client.socket.destroy();
  });

  it("is taken on a connection that served ordinary requests before", async () => {
    upstream = await startWebSocketUpstream({
      onRequest: (_request, response) => void response.end("plain"),
    });
    await start();
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    expect((await client.answer()).body).toBe("plain");
    client.send(head("GET /api/chat", ...HANDSHAKE));
    expect((await client.answer()).status).toBe(101);
    client.socket.destroy();
  });

  it("is taken byte by byte too, and from a Unix socket", async () => {
    upstream = await startWebSocketUpstream();
    const directory = mkdtempSync(join(tmpdir(), "pillion-upgrade-"));
    proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, upgrade: true })],
      listen: { kind: "unix", path: join(directory, "p.sock") },
    });
    const client = await connectRaw(join(directory, "p.sock"));
    for (const byte of head("GET /api/chat", ...HANDSHAKE)) {
      client.send(byte);
      await setImmediate();
    }
    expect((await client.answer()).status).toBe(101);
    client.socket.destroy();
    rmSync(directory, { recursive: true });
  });

  it("is sent again when the kept connection it was sent on was closed just then", async () => {
    upstream = await startWebSocketUpstream({
      onRequest: (_request, response) => void response.end("plain"),
      onHandshake(socket, request) {
        if (upstream.handshakes.length === 1) socket.resetAndDestroy();
        else socket.write(switching(request));
      },
    });
    await start();
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/a"));
    await client.answer();
    client.send(head("GET /api/chat", ...HANDSHAKE));
    expect((await client.answer()).status).toBe(101);
    expect(upstream.handshakes).toHaveLength(2);
    client.socket.destroy();
  });

  it("is served with the access token, which the upstream never sees", async () => {
    upstream = await startWebSocketUpstream();
    proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, upgrade: true })],
      accessToken: new Secret("open sesame"),
    });
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/chat", ...HANDSHAKE, "Pillion-Access: open sesame"));
    expect((await client.answer()).status).toBe(101);
    expect(upstream.handshakes[0]?.headers.join("\n")).not.toContain("sesame");
    client.socket.destroy();
  });

  it.each([
    ["websocket", "websocket"],
    ["WebSocket", "WebSocket"],
    ["websocket, h2c", "websocket"],
    ["TLS/1.2, HTTP/2.0, websocket", "websocket"],
    ["chat/2, websocket", "chat/2, websocket"],
  ])("offers of `Upgrade: %s` what is no HTTP of its own: %s", async (sent, offered) => {
    upstream = await startWebSocketUpstream();
    await start();
    const client = await connectRaw(proxy.port);
    client.send(
      head("GET /api/chat", "Connection: Upgrade", `Upgrade: ${sent}`, `Sec-WebSocket-Key: ${KEY}`),
    );
    expect((await client.answer()).status).toBe(101);
    expect(fieldValues(upstream.handshakes[0]?.headers ?? [], "upgrade")).toEqual([offered]);
    client.socket.destroy();
  });

  it("leaves a wrong key to the upstream to judge", async () => {
    upstream = await startWebSocketUpstream({
      onHandshake: (socket) => socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nkey"),
    });
    await start();
    const client = await connectRaw(proxy.port);
    client.send(head("GET /api/chat", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x"));
    const answer = await client.answer();
    expect({ status: answer.status, body: answer.body }).toEqual({ status: 400, body: "key" });
    expect(fieldValues(upstream.handshakes[0]?.headers ?? [], "sec-websocket-key")).toEqual(["x"]);
    client.socket.destroy();
  });

  it("leaves the route's sockets to other requests, however many are open", async () => {
    upstream = await startWebSocketUpstream({
      onRequest: (_request, response) => void response.end("plain"),
    });
    await start({ connections: 1 });
    const clients: RawClient[] = [];
    for (let opened = 0; opened < 150; opened++) {
      const client = await connectRaw(proxy.port);
      clients.push(client);
      client.send(head("GET /api/chat", ...HANDSHAKE));
      expect((await client.answer()).status).toBe(101);
    }
    const plain = await connectRaw(proxy.port);
    plain.send(head("GET /api/a"));
    expect((await plain.answer()).body).toBe("plain");
    for (const { socket } of [...clients, plain]) socket.destroy();
  });
});

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Certificates, createCertificates } from "../support/certificates.ts";
import { aRoute, eventually, type RunningProxy, startProxy } from "../support/proxy-harness.ts";
import { connectRaw, head } from "../support/raw-client.ts";
import {
  echo,
  HANDSHAKE,
  startWebSocketUpstream,
  switching,
  type WebSocketUpstream,
} from "../support/websocket-upstream.ts";

describe("an upgrade over TLS", () => {
  let directory: string;
  let certificates: Certificates;
  let upstream: WebSocketUpstream;
  let proxy: RunningProxy;
  let onHandshake: typeof echo;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "pillion-upgrade-"));
    certificates = createCertificates(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true }));
  beforeEach(async () => {
    onHandshake = echo;
    upstream = await startWebSocketUpstream({
      onHandshake: (...args) => onHandshake(...args),
      tls: {
        cert: readFileSync(certificates.server.certFile),
        key: readFileSync(certificates.server.keyFile),
        ALPNProtocols: ["http/1.1"],
      },
    });
    const tls = { ca: certificates.caFile, cert: undefined, key: undefined, serverName: undefined };
    proxy = await startProxy({
      routes: [false, true].map((http2) =>
        aRoute({
          name: http2 ? "h2" : "h1",
          path: http2 ? "/h2/" : "/h1/",
          upstream: upstream.origin,
          upgrade: true,
          http2,
          connection: { tls, httpProxy: undefined },
        }),
      ),
    });
  });
  afterEach(async () => {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });

  it.each(["h1", "h2"])("opens a connection on a route of %s, in HTTP/1.1", async (route) => {
    const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/${route}/chat`);
    await once(client, "open");
    const text = "x".repeat(1_000_000);
    const answer = once(client, "message");
    client.send(text);
    const [message] = (await answer) as [MessageEvent];
    expect(message.data === text).toBe(true);
    const closed = once(client, "close");
    client.close(1000);
    const [event] = (await closed) as [CloseEvent];
    expect(event.wasClean).toBe(true);
    await eventually(() => proxy.told.events.includes(`finished ${route} GET 101`));
  });

  it("passes an end on alone, and still delivers the rest of the other direction", async () => {
    onHandshake = (socket, request) => {
      let heardBytes = 0;
      socket.write(switching(request));
      socket.on("data", (bytes: Buffer) => {
        heardBytes += bytes.length;
      });
      socket.once("end", () => void socket.end(`heard ${heardBytes}`));
    };
    const client = await connectRaw(proxy.port);
    client.send(head("GET /h1/chat", ...HANDSHAKE));
    expect((await client.answer()).status).toBe(101);
    client.send("x".repeat(300_000));
    client.socket.end();
    await client.closed();
    expect(client.buffered()).toBe("heard 300000");
  });
});

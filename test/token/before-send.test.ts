import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { Connection } from "../../src/config/config.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { createTokenEndpoint } from "../../src/token/token-endpoint.ts";
import type { TokenRequest } from "../../src/token/token-request.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { startTokenEndpoint } from "../support/token-endpoint.ts";

const DIRECT: Connection = { tls: undefined, httpProxy: undefined };
const never = new AbortController().signal;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const request = (url: URL): TokenRequest => ({
  method: "POST",
  url,
  headers: ["content-type", "application/json"],
  body: '{"refresh_token":"ü"}',
});

/** Counts what arrives; answers nothing. */
async function listener(): Promise<{
  url: URL;
  bytes(): number;
  connected: Promise<unknown>;
  socket(): Socket;
}> {
  const sockets: Socket[] = [];
  let bytes = 0;
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/token`),
    bytes: () => bytes,
    connected: once(server, "connection"),
    socket: () => sockets[0] as Socket,
  };
}

describe("what runs before a token request is sent", () => {
  it("runs once there is a connection and before a byte is on it; then the request is whole", async () => {
    const server = await startTokenEndpoint();
    closers.push(() => server.close());
    const seen: unknown[] = [];
    const answer = await createTokenEndpoint(createSystemClock()).exchange(
      request(server.url),
      DIRECT,
      never,
      async () => {
        // The server has had time to see the connection, and to read from it whatever there is.
        for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        seen.push(server.connections, server.requests.length);
      },
    );
    expect(answer).toMatchObject({ status: 200 });
    expect(seen).toEqual([1, 0]);
    const [received] = server.requests;
    expect(received?.body).toBe('{"refresh_token":"ü"}');
    expect(received?.headers).toMatchObject({ "content-length": "22", connection: "close" });
    expect(received?.headers["transfer-encoding"]).toBeUndefined();
  });

  it("sends nothing where it rejects", async () => {
    const server = await listener();
    const result = createTokenEndpoint(createSystemClock()).exchange(
      request(server.url),
      DIRECT,
      never,
      async () => {
        throw new Error("no");
      },
    );
    await server.connected;
    const ended = once(server.socket(), "close");
    expect(await result).toMatchObject({ kind: "transient", reason: "internal" });
    await ended;
    expect(server.bytes()).toBe(0);
  });

  it("does not run where there is no connection", async () => {
    let ran = false;
    const result = await createTokenEndpoint(createSystemClock()).exchange(
      request(new URL("http://127.0.0.1:1/token")),
      DIRECT,
      never,
      async () => {
        ran = true;
      },
    );
    expect(result).toMatchObject({ reason: "unreachable" });
    expect(ran).toBe(false);
  });

  it("counts towards the deadline, after which nothing is sent", async () => {
    const server = await listener();
    const clock = createFakeClock();
    const held = Promise.withResolvers<void>();
    const running = Promise.withResolvers<void>();
    const result = createTokenEndpoint(clock).exchange(request(server.url), DIRECT, never, () => {
      running.resolve();
      return held.promise;
    });
    await running.promise;
    await server.connected;
    const ended = once(server.socket(), "close");
    await clock.advance(10_000);
    expect(await result).toMatchObject({ reason: "timeout" });
    held.resolve();
    await ended;
    expect(server.bytes()).toBe(0);
  });
});

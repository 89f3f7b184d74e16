import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Socket,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Connection, TlsOptions } from "../../src/config/config.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { createTokenEndpoint } from "../../src/token/token-endpoint.ts";
import type { TransientFailure } from "../../src/token/token-outcome.ts";
import { tokenRequest } from "../../src/token/token-request.ts";
import type { TokenAnswer } from "../../src/token/token-response.ts";
import { type Certificates, createCertificates } from "../support/certificates.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import {
  drip,
  refused,
  reset,
  type ScriptedTokenEndpoint,
  silence,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { DIRECT, spec } from "./engine.ts";

const never = new AbortController().signal;
const servers: { close(): unknown }[] = [];

async function start(options?: Parameters<typeof startTokenEndpoint>[0]): Promise<ScriptedTokenEndpoint> {
  const server = await startTokenEndpoint(options);
  servers.push(server);
  return server;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function exchange(
  url: URL,
  options: { clock?: FakeClock; connection?: Connection; signal?: AbortSignal } = {},
): Promise<TokenAnswer | TransientFailure> {
  const { clock = createSystemClock(), connection = DIRECT, signal = never } = options;
  const request = tokenRequest(
    spec({ tokenUrl: url, clientAuth: "post", tokenRequestHeaders: ["X-ACCOUNT", "isb"] }),
    {
      clientId: "my-id",
      clientSecret: "my-secret",
    },
  );
  return createTokenEndpoint(clock).exchange(request, connection, signal);
}

const reasonOf = (result: TokenAnswer | TransientFailure): string =>
  "kind" in result ? result.reason : `status ${result.status}`;

describe("the token request on the wire", () => {
  it("is one POST with its fields as written, on a connection of its own", async () => {
    const server = await start();
    const answer = await exchange(new URL("?x=1", server.url));
    expect(answer).toMatchObject({ status: 200, tooLarge: false });
    await exchange(server.url);
    expect(server.connections).toBe(2);
    const [request] = server.requests;
    expect([request?.method, request?.path]).toEqual(["POST", "/oauth/token?x=1"]);
    expect(request?.rawHeaders).toContain("X-ACCOUNT");
    expect(request?.headers).toMatchObject({
      host: server.url.host,
      "content-type": "application/x-www-form-urlencoded",
      "accept-encoding": "identity",
      connection: "close",
    });
    expect(request?.body).toBe("grant_type=client_credentials&client_id=my-id&client_secret=my-secret");
  });

  it("gives back status, body and the fields that matter", async () => {
    const server = await start();
    server.answer({ ...refused(401, "invalid_client"), headers: { "retry-after": "7" } });
    expect(await exchange(server.url)).toEqual({
      status: 401,
      headers: expect.objectContaining({ "retry-after": "7", "x-ratelimit-reset": undefined }),
      body: '{"error":"invalid_client"}',
      tooLarge: false,
    });
  });

  it("R12: never follows a redirect", async () => {
    const [server, elsewhere] = [await start(), await start()];
    server.answer({ status: 307, headers: { location: elsewhere.url.href } });
    expect(await exchange(server.url)).toMatchObject({ status: 307, body: undefined });
    expect(elsewhere.requests).toEqual([]);
  });
});

describe("T01: an endpoint that cannot be reached", () => {
  it("refused", async () => {
    const server = await startTokenEndpoint();
    await server.close();
    expect(reasonOf(await exchange(server.url))).toBe("unreachable");
  });

  it("without an address", async () => {
    // A resolver that says nothing at all runs into the deadline instead.
    expect(reasonOf(await exchange(new URL("http://name.invalid/token")))).toMatch(
      /^(?:unreachable|timeout)$/,
    );
  });

  it("that resets the connection", async () => {
    const server = await start();
    server.answer(reset);
    const result = await exchange(server.url);
    expect(result).toMatchObject({ kind: "transient", reason: "unreachable" });
    expect(server.requests).toHaveLength(1);
  });

  it("that ends in the middle of the body", async () => {
    const server = await start();
    server.answer({
      act(_request, response, socket) {
        response.writeHead(200, { "content-length": "500" });
        response.write("{");
        response.flushHeaders();
        setImmediate(() => socket.end());
      },
    });
    expect(reasonOf(await exchange(server.url))).toBe("unreachable");
  });

  it("that does not speak HTTP", async () => {
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      socket.end("SSH-2.0-OpenSSH_9.2\r\n");
    }).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    expect(reasonOf(await exchange(new URL(`http://127.0.0.1:${port}/token`)))).toBe("malformed");
  });
});

describe("T02: the deadline of 10 s covers", () => {
  it("an endpoint that says nothing", async () => {
    const server = await start();
    const clock = createFakeClock();
    server.answer(silence);
    const result = exchange(server.url, { clock });
    await server.received(1);
    await clock.advance(9_999);
    expect(clock.pending()).toEqual([1]);
    await clock.advance(1);
    expect(await result).toMatchObject({ reason: "timeout", detail: "did not answer within 10 s" });
  });

  it("an endpoint that accepts and never answers the handshake", async () => {
    const accepted: Socket[] = [];
    const server = createTcpServer((socket) => accepted.push(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const clock = createFakeClock();
    const result = exchange(new URL(`https://127.0.0.1:${port}/token`), { clock });
    await once(server, "connection");
    await clock.advance(10_000);
    expect(reasonOf(await result)).toBe("timeout");
    for (const socket of accepted) socket.destroy();
    server.close();
  });

  it("headers at one byte a second", async () => {
    const clock = createFakeClock();
    const text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    const server = createTcpServer((socket) => {
      socket.on("error", () => {});
      let sent = 0;
      const more = (): void => {
        socket.write(text.charAt(sent));
        sent += 1;
        clock.schedule(1_000, more);
      };
      more();
    }).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const result = exchange(new URL(`http://127.0.0.1:${port}/token`), { clock });
    await once(server, "connection");
    for (let second = 0; second < 10; second += 1) await clock.advance(1_000);
    expect(reasonOf(await result)).toBe("timeout");
  });

  it("a body that drips", async () => {
    const server = await start();
    const clock = createFakeClock();
    server.answer(
      drip(" ".repeat(100), () => new Promise((resolve) => clock.schedule(1_000, () => resolve(undefined)))),
    );
    const result = exchange(server.url, { clock });
    await server.received(1);
    for (let second = 0; second < 10; second += 1) await clock.advance(1_000);
    expect(reasonOf(await result)).toBe("timeout");
  });
});

describe("T06: at most 1 MiB is read", () => {
  it.each([
    ["1 MiB", 1_048_576, false],
    ["one byte more", 1_048_577, true],
    ["10 MiB", 10_485_760, true],
  ])("of a body of %s", async (_what, bytes, tooLarge) => {
    const server = await start();
    server.answer({ status: 200, body: Buffer.alloc(bytes, " ") });
    const answer = await exchange(server.url);
    expect(answer).toMatchObject({ status: 200, tooLarge });
    if ("body" in answer) expect(answer.body?.length).toBe(tooLarge ? undefined : bytes);
  });

  it("of a body without end", async () => {
    const server = await start();
    server.answer({
      act(_request, response) {
        const chunk = Buffer.alloc(65_536, " ");
        const more = (): void => {
          while (!response.destroyed && response.write(chunk));
        };
        response.writeHead(200);
        response.on("drain", more);
        more();
      },
    });
    expect(await exchange(server.url)).toMatchObject({ tooLarge: true });
  });

  it("and nothing of a compressed one", async () => {
    const server = await start();
    server.answer({
      status: 200,
      headers: { "content-encoding": "gzip" },
      body: gzipSync(Buffer.alloc(50_000_000)),
    });
    expect(await exchange(server.url)).toMatchObject({ status: 200, body: undefined, tooLarge: false });
  });
});

describe("when everything ends", () => {
  it("an exchange under way ends too, and none begins", async () => {
    const server = await start();
    const closing = new AbortController();
    server.answer(silence);
    const result = exchange(server.url, { signal: closing.signal });
    await server.received(1);
    closing.abort();
    expect(reasonOf(await result)).toBe("closed");
    expect(reasonOf(await exchange(server.url, { signal: closing.signal }))).toBe("closed");
    expect(server.requests).toHaveLength(1);
  });
});

describe("over TLS", () => {
  let directory: string;
  let certificates: Certificates;
  const tlsFiles = (files: { certFile: string; keyFile: string }, extra: object = {}) => ({
    cert: readFileSync(files.certFile),
    key: readFileSync(files.keyFile),
    ...extra,
  });
  const tls = (overrides: Partial<TlsOptions> = {}): Connection => ({
    httpProxy: undefined,
    tls: { ca: certificates.caFile, cert: undefined, key: undefined, serverName: undefined, ...overrides },
  });

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "token-endpoint-"));
    certificates = createCertificates(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it("trusts the configured CA", async () => {
    const server = await start({ tls: tlsFiles(certificates.server) });
    expect(reasonOf(await exchange(server.url, { connection: tls() }))).toBe("status 200");
  });

  it("T01: trusts nobody else", async () => {
    const server = await start({ tls: tlsFiles(certificates.server) });
    expect(reasonOf(await exchange(server.url))).toBe("tls");
    expect(server.requests).toEqual([]);
  });

  it.each([
    ["expired", { expired: true }],
    ["self-signed", { selfSigned: true }],
    ["for another name", { subjectAltNames: ["DNS:other.example"] }],
  ])("T01: refuses a certificate that is %s", async (name, options) => {
    const server = await start({ tls: tlsFiles(certificates.issue(name.replaceAll(" ", "-"), options)) });
    expect(reasonOf(await exchange(server.url, { connection: tls() }))).toBe("tls");
    expect(server.requests).toEqual([]);
  });

  it("shows the client certificate", async () => {
    const server = await start({
      tls: tlsFiles(certificates.server, { ca: readFileSync(certificates.caFile), requestCert: true }),
    });
    const { certFile: cert, keyFile: key } = certificates.client;
    await exchange(server.url, { connection: tls({ cert, key }) });
    expect(server.requests[0]?.clientName).toBe("client");
  });

  it("tells of a file that cannot be read", async () => {
    const result = await exchange(new URL("https://127.0.0.1:9/"), {
      connection: tls({ ca: "/no/such/ca.pem" }),
    });
    expect(result).toMatchObject({ reason: "tls" });
    expect("detail" in result && result.detail).toContain("/no/such/ca.pem");
  });

  it("goes through a tunnel of the HTTP proxy", async () => {
    const server = await start({ tls: tlsFiles(certificates.server) });
    const tunnels: string[] = [];
    const proxy = createServer().listen(0, "127.0.0.1");
    proxy.on("connect", (request, socket: Socket) => {
      tunnels.push(request.url ?? "");
      const [host = "", port] = (request.url ?? "").split(":");
      const onward = connectTcp(Number(port), host, () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        onward.pipe(socket).pipe(onward);
      });
      onward.on("error", () => socket.destroy());
      socket.on("error", () => onward.destroy());
    });
    servers.push(proxy);
    await once(proxy, "listening");
    const httpProxy = new URL(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    expect(reasonOf(await exchange(server.url, { connection: { ...tls(), httpProxy } }))).toBe("status 200");
    expect(tunnels).toEqual([server.url.host]);
  });

  it("tells of an HTTP proxy that refuses", async () => {
    const proxy = createServer().listen(0, "127.0.0.1");
    proxy.on("connect", (_request, socket: Socket) =>
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
    );
    servers.push(proxy);
    await once(proxy, "listening");
    const httpProxy = new URL(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    const result = await exchange(new URL("https://id.example/token"), {
      connection: { ...tls(), httpProxy },
    });
    expect(result).toMatchObject({ reason: "unreachable" });
    expect("detail" in result && result.detail).toContain("407");
  });
});

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, describe, expect, it } from "vitest";
import type { TlsOptions } from "../../src/config/config.ts";
import { createConnector } from "../../src/transport/connector.ts";
import { type CertificateFiles, createCertificates } from "../support/certificates.ts";
import { aCredential, aRoute, eventually, startProxy } from "../support/proxy-harness.ts";
import { head, roundTrip } from "../support/raw-client.ts";
import { closedPort, startUpstream } from "../support/upstream.ts";

const directory = mkdtempSync(join(tmpdir(), "pillion-tls-"));
afterAll(() => rmSync(directory, { recursive: true }));
const certificates = createCertificates(directory);
const pem = ({ certFile, keyFile }: CertificateFiles) => ({
  cert: readFileSync(certFile),
  key: readFileSync(keyFile),
});
const NO_TLS: TlsOptions = { ca: undefined, cert: undefined, key: undefined, serverName: undefined };

const startSecure = (files = certificates.server, options = {}) =>
  startUpstream(
    (request, response) => {
      const { authorized, servername } = request.socket as TLSSocket & { servername: string | false };
      response.end(JSON.stringify({ authorized, servername }));
    },
    { ...pem(files), ...options },
  );

const through = async (upstream: URL, tls: Partial<TlsOptions>, httpProxy?: URL) => {
  const connection = { tls: { ...NO_TLS, ...tls }, httpProxy };
  await using proxy = await startProxy({
    routes: [aRoute({ upstream, connection, credential: aCredential() })],
  });
  return await roundTrip(proxy.port, head("GET /api/a"));
};

describe("U12: an upstream's certificate", () => {
  it("of the route's own authority is taken", async () => {
    await using upstream = await startSecure();
    expect((await through(upstream.origin, { ca: certificates.caFile })).status).toBe(200);
  });

  it.each([
    ["of an authority that nobody trusts", () => certificates.server, {}],
    [
      "that is self-signed",
      () => certificates.issue("self", { selfSigned: true }),
      { ca: certificates.caFile },
    ],
    ["that has expired", () => certificates.issue("expired", { expired: true }), { ca: certificates.caFile }],
    [
      "for another name",
      () => certificates.issue("other", { subjectAltNames: ["DNS:other.example"] }),
      { ca: certificates.caFile },
    ],
  ])("%s is refused: 502, and no request is sent", async (_what, files, tls) => {
    await using upstream = await startSecure(files());
    const answer = await through(upstream.origin, tls);
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([502, "UPSTREAM_UNREACHABLE"]);
    expect(answer.field("proxy-status")).toContain("error=tls_certificate_error");
    expect(upstream.requests).toEqual([]);
  });

  it("is checked for `server_name` where that is given", async () => {
    await using upstream = await startSecure(
      certificates.issue("named", { subjectAltNames: ["DNS:named.example"] }),
    );
    const answer = await through(upstream.origin, { ca: certificates.caFile, serverName: "named.example" });
    expect(JSON.parse(answer.body)).toMatchObject({ servername: "named.example" });
    expect(
      (await through(upstream.origin, { ca: certificates.caFile, serverName: "x.example" })).status,
    ).toBe(502);
  });
});

describe("a fresh TLS connection that breaks before any answer", () => {
  it.each(["end", "reset"])("is not tried a second time (%s)", async (how) => {
    let requests = 0;
    await using broken = await startUpstream(({ socket }) => {
      requests += 1;
      if (how === "end") socket.end();
      else socket.destroy();
    }, pem(certificates.server));
    expect((await through(broken.origin, { ca: certificates.caFile })).status).toBe(502);
    expect(requests).toBe(1);
  });
});

describe("a client certificate", () => {
  const options = { requestCert: true, ca: readFileSync(certificates.caFile), rejectUnauthorized: false };

  it("is shown where the route has one", async () => {
    await using upstream = await startSecure(certificates.server, options);
    const { certFile: cert, keyFile: key } = certificates.client;
    const answer = await through(upstream.origin, { ca: certificates.caFile, cert, key });
    expect(JSON.parse(answer.body)).toMatchObject({ authorized: true });
    expect(JSON.parse((await through(upstream.origin, { ca: certificates.caFile })).body)).toMatchObject({
      authorized: false,
    });
  });

  it("that cannot be read is named when the routes are made", () => {
    expect(() =>
      createConnector(
        { tls: { ...NO_TLS, cert: "/nowhere/client.pem" }, httpProxy: undefined },
        { timeoutMs: 1 },
      ),
    ).toThrow("/nowhere/client.pem");
  });
});

/** An HTTP proxy that opens tunnels, or answers what it is told to. */
async function startTunnel(status = 200) {
  const asked: string[] = [];
  const server: Server = createServer((_request, response) => response.writeHead(400).end());
  server.on("connect", (request, socket) => {
    asked.push(request.url ?? "");
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const [host = "", port = ""] = (request.url ?? "").split(":");
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
    socket.on("close", () => onward.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", () => resolve()));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("an HTTP proxy in between", () => {
  it.each(["http", "https"])("tunnels to an upstream of %s, and sees no token", async (scheme) => {
    await using upstream =
      scheme === "https"
        ? await startSecure()
        : await startUpstream((_request, response) => response.end("{}"));
    await using tunnel = await startTunnel();
    const answer = await through(upstream.origin, { ca: certificates.caFile }, tunnel.url);
    expect(answer.status).toBe(200);
    expect(tunnel.asked).toEqual([upstream.origin.host]);
    expect(upstream.requests.length).toBe(1);
  });

  it("does not stand in for the upstream's certificate", async () => {
    await using upstream = await startSecure();
    await using tunnel = await startTunnel();
    const answer = await through(upstream.origin, {}, tunnel.url);
    expect(answer.field("proxy-status")).toContain("error=tls_certificate_error");
  });

  it("that opens no tunnel: 502 that says so", async () => {
    await using tunnel = await startTunnel(407);
    const answer = await through(new URL("http://up.example/"), {}, tunnel.url);
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body).detail).toContain("HTTP proxy");
    const gone = new URL(`http://127.0.0.1:${await closedPort()}`);
    expect((await through(new URL("http://up.example/"), {}, gone)).status).toBe(502);
  });

  it("keeps the tunnel for the next request", async () => {
    await using upstream = await startUpstream((_request, response) => response.end("ok"));
    await using tunnel = await startTunnel();
    await using proxy = await startProxy({
      routes: [aRoute({ upstream: upstream.origin, connection: { tls: undefined, httpProxy: tunnel.url } })],
    });
    for (let turn = 0; turn < 3; turn += 1) await roundTrip(proxy.port, head("GET /api/a"));
    expect(tunnel.asked.length).toBe(1);
    await eventually(() => upstream.sockets.size === 1);
  });
});

import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer, type ServerOptions } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CertificateFiles, type Certificates, createCertificates } from "../support/certificates.ts";
import { examine, findingOf, inWords, oauth2, SHORT_TIMEOUT_MS, upstream } from "./lab.ts";

const directory = mkdtempSync(join(tmpdir(), "pillion-doctor-"));
const servers: Server[] = [];
const sockets = new Set<Socket>();
let certificates: Certificates;
beforeAll(() => {
  certificates = createCertificates(directory);
});
afterAll(() => {
  for (const server of servers) server.close();
  for (const socket of sockets) socket.destroy();
  rmSync(directory, { recursive: true });
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const overTls = (files: CertificateFiles, options: ServerOptions = {}): Promise<number> =>
  listen(
    createHttpsServer(
      { cert: readFileSync(files.certFile), key: readFileSync(files.keyFile), ...options },
      (_request, response) => response.end(),
    ),
  );
const overTcp = (): Promise<number> => listen(createHttpServer((_request, response) => response.end()));
const wantsCertificate = (): ServerOptions => ({
  requestCert: true,
  rejectUnauthorized: true,
  ca: readFileSync(certificates.caFile),
});
const proxyAnswering = (status: number): Promise<number> => {
  const server = createHttpServer();
  server.on("connect", (_request, socket) => socket.end(`HTTP/1.1 ${status} No\r\n\r\n`));
  return listen(server);
};
const closedPort = async (): Promise<number> => {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, "close");
  return port;
};
/** Takes connections and says nothing. */
const silentPort = (): Promise<number> => listen(createServer());

interface Peer {
  readonly url: string;
  /** Further keys of the credential or the route, in YAML. */
  readonly keys?: string;
}

const ca = (): string => `, tls: { ca: ${certificates.caFile} }`;
const https = (port: number, host = "localhost"): string => `https://${host}:${port}/v1`;
const http = (port: number): string => `http://127.0.0.1:${port}/v1`;

const peers: readonly [name: string, peer: () => Promise<Peer>, words: RegExp][] = [
  [
    "a name that does not exist",
    async () => ({ url: "https://nowhere.invalid/v1" }),
    /(?:does not resolve in DNS \(ENOTFOUND\).*\| check the spelling of the host|name server does not answer \(EAI_AGAIN\).*\| .*resolv\.conf)/,
  ],
  [
    "a port that nobody listens on",
    async () => ({ url: http(await closedPort()) }),
    /refuses the connection.*ECONNREFUSED.*\| check host and port/,
  ],
  [
    "plain HTTP on a port of TLS",
    async () => ({ url: https(await overTcp()) }),
    /does not speak TLS on that port/,
  ],
  [
    "TLS on a port of plain HTTP",
    async () => ({ url: http(await overTls(certificates.server)) }),
    /speaks TLS, and the URL says plain http: \| write https:/,
  ],
  [
    "an authority of its own",
    async () => ({ url: https(await overTls(certificates.server)) }),
    /no trusted authority has signed.*\| set tls\.ca to/,
  ],
  [
    "another authority than the one in tls.ca",
    async () => ({
      url: https(await overTls(certificates.server)),
      keys: `, tls: { ca: ${certificates.issue("other-ca", { selfSigned: true }).certFile} }`,
    }),
    /no trusted authority has signed.*\| the authority in .*other-ca\.crt \(tls\.ca\) is not the one/,
  ],
  [
    "a self-signed certificate",
    async () => ({ url: https(await overTls(certificates.issue("alone", { selfSigned: true }))) }),
    /is self-signed.*\| set tls\.ca/,
  ],
  [
    "an expired certificate",
    async () => ({ url: https(await overTls(certificates.issue("expired", { expired: true }))), keys: ca() }),
    /has expired \(CERT_HAS_EXPIRED\).*\| .*renew it.*clock/,
  ],
  [
    "a certificate for another name",
    async () => ({
      url: https(await overTls(certificates.issue("other", { subjectAltNames: ["DNS:other.example"] }))),
      keys: ca(),
    }),
    /certificate for another name: other\.example.*\| .*tls\.server_name/,
  ],
  [
    "a client certificate that is wanted",
    async () => ({ url: https(await overTls(certificates.server, wantsCertificate())), keys: ca() }),
    /wants a client certificate and got none.*\| set tls\.cert and tls\.key/,
  ],
  [
    "the same in TLS 1.2",
    async () => ({
      url: https(await overTls(certificates.server, { ...wantsCertificate(), maxVersion: "TLSv1.2" })),
      keys: ca(),
    }),
    /wants a client certificate and got none/,
  ],
  [
    "an HTTP proxy that is not there",
    async () => ({ url: https(9), keys: `, http_proxy: "http://127.0.0.1:${await closedPort()}"` }),
    /not reached through the HTTP proxy: .*ECONNREFUSED.*\| check http_proxy/,
  ],
  [
    "an HTTP proxy without a name in DNS",
    async () => ({
      url: https(9),
      keys: `, http_proxy: "http://nowhere.invalid:3128", allow_insecure_http: true`,
    }),
    /not reached through the HTTP proxy: .*nowhere\.invalid:3128 cannot be used.*\| check http_proxy/,
  ],
  [
    "an HTTP proxy that wants a login",
    async () => ({ url: https(9), keys: `, http_proxy: "http://127.0.0.1:${await proxyAnswering(407)}"` }),
    /answered 407.*\| the proxy asks for a login/,
  ],
  [
    "an HTTP proxy that forbids it",
    async () => ({ url: https(9), keys: `, http_proxy: "http://127.0.0.1:${await proxyAnswering(403)}"` }),
    /answered 403.*\| have CONNECT to localhost:9 allowed/,
  ],
  [
    "a PEM file that is not there",
    async () => ({
      url: https(await overTls(certificates.server)),
      keys: `, tls: { ca: ${directory}/none.pem }`,
    }),
    /none\.pem.*\| check tls\.ca/,
  ],
];

describe("a connection that fails, with its cause and a next step", () => {
  it.each(peers)("%s: of an upstream", async (_name, peer, words) => {
    const { url, keys } = await peer();
    const findings = await examine(upstream(url, keys));
    expect(inWords(findingOf(findings, "upstream"))).toMatch(words);
    expect(findingOf(findings, "upstream").status).toBe("failure");
  });

  it.each(peers)("%s: of a token endpoint", async (_name, peer, words) => {
    const { url, keys } = await peer();
    const findings = await examine(oauth2(url, keys));
    expect(inWords(findingOf(findings, "credential"))).toMatch(words);
    expect(findingOf(findings, "credential").status).toBe("failure");
    expect(findingOf(findings, "credential").reason).toContain(new URL(url).host);
  });

  it("TLS that is never answered", async () => {
    const url = https(await silentPort());
    const findings = await examine(`${upstream(url)}${oauth2(url)}`, { timeoutMs: SHORT_TIMEOUT_MS });
    for (const name of ["upstream", "credential"])
      expect(inWords(findingOf(findings, name))).toMatch(/does not finish the TLS handshake within 0\.7 s/);
  });

  it("a client certificate of another authority", async () => {
    const own = certificates.issue("own", { selfSigned: true });
    const port = await overTls(certificates.server, wantsCertificate());
    const tls = `, tls: { ca: ${certificates.caFile}, cert: ${own.certFile}, key: ${own.keyFile} }`;
    const finding = findingOf(await examine(upstream(https(port), tls)), "upstream");
    expect(inWords(finding)).toMatch(/^failure .*client certificate/);
  });

  it("an upstream that takes a request and is silent", async () => {
    const finding = findingOf(
      await examine(upstream(http(await silentPort())), { timeoutMs: SHORT_TIMEOUT_MS }),
      "upstream",
    );
    expect(inWords(finding)).toMatch(/did not answer a request within 0\.7 s.*\| check its health/);
  });

  it("an upstream that speaks something else", async () => {
    const port = await listen(createServer((socket) => socket.end("220 mail.example ESMTP\r\n")));
    const finding = findingOf(await examine(upstream(http(port))), "upstream");
    expect(inWords(finding)).toMatch(/^failure .*not HTTP/);
  });
});

import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import { type ConnectionOptions, createSecureContext, type SecureContextOptions } from "node:tls";
import { buildConnector } from "undici";
import type { Connection, TlsOptions } from "../config/config.ts";

/**
 * A socket is read when there is somebody for what it brings, and no further: what a caller is too slow for stays in the
 * kernel, not in this process. Does not reach sockets of TLS, which read 16 KiB ahead.
 */
const NO_READ_AHEAD = { highWaterMark: undefined, readableHighWaterMark: 0 } as const;

/** Opens one connection to an origin; what undici's `connect` option takes. */
export type Connector = buildConnector.connector;

/** A URL's origin as a connector takes it. */
export function peerOf(url: URL): Pick<buildConnector.Options, "protocol" | "host" | "hostname" | "port"> {
  const { protocol, host, port } = url;
  return { protocol, host, hostname: bareHostname(url), port };
}

/** Without the brackets of an IPv6 address. */
export function bareHostname({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "");
}

export interface ConnectorOptions {
  /** For TCP, the HTTP proxy's CONNECT and the TLS handshake, each. */
  readonly timeoutMs: number;
  /** Offers `h2` before `http/1.1` by ALPN (RFC 9113 §3.2). Default false. */
  readonly offersHttp2?: boolean;
}

/**
 * How a host is reached: TLS that is always verified, own trust anchors, a client certificate, an HTTP proxy that
 * tunnels (RFC 9110 §9.3.6). Reads the PEM files now; throws with the file's name where one cannot be read.
 */
export function createConnector(
  connection: Connection,
  { timeoutMs, offersHttp2 = false }: ConnectorOptions,
): Connector {
  const pem = readPem(connection.tls);
  const overTcp = buildConnector({ timeout: timeoutMs, ...NO_READ_AHEAD });
  const createTlsConnector = (): Connector => {
    // undici's own type leaves out the TLS options that it hands on.
    const options: buildConnector.BuildOptions & ConnectionOptions = {
      // One for all connections: with one for each, the anchors would be parsed and kept as often.
      secureContext: createSecureContext(pem),
      servername: connection.tls?.serverName,
      rejectUnauthorized: true,
      allowH2: offersHttp2,
      preferH2: offersHttp2,
      timeout: timeoutMs,
    };
    return buildConnector(options);
  };
  let overTls: Connector | undefined;
  const direct: Connector = (peer, callback) => {
    if (peer.protocol !== "https:") return overTcp(peer, callback);
    overTls ??= createTlsConnector();
    return overTls(peer, callback);
  };
  const { httpProxy } = connection;
  return httpProxy === undefined ? direct : tunnelled(httpProxy, direct, timeoutMs);
}

function readPem(tls: TlsOptions | undefined): Pick<SecureContextOptions, "ca" | "cert" | "key"> {
  const read = (file: string | undefined): Buffer | undefined =>
    file === undefined ? undefined : readFileSync(file);
  return { ca: read(tls?.ca), cert: read(tls?.cert), key: read(tls?.key) };
}

/** Asks the proxy for a tunnel to the origin, plain or TLS alike: the proxy never sees a request or a token. */
function tunnelled(proxy: URL, direct: Connector, timeoutMs: number): Connector {
  return (options, callback) => {
    const port = options.port === "" ? (options.protocol === "https:" ? "443" : "80") : options.port;
    const authority = `${options.hostname}:${port}`;
    const connect = httpRequest({
      host: bareHostname(proxy),
      port: proxy.port === "" ? 80 : Number(proxy.port),
      method: "CONNECT",
      path: authority,
      headers: { host: authority },
      agent: false,
      timeout: timeoutMs,
    });
    connect.once("timeout", () =>
      connect.destroy(new ProxyTunnelError(`the HTTP proxy ${proxy.host} did not answer in time`)),
    );
    connect.once("error", (error) => callback(proxyFailure(proxy, error), null));
    connect.once("connect", (response, socket: Socket, head: Buffer) => {
      const { statusCode = 0 } = response;
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        callback(
          new ProxyTunnelError(`the HTTP proxy ${proxy.host} answered ${statusCode}`, { statusCode }),
          null,
        );
        return;
      }
      socket.setTimeout(0);
      socket.setNoDelay(true);
      if (head.length > 0) socket.unshift(head);
      if (options.protocol === "https:") direct({ ...options, httpSocket: socket }, callback);
      else callback(null, socket);
    });
    connect.end();
  };
}

/** What fails before there is a tunnel is the proxy's failure, not the origin's. */
function proxyFailure(proxy: URL, error: Error): ProxyTunnelError {
  if (error instanceof ProxyTunnelError) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  return new ProxyTunnelError(`the HTTP proxy ${proxy.host} cannot be used (${code})`, { cause: error });
}

interface ProxyTunnelErrorOptions extends ErrorOptions {
  /** What the proxy answered to CONNECT. */
  readonly statusCode?: number;
}

/** The HTTP proxy in between did not open the tunnel. */
export class ProxyTunnelError extends Error {
  override readonly name = "ProxyTunnelError";
  readonly code = "ERR_PROXY_TUNNEL";
  readonly statusCode: number | undefined;

  constructor(message: string, { statusCode, ...options }: ProxyTunnelErrorOptions = {}) {
    super(message, options);
    this.statusCode = statusCode;
  }
}

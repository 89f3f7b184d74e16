import type { Connection } from "../config/config.ts";
import type { Fault } from "./finding.ts";

/** Where on the way to a host it failed. */
export type Stage = "proxy" | "dns" | "connect" | "tls" | "http";

/** An error of a connection, and all that tells what it means. */
export interface ConnectionError {
  readonly stage: Stage;
  /** Node's, undici's or OpenSSL's code, such as ECONNREFUSED; the error's name where there is none. */
  readonly code: string;
  /** Text of an error of our own, or of Node's about names in a certificate; shown where the code alone says too little. */
  readonly message: string;
  /** What the HTTP proxy answered to CONNECT. */
  readonly proxyStatus?: number | undefined;
  /** The peer was found to speak TLS on a port that an `http:` URL names. */
  readonly speaksTls?: boolean;
}

/** How the host was to be reached, for the words. */
export interface Way {
  readonly url: URL;
  readonly connection: Connection;
  /** The configuration's key that holds the URL: `token_url`, `upstream`, `authorize_url`. */
  readonly key: string;
  readonly timeoutMs: number;
}

const TIMEOUT = /^(?:ETIMEDOUT|UND_ERR_(?:CONNECT|HEADERS|BODY)_TIMEOUT)$/;
const CLOSED = /^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET|HPE_INVALID_EOF_STATE)$/;
const NOT_HTTP = /^(?:HPE_|ERR_HTTP2_)/;
/** What OpenSSL says of a peer that answers a TLS handshake in plain text. */
const PLAIN_TEXT =
  /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNKNOWN_PROTOCOL|RECORD_LAYER_FAILURE/;
const OWN_ROOT = /^(?:UNABLE_TO_|SELF_SIGNED_CERT_IN_CHAIN|CERT_UNTRUSTED|INVALID_CA|UNABLE_TO_GET_ISSUER)/;
const CERTIFICATE_WANTED = /ALERT_CERTIFICATE_REQUIRED/;
const CERTIFICATE_REFUSED =
  /ALERT_(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA|ACCESS_DENIED)/;

/** The cause of a connection that failed, in words that follow the name of the host, and the next step. */
export function connectionFault(error: ConnectionError, way: Way): Fault {
  if (error.stage === "proxy" || error.code === "ERR_PROXY_TUNNEL") return proxyFault(error, way);
  if (error.speaksTls === true) {
    return {
      reason: "speaks TLS, and the URL says plain http:",
      hint: `write https: in ${way.key}`,
    };
  }
  return isTls(error) ? tlsFault(error, way) : networkFault(error, way);
}

function isTls({ stage, code }: ConnectionError): boolean {
  return stage === "tls" || (stage === "http" && /^(?:ERR_SSL|ERR_TLS|EPROTO|CERT_)/.test(code));
}

function networkFault({ stage, code }: ConnectionError, way: Way): Fault {
  const { key, url } = way;
  if (code === "ENOTFOUND") {
    return {
      reason: "does not resolve in DNS (ENOTFOUND)",
      hint: `check the spelling of the host in ${key}; a name of an internal network needs that network's name server${wayOut(way)}`,
    };
  }
  if (code === "EAI_AGAIN" || stage === "dns") {
    return {
      reason: `cannot be looked up: the name server does not answer (${code})`,
      hint: "check the network and /etc/resolv.conf; in Kubernetes a NetworkPolicy must let DNS (port 53) out",
    };
  }
  if (code === "ECONNREFUSED") {
    return {
      reason: "refuses the connection: nothing listens on that port (ECONNREFUSED)",
      hint: `check host and port of ${key}, and that the service is up`,
    };
  }
  if (code === "EHOSTUNREACH" || code === "ENETUNREACH" || code === "EADDRNOTAVAIL") {
    return {
      reason: `cannot be reached: this machine has no route to it (${code})`,
      hint: `check routes, VPN and IPv6 of this machine${wayOut(way)}`,
    };
  }
  if (TIMEOUT.test(code)) return timeoutFault(stage, way);
  if (CLOSED.test(code)) {
    return {
      reason: `closes the connection without an answer (${code})`,
      hint: `check that ${key} names the right port${url.protocol === "https:" ? "; a server that wants a client certificate may do so too (tls.cert, tls.key)" : ""}`,
    };
  }
  if (NOT_HTTP.test(code)) {
    return {
      reason: `answers with something that is not HTTP (${code})`,
      hint: `check host and port of ${key}`,
    };
  }
  return { reason: `cannot be reached (${code})`, hint: `check host and port of ${key}, and the network` };
}

function timeoutFault(stage: Stage, way: Way): Fault {
  const seconds = `${way.timeoutMs / 1_000} s`;
  return stage === "http"
    ? {
        reason: `takes connections and did not answer a request within ${seconds}`,
        hint: "check its health; a load balancer without a backend behaves so",
      }
    : {
        reason: `does not answer within ${seconds} (${stage === "dns" ? "DNS" : "TCP"})`,
        hint: `something on the way drops packets without a word: a firewall, a security group, a NetworkPolicy, or a wrong port${wayOut(way)}`,
      };
}

/** A network that lets out nothing but its proxy looks like an outage of everything. */
function wayOut({ connection }: Way): string {
  return connection.httpProxy === undefined ? "; if the way out is an HTTP proxy, set http_proxy" : "";
}

function proxyFault({ message, proxyStatus }: ConnectionError, { connection, url }: Way): Fault {
  const proxy = connection.httpProxy?.host ?? "";
  const reason = `is not reached through the HTTP proxy: ${message}`;
  if (proxyStatus === 407) {
    return {
      reason,
      hint: "the proxy asks for a login, which http_proxy cannot give: have this machine let through without one, or use another proxy",
    };
  }
  if (proxyStatus === 403 || proxyStatus === 405 || proxyStatus === 502 || proxyStatus === 503) {
    return {
      reason,
      hint: `have CONNECT to ${authority(url)} allowed at ${proxy}, and check that the proxy itself reaches it`,
    };
  }
  return { reason, hint: `check http_proxy (${proxy}), or leave it out where there is a direct way` };
}

function tlsFault({ code, message, stage }: ConnectionError, way: Way): Fault {
  const { key, url, connection } = way;
  const { tls } = connection;
  if (TIMEOUT.test(code)) {
    return {
      reason: `takes the connection and does not finish the TLS handshake within ${way.timeoutMs / 1_000} s`,
      hint: `check that the port of ${key} is one of TLS, and what inspects the traffic on the way`,
    };
  }
  if (PLAIN_TEXT.test(code)) {
    return {
      reason: `does not speak TLS on that port: it answers in plain text (${code})`,
      hint: `check the port of ${key}${isLoopback(url) ? "; for a plain one on loopback write http:" : ""}`,
    };
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return {
      reason: `has a certificate that ${code === "CERT_HAS_EXPIRED" ? "has expired" : "is not valid yet"} (${code})`,
      hint: "its operators have to renew it, unless the clock of this machine is wrong; one in tls.ca may be the expired one",
    };
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID" || code === "HOSTNAME_MISMATCH") {
    return {
      reason: `has a certificate for another name: ${namesIn(message)}`,
      hint: `check the host in ${key}; where the certificate's name is the right one, set tls.server_name to it`,
    };
  }
  if (code === "DEPTH_ZERO_SELF_SIGNED_CERT" || OWN_ROOT.test(code)) {
    const what =
      code === "DEPTH_ZERO_SELF_SIGNED_CERT" ? "is self-signed" : "no trusted authority has signed";
    return {
      reason: `has a certificate that ${what} (${code})`,
      hint:
        tls?.ca === undefined
          ? "set tls.ca to a PEM file of the authority that signed it; a proxy that inspects TLS on the way has one of its own"
          : `the authority in ${tls.ca} (tls.ca) is not the one that signed it: take the issuer's certificate, and with it those in between`,
    };
  }
  if (
    CERTIFICATE_WANTED.test(code) ||
    (stage === "tls" && /HANDSHAKE_FAILURE/.test(code) && tls?.cert === undefined)
  ) {
    return {
      reason: `wants a client certificate and got none (${code})`,
      hint: "set tls.cert and tls.key to the PEM files of the certificate that it accepts",
    };
  }
  if (CERTIFICATE_REFUSED.test(code)) {
    return {
      reason: `refuses the client certificate (${code})`,
      hint: "check that tls.cert is the one it knows, is not expired, and comes with the certificates in between",
    };
  }
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS/.test(code)) {
    return {
      reason: `speaks only versions of TLS that are not safe any more (${code})`,
      hint: "its operators have to enable TLS 1.2 or 1.3",
    };
  }
  if (CLOSED.test(code)) {
    return {
      reason: `closes the connection during the TLS handshake (${code})`,
      hint: `check the port of ${key} and tls.server_name; a firewall that judges names, or a server that wants a client certificate, does so too`,
    };
  }
  if (code === "ENOENT" || code === "EACCES" || code === "ERR_TLS_FILES") {
    return { reason: `cannot be asked: ${message}`, hint: "check tls.ca, tls.cert and tls.key" };
  }
  return {
    reason: `fails the TLS handshake (${code})`,
    hint: "check tls.ca, tls.cert, tls.key, tls.server_name and the server's certificate",
  };
}

/** Node's words: "Host: a. is not in the cert's altnames: DNS:b, …"; the names alone, for they are the news. */
function namesIn(message: string): string {
  const names = /.*(?:altnames|list): (.{1,200})/
    .exec(message)?.[1]
    ?.replaceAll(/(?:DNS|IP Address):/g, "")
    .trim();
  return names === undefined || names === "" ? "it does not hold this one" : names;
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}

/** Host and port, the default one written out. */
export function authority({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port === "" ? (protocol === "https:" ? "443" : "80") : port}`;
}

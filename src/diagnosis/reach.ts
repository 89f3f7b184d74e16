import { lookup } from "node:dns/promises";
import type { Socket } from "node:net";
import { isIP } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Connection } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { bareHostname, createConnector, ProxyTunnelError, peerOf } from "../transport/connector.ts";
import { type CertificateFacts, certificateFacts } from "./certificate.ts";
import { type ConnectionError, connectionFault, type Stage, type Way } from "./connection-fault.ts";
import type { Fault } from "./finding.ts";

/** An alert follows the handshake at once, one way of the network later. */
const LATE_MS = 1_000;

/** One way to a host. Two with equal parts are one. */
export interface Target extends Way {
  /** Offers HTTP/2 by ALPN. */
  readonly http2: boolean;
}

/** How far one got on the way to a host; times in milliseconds, undefined where there was no such step. */
export interface Reached {
  readonly kind: "reached";
  readonly dnsMs: number | undefined;
  readonly connectMs: number;
  readonly tlsMs: number | undefined;
  readonly tlsVersion: string | undefined;
  readonly alpn: string | undefined;
  readonly certificate: CertificateFacts | undefined;
}

export interface Unreached {
  readonly kind: "unreached";
  readonly fault: Fault;
  readonly code: string;
}

/** An open connection. `socket` is the caller's to end. */
export interface Opened extends Reached {
  readonly socket: Socket;
}

/**
 * Goes to a host step by step: DNS, TCP, TLS, by the connector that requests take. Two connections are made, so that
 * what fails is known to be of one step; nothing is sent on either. Never rejects.
 */
export async function open(target: Target, clock: Clock): Promise<Opened | Unreached> {
  const { url, connection, http2, timeoutMs } = target;
  const { httpProxy } = connection;
  const failed = (stage: Stage, error: unknown): Unreached => unreached(describe(stage, error), target);
  const timed = async <T>(task: () => Promise<T>): Promise<{ value: T; ms: number }> => {
    const startMs = clock.now();
    return { value: await task(), ms: clock.now() - startMs };
  };
  // Where there is a proxy, it looks the host up.
  const first = httpProxy ?? url;
  let dnsMs: number | undefined;
  if (isIP(bareHostname(first)) === 0) {
    try {
      dnsMs = (await timed(() => within(lookup(bareHostname(first)), timeoutMs, clock))).ms;
    } catch (error) {
      return failed(httpProxy === undefined ? "dns" : "proxy", named(error, httpProxy));
    }
  }
  let connectMs: number;
  try {
    const plain = await timed(() => connect(url, "http:", { ...connection, tls: undefined }, target));
    plain.value.destroy();
    connectMs = plain.ms;
  } catch (error) {
    return failed(httpProxy === undefined ? "connect" : "proxy", error);
  }
  try {
    const secured = await timed(() => connect(url, url.protocol, connection, target, http2));
    const socket = secured.value;
    const overTls = isOverTls(socket);
    const alpn = overTls && typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : undefined;
    return {
      kind: "reached",
      socket,
      dnsMs,
      connectMs,
      tlsMs: overTls ? Math.max(0, secured.ms - connectMs) : undefined,
      tlsVersion: (overTls ? socket.getProtocol() : undefined) ?? undefined,
      alpn,
      certificate: overTls ? certificateFacts(socket.getPeerCertificate()) : undefined,
    };
  } catch (error) {
    return failed(url.protocol === "https:" ? "tls" : "connect", error);
  }
}

/** The same, and the connection is ended at once. */
export async function reach(target: Target, clock: Clock): Promise<Reached | Unreached> {
  const opened = await open(target, clock);
  if (opened.kind === "unreached") return opened;
  const { socket, ...reached } = opened;
  socket.on("error", () => {});
  socket.destroy();
  return reached;
}

/**
 * What a peer says after a handshake that succeeded, before anything is sent: with TLS 1.3 a missing client certificate
 * is refused only then. undefined: nothing.
 */
async function lateRefusal(target: Target, clock: Clock): Promise<ConnectionError | undefined> {
  if (target.url.protocol !== "https:") return undefined;
  const opened = await open(target, clock);
  if (opened.kind === "unreached") return undefined;
  const { socket } = opened;
  const ended = Promise.withResolvers<ConnectionError | undefined>();
  const timer = clock.schedule(Math.min(LATE_MS, target.timeoutMs), () => ended.resolve(undefined));
  socket.on("error", (error) => ended.resolve(describe("http", error)));
  socket.once("close", () => ended.resolve(undefined));
  socket.resume();
  const refusal = await ended.promise;
  timer.cancel();
  socket.destroy();
  return refusal;
}

/** Whether the host of a plain `http:` URL answers to a TLS handshake; only asked where plain HTTP failed. */
async function speaksTls(target: Target): Promise<boolean> {
  if (target.url.protocol !== "http:") return false;
  try {
    (await connect(target.url, "https:", target.connection, target)).destroy();
    return true;
  } catch (error) {
    // A certificate that is not trusted is one all the same.
    const { code } = describe("tls", error);
    return /^(?:CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT|HOSTNAME_|ERR_SSL_.*ALERT)/.test(code);
  }
}

/**
 * The fault of a request that failed without an answer, by the code that it failed with, and by what else can be learnt
 * of the peer.
 */
export async function explainSilence(
  failed: { readonly code: string; readonly detail: string },
  target: Target,
  clock: Clock,
): Promise<Unreached> {
  const error: ConnectionError = { stage: "http", code: failed.code, message: failed.detail };
  // Whatever times out or is refused in words says enough.
  if (!/^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET|HPE_)/.test(failed.code)) return unreached(error, target);
  if (await speaksTls(target)) return unreached({ ...error, speaksTls: true }, target);
  const late = await lateRefusal(target, clock);
  return unreached(late ?? error, target);
}

export function unreached(error: ConnectionError, way: Way): Unreached {
  return { kind: "unreached", code: error.code, fault: connectionFault(error, way) };
}

/** An error of Node or undici in the terms of `connectionFault`. */
export function describe(stage: Stage, error: unknown): ConnectionError {
  if (!(error instanceof Error)) return { stage, code: "unknown", message: "" };
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  const tunnel = error instanceof ProxyTunnelError ? error : undefined;
  return { stage, code, message: firstLine(error.message), proxyStatus: tunnel?.statusCode };
}

function firstLine(text: string): string {
  return (text.split("\n")[0] ?? "").slice(0, 300);
}

/** A name that is not found is the proxy's here. */
function named(error: unknown, httpProxy: URL | undefined): unknown {
  if (httpProxy === undefined) return error;
  const { code } = describe("proxy", error);
  return new ProxyTunnelError(`the HTTP proxy ${httpProxy.host} cannot be used (${code})`, { cause: error });
}

function connect(
  url: URL,
  protocol: string,
  connection: Connection,
  { timeoutMs }: Way,
  offersHttp2 = false,
): Promise<Socket> {
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  return new Promise((resolve, reject) => {
    // Reads PEM files, and throws where one cannot be read.
    const connector = createConnector(connection, { timeoutMs, offersHttp2 });
    connector({ ...peerOf(url), protocol, port }, (...[error, socket]) => {
      if (error === null) resolve(socket);
      else reject(error);
    });
  });
}

function within<T>(task: Promise<T>, timeoutMs: number, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(timeoutMs, () =>
      reject(Object.assign(new Error("no answer in time"), { code: "EAI_AGAIN" })),
    );
    task.then(resolve, reject).finally(() => timer.cancel());
  });
}

/** `encrypted` is there to tell them apart (https://nodejs.org/api/tls.html#tlssocketencrypted). */
function isOverTls(socket: Socket): socket is TLSSocket {
  return "encrypted" in socket && socket.encrypted === true;
}

import { isIPv4, isIPv6 } from "node:net";
import { ProxyError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { Locality } from "../transport/http-listener.ts";
import type { RequestHead } from "./request-head.ts";

export interface HostPattern {
  readonly prefix: string;
  readonly suffix: string;
}

export interface HostPolicyOptions {
  readonly hosts: readonly string[];
  /** Host patterns of routes that choose the tenant by host. */
  readonly patterns: readonly HostPattern[];
  /** Accept any IP literal with any port: the admin listener, which probes and scrapes reach by a pod's address. */
  readonly anyAddress: boolean;
}

export type HostPolicy = (host: string, locality: Locality) => boolean;

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?)(?::(\d{1,5}))?$/;

/**
 * Which Host values are served: loopback names and the listener's own address with its port or none, what the
 * configuration lists, and hosts of tenant patterns. This is what stops DNS rebinding: a page can make its own name
 * resolve to 127.0.0.1, but cannot make a browser send another Host.
 */
export function createHostPolicy(options: HostPolicyOptions): HostPolicy {
  const listed = new Set(options.hosts);
  return (rawHost, locality) => {
    const host = rawHost.toLowerCase();
    if (listed.has(host)) return true;
    const match = HOST.exec(host);
    if (match === null) return false;
    const [, name = "", port] = match;
    const isAddress = isIPv4(name) || isIPv6(unbracket(name));
    if (isAddress && options.anyAddress) return true;
    if (port !== undefined && locality.port !== undefined && Number(port) !== locality.port) return false;
    if (listed.has(name) || isLoopback(name)) return true;
    if (isAddress && unbracket(name) === locality.address) return true;
    return options.patterns.some((pattern) => matchHostPattern(pattern, name) !== undefined);
  };
}

/** The text that stands for `{tenant}` in a Host (without its port), lower-case; undefined when it does not match. */
export function matchHostPattern(pattern: HostPattern, host: string): string | undefined {
  const name = host.toLowerCase().replace(/:\d+$/, "");
  if (!name.startsWith(pattern.prefix) || !name.endsWith(pattern.suffix)) return undefined;
  const tenant = name.slice(pattern.prefix.length, name.length - pattern.suffix.length);
  return name.length > pattern.prefix.length + pattern.suffix.length ? tenant : undefined;
}

function isLoopback(name: string): boolean {
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    name === "[::1]" ||
    (isIPv4(name) && name.startsWith("127."))
  );
}

function unbracket(name: string): string {
  return name.startsWith("[") ? name.slice(1, -1) : name;
}

/** Refuses a Host that is not served here. Before anything else, on every listener. */
export function checkHost(head: RequestHead, locality: Locality, isServed: HostPolicy): void {
  if (!isServed(head.host, locality)) {
    throw new ProxyError(
      "HOST_NOT_ALLOWED",
      "This Host is not served here. Use localhost, or list the value under access.hosts.",
    );
  }
}

/** What the browser's own fields say of where a request comes from. */
export type OriginVerdict =
  | { readonly kind: "plain" } // no browser, or the proxy's own origin
  | { readonly kind: "listed"; readonly origin: string }
  | { readonly kind: "navigation" }; // cross-site, but a person opening a page: some routes take it

const PLAIN: OriginVerdict = { kind: "plain" };
const NAVIGATION: OriginVerdict = { kind: "navigation" };

/**
 * Judges `Origin` and Fetch Metadata (WHATWG Fetch, W3C Fetch Metadata). Throws ORIGIN_NOT_ALLOWED for a foreign origin
 * and for a cross-site request that is no top-level navigation.
 *
 * @param publicOrigin by which browsers reach the listener, where that is not the Host that comes in
 */
export function judgeOrigin(
  head: RequestHead,
  origins: readonly string[],
  publicOrigin?: string,
): OriginVerdict {
  const { origin } = head;
  if (origin !== undefined) {
    if (origins.includes(origin)) return { kind: "listed", origin };
    const lower = origin.toLowerCase();
    if (lower !== `http://${head.host.toLowerCase()}` && lower !== publicOrigin) throw originRefused();
  }
  if (head.secFetchSite === undefined || head.secFetchSite.toLowerCase() !== "cross-site") return PLAIN;
  const navigates =
    head.method === "GET" && head.secFetchMode === "navigate" && head.secFetchDest === "document";
  if (origin !== undefined || !navigates) throw originRefused();
  return NAVIGATION;
}

export function originRefused(): ProxyError {
  return new ProxyError(
    "ORIGIN_NOT_ALLOWED",
    "A web page of another origin may not call this proxy. List the origin under access.origins if it should.",
  );
}

/** Whether a request shows the proxy's own access token, as `Pillion-Access` or as a bearer token. */
export function holdsAccessToken(head: RequestHead, token: Pick<Secret, "matches">): boolean {
  const offered = head.access ?? bearer(head.authorization);
  return offered !== undefined && token.matches(offered);
}

/** Refuses a request without the proxy's own access token. */
export function checkAccessToken(head: RequestHead, token: Secret): void {
  if (!holdsAccessToken(head, token)) throw accessTokenRequired();
}

export function accessTokenRequired(): ProxyError {
  return new ProxyError(
    "ACCESS_TOKEN_REQUIRED",
    "Send the proxy's access token as `Pillion-Access: …` or `Authorization: Bearer …`.",
  );
}

function bearer(authorization: string | undefined): string | undefined {
  return authorization !== undefined && /^bearer /i.test(authorization)
    ? authorization.slice(7).trim()
    : undefined;
}

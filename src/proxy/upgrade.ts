import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { ProxyError } from "../core/errors.ts";
import type { RawFields } from "./headers.ts";
import type { RouteEntry, RouteTable } from "./route-table.ts";
import { isOwnPath, parseTarget } from "./target.ts";

/** A protocol's name, perhaps with a version (RFC 9110 §7.8). */
const PROTOCOL = /^[!#$%&'*+.^_`|~0-9a-z-]+(?:\/[!#$%&'*+.^_`|~0-9a-z-]+)?$/i;

/**
 * HTTP itself, in the clear or in TLS. A tunnel of it would carry further requests past routes, denials and the
 * injection, so it is never offered to an upstream.
 */
const HTTP_ITSELF = /^(?:h2c?|h3|https?|tls|ssl)(?![a-z])/i;

const UPGRADE_OPTION = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i;

/** The protocols of an `Upgrade` field that may be offered to an upstream, as that field's value; undefined: none. */
export function offeredProtocols(field: string | undefined): string | undefined {
  const protocols = (field ?? "")
    .split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => PROTOCOL.test(protocol) && !HTTP_ITSELF.test(protocol));
  return protocols.length === 0 ? undefined : protocols.join(", ");
}

/** The protocols that a request asks to go over to; undefined: none, or none that may be offered. */
function askedProtocols({ headers, method, httpVersionMinor }: IncomingMessage): string | undefined {
  // HTTP/1.0 knows no upgrades (RFC 9110 §7.8), and every handshake in use is a GET (RFC 6455 §4.1).
  if (method !== "GET" || httpVersionMinor !== 1 || !UPGRADE_OPTION.test(headers.connection ?? ""))
    return undefined;
  return offeredProtocols(headers.upgrade);
}

/**
 * Whether a head asks for an upgrade on a route that takes them. Every other request with an `Upgrade` field is an
 * ordinary one: the field may be ignored (RFC 9110 §7.8). Whether it is served at all is judged later, with the rest.
 */
export function takesUpgrade(request: IncomingMessage, { router }: RouteTable): boolean {
  if (askedProtocols(request) === undefined || announcesBody(request.headers)) return false;
  try {
    const target = parseTarget(request.url ?? "");
    return !isOwnPath(target) && router.match(target)?.route.route.upgrade === true;
  } catch {
    // Not a target: refused as an ordinary request.
    return false;
  }
}

/** Throws REQUEST_INVALID for a handshake with a body: where it ends and the new protocol begins must not be in doubt. */
export function refuseBodyInHandshake(request: IncomingMessage, { route }: RouteEntry): void {
  if (!route.upgrade || !announcesBody(request.headers) || askedProtocols(request) === undefined) return;
  throw new ProxyError("REQUEST_INVALID", "A request for an upgrade must not have a body.");
}

function announcesBody(headers: IncomingHttpHeaders): boolean {
  const { "content-length": length = "0" } = headers;
  return length !== "0" || headers["transfer-encoding"] !== undefined;
}

/**
 * The protocol that a 101 switches to, as the upstream writes it. Throws UPSTREAM_PROTOCOL_ERROR for one that was not
 * offered (RFC 9110 §15.2.2).
 */
export function switchedProtocol(raw: RawFields, offered: string): string {
  const wanted = new Set(offered.toLowerCase().split(", "));
  const named: string[] = [];
  for (let index = 0; index < raw.length; index += 2) {
    if (String(raw[index]).toLowerCase() === "upgrade") named.push(...String(raw[index + 1]).split(","));
  }
  const protocols = named.map((protocol) => protocol.trim());
  if (protocols.length > 0 && protocols.every((protocol) => wanted.has(protocol.toLowerCase())))
    return protocols.join(", ");
  throw unaskedSwitch();
}

/** An upstream that goes over to what nobody asked it for. */
export function unaskedSwitch(): ProxyError {
  return new ProxyError(
    "UPSTREAM_PROTOCOL_ERROR",
    "The upstream switched to a protocol that was not asked for.",
  );
}

import type { IncomingMessage } from "node:http";
import type { Route } from "../config/config.ts";
import type { ValuePath } from "../config/yaml-document.ts";
import type { Destination } from "../proxy/destination.ts";
import { isRepeatable } from "../proxy/replay.ts";
import { ownRequestId, type RequestHead } from "../proxy/request-head.ts";
import type { RouteEntry } from "../proxy/route-table.ts";
import { offeredProtocols } from "../proxy/upgrade.ts";
import type { Injection } from "../token/token-source.ts";
import type { Trail } from "./explanation.ts";
import { headerChanges, removalReason } from "./headers.ts";

/** A request that has its destination. */
interface Forwarded {
  readonly request: IncomingMessage;
  readonly isHandshake: boolean;
  readonly head: RequestHead;
  readonly entry: RouteEntry;
  readonly destination: Destination;
  readonly injection: Injection | undefined;
  /** The route's place. */
  readonly at: ValuePath;
}

/** What the exchange with the upstream would be. */
export function explainForwarding(trail: Trail, forwarded: Forwarded): void {
  explainCredential(trail, forwarded);
  explainUpstream(trail, forwarded);
  explainHeaders(trail, forwarded);
  explainUpgrade(trail, forwarded);
  explainReplay(trail, forwarded);
  explainResponse(trail, forwarded);
}

function explainCredential(trail: Trail, { entry, destination, at }: Forwarded): void {
  const { credential } = entry.route;
  trail.enter("credential");
  if (credential === undefined) {
    trail.pass("none: forwarded without injecting", [...at, "credential"]);
    return;
  }
  const { tenant } = destination;
  const spec = tenant === undefined ? credential.spec : credential.tenants?.get(tenant);
  if (spec === undefined) return;
  const place = ["credentials", credential.name];
  switch (spec.kind) {
    case "static":
      trail.pass(`${credential.name}: the fixed field ${spec.header}`, place);
      return;
    case "client_credentials": {
      const owner = tenant === undefined ? "" : ` of tenant ${tenant}`;
      const from = `${spec.tokenUrl.origin}${spec.tokenUrl.pathname}`;
      trail.pass(`${credential.name} (${credential.provider}): the token${owner}, had from ${from}`, place);
      return;
    }
    default:
      trail.pass(
        `${credential.name} (${credential.provider}): the visitor's own token, grant ${spec.kind}`,
        place,
      );
  }
}

function explainUpstream(trail: Trail, { entry, at }: Forwarded): void {
  const { http2, upstream } = entry.route;
  trail.enter("upstream");
  const protocol =
    http2 && upstream.protocol === "https:" ? "HTTP/2 where it is offered, else HTTP/1.1" : "HTTP/1.1";
  trail.pass(`${trail.findings.upstream ?? ""} by ${protocol}`, [...at, "upstream"]);
}

function explainHeaders(trail: Trail, forwarded: Forwarded): void {
  const { head, entry, injection, isHandshake } = forwarded;
  trail.enter("headers");
  const ownId = ownRequestId(head);
  const changes = headerChanges(head, entry, ownId, injection);
  const offered = isHandshake && entry.route.upgrade;
  const isOffer = (name: string): boolean => offered && /^(?:connection|upgrade)$/i.test(name);
  trail.findings.headers = {
    set: offered ? [...changes.set, "Connection", "Upgrade"] : changes.set,
    removed: changes.removed.filter((name) => !isOffer(name)),
  };
  const { set, removed } = trail.findings.headers;
  const id = ownId === undefined ? "" : "; the caller's X-Request-Id goes on";
  trail.pass(`set ${set.join(", ")}${id}`);
  if (head.ownCookies !== undefined && !removed.some((name) => /^cookie$/i.test(name)))
    trail.pass("Cookie goes on without the proxy's own cookies");
  if (removed.length > 0)
    trail.pass(
      `removed ${removed.map((name) => `${name} (${removalReason(name, head, entry)})`).join(", ")}`,
    );
}

function explainUpgrade(trail: Trail, { request, isHandshake, entry, at }: Forwarded): void {
  const { upgrade } = request.headers;
  if (upgrade === undefined) return;
  const { upgrade: isTaken } = entry.route;
  trail.enter("upgrade");
  const ordinary = isTaken ? "no handshake that can be passed on" : "upgrade is false on this route";
  trail.pass(
    isHandshake && isTaken
      ? `${offeredProtocols(upgrade) ?? ""} is offered to the upstream`
      : `${ordinary}: forwarded as an ordinary request`,
    [...at, "upgrade"],
  );
}

function explainReplay(trail: Trail, { head, entry, injection, at }: Forwarded): void {
  if (injection === undefined) return;
  trail.enter("replay");
  trail.pass(`replay_on_401 ${entry.route.replayOn401}: ${describeReplay(head, entry.route)}`, [
    ...at,
    "replay_on_401",
  ]);
}

function describeReplay(head: RequestHead, { replayOn401, maxReplayBodyBytes }: Route): string {
  if (isRepeatable(head, replayOn401, false)) return "after a 401 it is sent once more with a newer token";
  if (isRepeatable(head, replayOn401, true))
    return `after a 401 it is sent once more, if its body has ${maxReplayBodyBytes} bytes at most`;
  return "the upstream's 401 is passed on";
}

function explainResponse(trail: Trail, { entry, at }: Forwarded): void {
  const { rewriteUrls, responseHeaders } = entry.route;
  const set = responseHeaders.set.filter((_, index) => index % 2 === 0);
  const notes = [
    rewriteUrls ? "URLs of the upstream in JSON lead back here (rewrite_urls)" : "",
    set.length === 0 ? "" : `set ${set.join(", ")}`,
    responseHeaders.remove.size === 0 ? "" : `removed ${[...responseHeaders.remove].join(", ")}`,
  ].filter((note) => note !== "");
  if (notes.length === 0) return;
  trail.enter("response");
  trail.pass(notes.join("; "), [...at, rewriteUrls ? "rewrite_urls" : "response_headers"]);
}

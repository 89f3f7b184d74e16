import type { Route } from "../config/config.ts";
import { daysLeft, EXPIRY_WARNING_DAYS } from "./certificate.ts";
import { serverTimeMs } from "./clock-skew.ts";
import type { Surroundings } from "./examination.ts";
import { type Facts, failure, ok, type Verdict, warning } from "./finding.ts";
import { headRequest } from "./head-request.ts";
import { describe, explainSilence, open, type Reached, type Target } from "./reach.ts";
import { targetKey } from "./reaches.ts";

/** An origin, one way to it, and the routes that take it. */
export interface UpstreamGroup {
  readonly url: URL;
  readonly routes: readonly [Route, ...Route[]];
}

/** In the order of the routes; each way once. */
export function groupUpstreams(routes: readonly Route[]): readonly UpstreamGroup[] {
  const groups = new Map<string, { url: URL; routes: [Route, ...Route[]] }>();
  for (const route of routes) {
    const key = targetKey({ url: route.upstream, connection: route.connection, http2: offersHttp2(route) });
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { url: route.upstream, routes: [route] });
    else group.routes.push(route);
  }
  return [...groups.values()];
}

/** DNS, TCP, TLS, and whether HTTP is spoken there. */
export async function examineUpstream(
  { url, routes }: UpstreamGroup,
  surroundings: Surroundings,
): Promise<Verdict> {
  const { clock, reaches } = surroundings;
  const [route] = routes;
  const limit = (pick: (timeouts: Route["timeouts"]) => number): number =>
    Math.min(surroundings.timeoutMs, ...routes.map(({ timeouts }) => pick(timeouts)));
  const target: Target = {
    url,
    connection: route.connection,
    http2: offersHttp2(route),
    key: "upstream",
    timeoutMs: limit(({ connectMs }) => connectMs),
  };
  const httpTarget = { ...target, timeoutMs: limit(({ headersMs }) => headersMs) };
  return reaches.gated(async () => {
    const opened = await open(target, clock);
    if (opened.kind === "unreached") return failure(opened.fault, { code: opened.code });
    const { socket, ...reached } = opened;
    const sentAtWallMs = clock.wall();
    try {
      const answer = await headRequest(socket, url, {
        http2: opened.alpn === "h2",
        timeoutMs: httpTarget.timeoutMs,
        clock,
      });
      const serverMs = serverTimeMs(answer.date, answer.age);
      if (serverMs !== undefined) {
        surroundings.heardTime({ host: url.host, serverMs, sentAtWallMs, receivedAtWallMs: clock.wall() });
      }
      return judge(reached, answer.status, target, clock.wall());
    } catch (error) {
      const { code: failedWith, message } = describe("http", error);
      const { fault, code } = await explainSilence({ code: failedWith, detail: message }, httpTarget, clock);
      return failure(fault, { code });
    }
  });
}

function judge(reached: Reached, status: number, { http2 }: Target, wallMs: number): Verdict {
  const { dnsMs, connectMs, tlsMs, tlsVersion, alpn, certificate } = reached;
  const days = certificate === undefined ? undefined : daysLeft(certificate, wallMs);
  const date = certificate === undefined ? "" : new Date(certificate.expiresAtMs).toISOString().slice(0, 10);
  const tls =
    certificate === undefined
      ? undefined
      : `${tlsVersion ?? "TLS"} ${Math.round(tlsMs ?? 0)} ms (${certificate.subject}, signed by ${certificate.issuer}, valid until ${date})`;
  const words = [
    ...(dnsMs === undefined ? [] : [`DNS ${Math.round(dnsMs)} ms`]),
    `TCP ${Math.round(connectMs)} ms`,
    ...(tls === undefined ? [] : [tls]),
    `${alpn === "h2" ? "HTTP/2" : "HTTP"} ${status} to HEAD without a token`,
  ].join(", ");
  const facts: Facts = {
    ...(dnsMs === undefined ? {} : { dns_ms: Math.round(dnsMs) }),
    connect_ms: Math.round(connectMs),
    ...(tlsMs === undefined ? {} : { tls_ms: Math.round(tlsMs) }),
    ...(tlsVersion === undefined ? {} : { tls_version: tlsVersion }),
    ...(certificate === undefined
      ? {}
      : {
          certificate_subject: certificate.subject,
          certificate_issuer: certificate.issuer,
          certificate_expires_at: new Date(certificate.expiresAtMs).toISOString(),
        }),
    http2: alpn === "h2",
    status,
  };
  if (days !== undefined && days < EXPIRY_WARNING_DAYS) {
    return warning(
      `${words}; its certificate ends in ${days} days`,
      "its operators have to renew it before then; all requests fail afterwards",
      facts,
    );
  }
  if (http2 && alpn !== "h2") {
    return warning(
      `${words}; it does not offer HTTP/2`,
      "requests go by HTTP/1.1; leave out http2: true",
      facts,
    );
  }
  if (status >= 500) {
    return warning(`${words}; that is an error of its own`, "check its health", facts);
  }
  return ok(words, facts);
}

/** ALPN is part of TLS. */
function offersHttp2({ http2, upstream }: Route): boolean {
  return http2 && upstream.protocol === "https:";
}

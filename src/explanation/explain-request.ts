import type { Config } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { ProxyError } from "../core/errors.ts";
import { checkHost, judgeOrigin } from "../proxy/access.ts";
import { checkNavigation } from "../proxy/admission.ts";
import { isPreflight } from "../proxy/cors.ts";
import { createProxyState } from "../proxy/proxy-state.ts";
import { judgeRequest, type RequestHead } from "../proxy/request-head.ts";
import { toProxyError } from "../proxy/respond.ts";
import { checkMethod, checkOperation, matchRoute, upstreamPath } from "../proxy/route-table.ts";
import { isOwnPath, parseTarget, type Target } from "../proxy/target.ts";
import { chooseTenant } from "../proxy/tenant.ts";
import { refuseBodyInHandshake } from "../proxy/upgrade.ts";
import { type Arrived, arrive } from "./arrival.ts";
import {
  type AskedRequest,
  createTrail,
  type Explanation,
  type Progress,
  type Trail,
  type Walk,
} from "./explanation.ts";
import { explainForwarding } from "./forwarding.ts";
import { findRemedy } from "./remedy.ts";
import { injectionOf, namesOnly, SILENT, withoutFiles } from "./stand-ins.ts";
import { explainAccess, explainEndpoint, explainVisit } from "./visitor.ts";
import { describeOperation, describeOrigin, describeTarget, grantKind, TENANT_RULES } from "./words.ts";

/**
 * What would become of a request: every decision in the order of `src/proxy/handler.ts`, each made by the function that makes it
 * there. Reads no secret and opens no connection; what only those could tell is assumed, and said. Rejects with surprises
 * only.
 */
export async function explainRequest(
  config: Config,
  asked: AskedRequest,
  { clock, ownOrigin }: { readonly clock: Clock; ownOrigin(): string },
): Promise<Explanation> {
  const state = createProxyState(withoutFiles(config), {
    observer: SILENT,
    source: (_credential, _tenant, spec) => namesOnly(spec),
    readSecret() {
      throw new Error("an explanation reads no secrets");
    },
    ownOrigin,
  });
  const trail = createTrail();
  const progress: Progress = {};
  try {
    await walk({ config, asked, clock, state, trail, progress });
    return conclude(trail);
  } catch (thrown) {
    const error = toProxyError(thrown);
    if (error.code === "INTERNAL") throw thrown;
    return conclude(trail, error, findRemedy(error, trail.present(), { config, state, asked, ...progress }));
  } finally {
    state.table.close();
  }
}

function conclude(trail: Trail, refusal?: ProxyError, remedy?: Explanation["remedy"]): Explanation {
  const { findings, assumptions } = trail;
  return {
    ...findings,
    allowed: refusal === undefined,
    // A page that is sent to the login gets a redirect for its refusal.
    status: findings.status ?? refusal?.status,
    code: refusal?.code,
    steps: trail.steps(refusal, remedy?.at),
    assumptions: [...assumptions],
    remedy,
  };
}

/** Mirrors `receive` of `src/proxy/handler.ts`. */
async function walk(walking: Walk): Promise<void> {
  const { asked, clock, config, state, trail, progress } = walking;
  trail.enter("request");
  const arrived = await arrive(asked, { clock, limits: state.limits, table: state.table });
  progress.arrived = arrived;
  const { request, isHandshake, locality } = arrived;
  const head = judgeRequest(request, state.limits);
  progress.head = head;
  trail.pass(`${head.method} ${asked.target}, Host ${head.host}`);

  trail.enter("host");
  checkHost(head, locality, state.isServedHost);
  trail.pass(`${head.host} is a Host that is served`);

  trail.enter("origin");
  const origin = judgeOrigin(head, state.access.origins, state.visitors.publicOrigin());
  trail.pass(describeOrigin(head, origin), origin.kind === "listed" ? ["access", "origins"] : undefined);

  trail.enter("target");
  const target = parseTarget(request.url ?? "");
  progress.target = target;
  trail.pass(describeTarget(target));

  const isPreflighted = isPreflight(head, origin);
  const isCrossSite = origin.kind === "navigation";
  if (isOwnPath(target)) {
    await explainEndpoint(walking, head, target, { isHandshake, isPreflight: isPreflighted, isCrossSite });
    return;
  }
  if (isCrossSite) {
    trail.enter("origin");
    checkNavigation(state.table, target);
  }
  if (isPreflighted) {
    trail.enter("preflight");
    const { route: entry } = matchRoute(state.table.router, target);
    trail.findings.route = entry.route.name;
    trail.findings.status = 204;
    trail.pass(`answered here, 204: the listed origin may send ${entry.allowedMethods}`);
    return;
  }
  if (config.access.token !== undefined) await explainAccess(walking, head, target, isHandshake);
  await forward(walking, arrived, head, target);
}

/** Mirrors `forward` of `src/proxy/handler.ts`. */
async function forward(walking: Walk, arrived: Arrived, head: RequestHead, target: Target): Promise<void> {
  const { config, state, trail, progress } = walking;
  const { findings } = trail;
  trail.enter("route");
  const match = matchRoute(state.table.router, target);
  progress.match = match;
  const { route: entry } = match;
  const { route } = entry;
  const at = ["routes", config.routes.findIndex(({ name }) => name === route.name)];
  findings.route = route.name;
  findings.credential = route.credential?.name;
  findings.grant = grantKind(route);
  trail.pass(`${route.name}: ${route.path.pattern} is the longest prefix`, at);

  trail.enter("method");
  checkMethod(entry, head.method);
  trail.pass(
    route.methods === undefined ? `${head.method}: the route takes any` : `${head.method} is listed`,
    route.methods === undefined ? undefined : [...at, "methods"],
  );

  trail.enter("upstream");
  const path = upstreamPath(match);
  trail.enter("operation");
  checkOperation(match, head.method);
  trail.pass(describeOperation(match, head.method));

  trail.enter("request");
  if (head.hasBody) refuseBodyInHandshake(arrived.request, entry);
  await explainVisit(walking, arrived, head, entry);

  trail.enter("tenant");
  const chosen = chooseTenant(route, head, match.pathTenant);
  progress.tenant = chosen;
  const destination = entry.destinations.get(chosen);
  const { tenant } = destination;
  findings.tenant = tenant;
  if (tenant !== undefined)
    trail.pass(
      `${tenant}, by ${TENANT_RULES[route.tenant.kind]}`,
      route.tenant.kind === "path" ? [...at, "path"] : [...at, "tenant"],
    );

  findings.upstream = `${route.upstream.origin}${path}${target.query}`;
  explainForwarding(trail, {
    ...arrived,
    head,
    entry,
    destination,
    at,
    injection: injectionOf(entry, destination),
  });
}

import type { Connection, Operation, Route, TenantRule } from "./config.ts";
import type { ReadCredential } from "./credential.ts";
import type { References } from "./credential-keys.ts";
import { readHeaderEdits, refuseRequestField, refuseResponseField, reservedField } from "./header-rules.ts";
import { INSECURE_HTTP, isInsecure } from "./insecure-http.ts";
import { showValue } from "./printable.ts";
import type { Reporter } from "./reporter.ts";
import { routeKeys } from "./route-keys.ts";
import { parseOperation, routePathKey } from "./route-path.ts";
import { didYouMean } from "./suggestion.ts";
import { expectation, isMapping, requireKeys, type Validated, validateKeys } from "./validate.ts";
import type { ValuePath } from "./yaml-document.ts";

export interface RouteDeps {
  readonly report: Reporter;
  readonly references: References;
  /** By name; undefined for a credential that is there, but is not understood. */
  readonly credentials: ReadonlyMap<string, ReadCredential | undefined>;
}

type RouteValues = Validated<typeof routeKeys>["values"];

/** What a route's `credential` refers to. */
type Reference =
  | { readonly kind: "none" }
  | { readonly kind: "credential"; readonly read: ReadCredential }
  /** Missing or faulty, and reported: nothing can be said of what depends on it. */
  | { readonly kind: "unknown" };

const NO_EDITS = { set: [], remove: new Set<string>() };

/** Reads `routes` and reports every fault in it. Routes with faults are left out. */
export function readRoutes(raw: readonly unknown[], deps: RouteDeps): readonly Route[] {
  const routes: Route[] = [];
  const names = new Map<string, number>();
  const paths = new Map<string, number>();
  for (const [index, rawRoute] of raw.entries()) {
    const path: ValuePath = ["routes", index];
    if (!isMapping(rawRoute)) {
      deps.report.fault("wrong-type", path, expectation("a mapping", rawRoute));
      continue;
    }
    const { values, missing, invalid } = validateKeys(routeKeys, rawRoute, path, deps.report);
    requireKeys(routeKeys, missing, path, deps.report);
    refuseDuplicates(values, index, names, paths, deps.report);
    const route = readRoute(values, invalid, path, deps);
    if (route !== undefined) routes.push(route);
  }
  return routes;
}

function refuseDuplicates(
  { name, path }: RouteValues,
  index: number,
  names: Map<string, number>,
  paths: Map<string, number>,
  report: Reporter,
): void {
  if (name !== undefined) {
    const first = names.get(name);
    if (first === undefined) names.set(name, index);
    else {
      const message = `routes[${first}] has the name ${showValue(name)} already`;
      report.fault("duplicate-route", ["routes", index, "name"], message);
    }
  }
  if (path !== undefined) {
    const key = routePathKey(path);
    const first = paths.get(key);
    if (first === undefined) paths.set(key, index);
    else {
      const message = `routes[${first}] answers ${showValue(path.pattern)} already`;
      report.fault("duplicate-route", ["routes", index, "path"], message);
    }
  }
}

function readRoute(
  values: RouteValues,
  invalid: ReadonlySet<string>,
  path: ValuePath,
  deps: RouteDeps,
): Route | undefined {
  const { report } = deps;
  const reference = resolveReference(values.credential, [...path, "credential"], deps);
  const tenant = readTenantRule(values, invalid, reference, path, report);
  const upstream = readUpstream(values, invalid, reference, path, report);
  judgeLogin(values, reference, [...path, "login"], report);
  const credential = reference.kind === "credential" ? reference.read.credential : undefined;
  const tenantHeader = tenant?.kind === "header" ? tenant.name : undefined;
  const requestRules = { refuseSet: refuseRequestField(new Set(credential?.injectedFields), tenantHeader) };
  const requestHeaders =
    values.request_headers === undefined
      ? NO_EDITS
      : readHeaderEdits(values.request_headers, [...path, "request_headers"], requestRules, report);
  const responseHeaders =
    values.response_headers === undefined
      ? NO_EDITS
      : readHeaderEdits(
          values.response_headers,
          [...path, "response_headers"],
          { refuseSet: refuseResponseField },
          report,
        );
  const { name, path: prefix, timeouts, connections, upgrade } = values;
  const { replay_on_401: replayOn401, max_replay_body: maxReplayBodyBytes } = values;
  if (name === undefined || prefix === undefined || tenant === undefined || upstream === undefined)
    return undefined;
  if (timeouts === undefined || connections === undefined || upgrade === undefined) return undefined;
  if (replayOn401 === undefined || maxReplayBodyBytes === undefined) return undefined;
  return {
    name,
    path: prefix,
    upstream,
    credential,
    tenant,
    methods: values.methods === undefined ? undefined : new Set(values.methods),
    allow: values.allow,
    deny: [...(values.deny ?? []), ...defaultDenials(credential, values.allow ?? [])],
    timeouts: { connectMs: timeouts.connect, headersMs: timeouts.headers, idleMs: timeouts.idle },
    replayOn401,
    maxReplayBodyBytes,
    connections,
    upgrade,
    connection: readConnection(values, deps.references),
    loginRedirect: values.login === "redirect",
    http2: values.http2 === true,
    rewriteUrls: values.rewrite_urls === true,
    requestHeaders,
    responseHeaders,
  };
}

/** Only a user can sign in. */
function judgeLogin({ login }: RouteValues, reference: Reference, path: ValuePath, report: Reporter): void {
  if (login === undefined || reference.kind === "unknown") return;
  if (reference.kind === "credential" && reference.read.grant === "user") return;
  const owner =
    reference.kind === "none" ? "credential none" : `credential ${reference.read.credential.name}`;
  const message = `is for a credential of grant user, and ${owner} is of another kind`;
  report.fault("misplaced-key", path, message, "key");
}

function readConnection(values: RouteValues, references: References): Connection {
  return references.connection({ tls: values.tls, http_proxy: values.http_proxy });
}

/** The credential's own denials hold beside the route's, but for those that `allow` names to the letter. */
export function defaultDenials(
  credential: Route["credential"],
  allow: readonly Operation[],
): readonly Operation[] {
  const named = new Set(allow.map(({ method, path }) => `${method} ${path}`));
  return (credential?.defaultDeny ?? []).filter((text) => !named.has(text)).map(defaultOperation);
}

function defaultOperation(text: string): Operation {
  const operation = parseOperation(text);
  if ("problem" in operation) throw new TypeError(`a provider's default deny: ${operation.problem}`);
  return operation.value;
}

function resolveReference(name: string | undefined, path: ValuePath, deps: RouteDeps): Reference {
  if (name === undefined) return { kind: "unknown" };
  if (name === "none") return { kind: "none" };
  const read = deps.credentials.get(name);
  if (read !== undefined) return { kind: "credential", read };
  if (!deps.credentials.has(name)) {
    const known = [...deps.credentials.keys(), "none"];
    const message = `no credential has the name ${showValue(name)}${didYouMean(name, known)}`;
    deps.report.fault("unknown-name", path, message);
  }
  return { kind: "unknown" };
}

function readUpstream(
  values: RouteValues,
  invalid: ReadonlySet<string>,
  reference: Reference,
  path: ValuePath,
  report: Reporter,
): URL | undefined {
  const { upstream } = values;
  if (upstream !== undefined) {
    if (isInsecure(upstream) && values.allow_insecure_http !== true && !invalid.has("allow_insecure_http")) {
      report.fault("plain-http", [...path, "upstream"], INSECURE_HTTP);
    }
    return upstream;
  }
  if (invalid.has("upstream") || reference.kind === "unknown") return undefined;
  const isKnown = reference.kind === "none" || reference.read.upstreamKnown;
  const byDefault = reference.kind === "none" ? undefined : reference.read.credential.defaultUpstream;
  if (byDefault === undefined && isKnown) {
    const owner =
      reference.kind === "none" ? "credential none" : `credential ${reference.read.credential.name}`;
    report.fault("no-upstream", [...path, "upstream"], `is missing: ${owner} gives no default`, "key");
  }
  return byDefault;
}

/** Exactly one way to choose the tenant where the credential has tenants, and none where it has not. */
function readTenantRule(
  values: RouteValues,
  invalid: ReadonlySet<string>,
  reference: Reference,
  path: ValuePath,
  report: Reporter,
): TenantRule | undefined {
  const { tenant: rule, path: prefix } = values;
  const inPath = prefix?.tenantIndex !== undefined;
  const at = [...path, "tenant"];
  if (rule !== undefined && inPath) {
    report.fault("conflict", at, "the path names the tenant already: keep {tenant} in the path or this key");
    return undefined;
  }
  if (rule?.kind === "header" && reservedField(rule.name) !== undefined) {
    report.fault("reserved-name", [...at, "header"], `cannot be ${rule.name}: ${reservedField(rule.name)}`);
  } else if (rule?.kind === "header" && UNSUITABLE_TENANT_FIELDS.has(rule.name)) {
    const message = `cannot be ${rule.name}: the field has a meaning of its own`;
    report.fault("reserved-name", [...at, "header"], message);
  }
  if (reference.kind === "unknown" || invalid.has("tenant") || invalid.has("path")) return undefined;

  const tenants = reference.kind === "credential" ? reference.read.credential.tenants : undefined;
  const owner =
    reference.kind === "credential" ? `credential ${reference.read.credential.name}` : "credential none";
  if (tenants === undefined || reference.kind === "none") {
    if (rule !== undefined) report.fault("no-tenants", at, `${owner} has no tenants`, "key");
    if (inPath) {
      const message = `{tenant} needs a credential with tenants, and ${owner} has none`;
      report.fault("no-tenants", [...path, "path"], message);
    }
    return rule === undefined && !inPath ? { kind: "none" } : undefined;
  }
  if (inPath) return { kind: "path" };
  if (rule === undefined) {
    const ways =
      'write {tenant} in the path, or tenant: NAME, { header: NAME } or { host: "{tenant}.localhost" }';
    report.fault(
      "no-tenant-rule",
      at,
      `is missing: ${owner} has tenants, so the route must say how one is chosen; ${ways}`,
      "key",
    );
    return undefined;
  }
  judgeTenants(rule, reference.read, at, report);
  return rule;
}

/** Fields that carry credentials or steer the proxy: a tenant's name in them would be taken for something else. */
const UNSUITABLE_TENANT_FIELDS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "origin",
  "content-type",
]);

function judgeTenants(
  rule: TenantRule,
  { tenantNames, tenantsKnown, credential }: ReadCredential,
  path: ValuePath,
  report: Reporter,
): void {
  if (rule.kind === "fixed" && tenantsKnown && !tenantNames.has(rule.tenant)) {
    const suggestion = didYouMean(rule.tenant, tenantNames);
    const message = `credential ${credential.name} has no tenant ${showValue(rule.tenant)}${suggestion}`;
    report.fault("unknown-name", path, message);
  }
  if (rule.kind !== "host") return;
  const byHost = new Map<string, string>();
  for (const name of tenantNames) {
    const host = name.toLowerCase();
    const other = byHost.get(host);
    byHost.set(host, name);
    if (other !== undefined) {
      const message = `tenants ${other} and ${name} differ in case only, which a host cannot tell apart`;
      report.fault("conflict", path, message);
    }
  }
}

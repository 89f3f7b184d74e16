/**
 * Every key of the configuration, once: `parse.ts` validates with these schemas, `json-schema.ts` makes the JSON Schema
 * of them.
 */
import { z } from "zod";
import { httpProxy, tlsOptions } from "./credential-keys.ts";
import { headerEdits } from "./header-rules.ts";
import { listOf, showValue } from "./printable.ts";
import type { ProviderDefinition } from "./provider-definition.ts";
import { METHODS, methodProblem, parseHostPattern, parseOperation, parseRoutePath } from "./route-path.ts";
import { expectation } from "./validate.ts";
import {
  choice,
  directory,
  duration,
  fieldName,
  httpUrl,
  NAME_PATTERN,
  NAME_RULE,
  oneOf,
  parsed,
  secretReference,
  size,
} from "./value-schemas.ts";

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** `listen` and `admin` are read by `addresses.ts`, which also reads their environment variables. */
const address = z.string({ error: ({ input }) => expectation("HOST:PORT or unix:/PATH", input) });

export const log = z.strictObject({
  level: choice(["error", "warn", "info", "debug"])
    .prefault("info")
    .describe("Least severity that is logged."),
  format: choice(["json", "pretty"]).optional().describe("Default: pretty on a terminal, else json."),
  access: z.boolean().prefault(false).describe("One log line a request."),
});

const host = parsed("a Host value", (text) => {
  if (/^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?\.?)(?::\d{1,5})?$/i.test(text)) {
    return { value: text.toLowerCase() };
  }
  const hint = text.includes("*") ? "; wildcards are not supported, list each name" : "";
  return {
    problem: `expected a Host value such as appointments.internal:8080, not ${showValue(text)}${hint}`,
  };
});

const origin = parsed("an origin", (text) => {
  if (text === "*")
    return { problem: "must not be *: every web page could then send requests with your credentials" };
  if (text === "null") return { problem: "must not be null: every sandboxed page has that origin" };
  const url = URL.parse(text);
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  if (url !== null && isWeb && url.origin === text) return { value: text };
  const hint = url !== null && isWeb && url.username === "" ? `; write ${url.origin}` : "";
  return {
    problem: `expected an origin such as https://app.example.com, without a path or a slash at its end${hint}`,
  };
});

export const access = z.strictObject({
  hosts: z
    .array(host)
    .prefault([])
    .describe(
      "Host values accepted beside loopback names and the listener's own address, as NAME or NAME:PORT.",
    ),
  origins: z
    .array(origin)
    .prefault([])
    .describe("Browser origins accepted, such as https://app.example.com."),
  token: secretReference
    .optional()
    .describe("When set, callers send it as `Pillion-Access: …` or `Authorization: Bearer …`."),
  open: z
    .boolean()
    .prefault(false)
    .describe(
      "Accept a `listen` address beyond loopback without a token: whoever reaches it uses the credentials.",
    ),
});

export const limits = z.strictObject({
  header_bytes: size({ min: KIB, max: MIB })
    .prefault("16KiB")
    .describe("Size of a request's header section."),
  headers: z.int().min(1).max(1_000).prefault(100).describe("Number of a request's header fields."),
  connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .prefault(1_024)
    .describe(
      "Open connections of callers. At the limit one that began a head and did not end it makes room for a new one; otherwise new ones get 503 OVERLOADED.",
    ),
  body_idle: duration()
    .prefault("60s")
    .describe(
      "Longest pause within a request's body. A caller that takes nothing of its answer for five times as long is cut.",
    ),
  header_timeout: duration()
    .prefault("10s")
    .describe("Longest time for a request's header section to arrive."),
});

export const drain = z.strictObject({
  delay: duration({ min: 0 }).prefault("0s").describe("Time between not ready and closing the listener."),
  timeout: duration({ min: 0 }).prefault("25s").describe("Time for requests in flight to finish."),
});

export const reload = z.strictObject({
  watch: z.boolean().prefault(true).describe("Watch the configuration, secret files and tenants' folders."),
});

/** The top-level keys, but for `credentials` and `routes`. */
export const settingKeys = {
  listen: address
    .prefault("127.0.0.1:8080")
    .describe("Data listener: HOST:PORT or unix:/PATH; port 0 picks a free one. Environment: PILLION_LISTEN.")
    .meta({ examples: ["127.0.0.1:8080", "unix:/run/pillion/pillion.sock"] }),
  admin: address
    .prefault("127.0.0.1:9090")
    .describe("Metrics, health and status listener: HOST:PORT or unix:/PATH. Environment: PILLION_ADMIN.")
    .meta({ examples: ["127.0.0.1:9090", "0.0.0.0:9090"] }),
  log: log.prefault({}).describe("Logs. Environment: PILLION_LOG_LEVEL."),
  access: access.prefault({}).describe("Who may use the data listener."),
  limits: limits.prefault({}).describe("Bounds on what callers may use."),
  drain: drain.prefault({}).describe("Shutdown on SIGTERM or SIGINT."),
  reload: reload.prefault({}).describe("Reloading without restart; SIGHUP always reloads."),
  admin_lifecycle: z
    .boolean()
    .prefault(false)
    .describe("Serve POST /-/reload and POST /-/quit on the admin listener."),
};

/** Top-level keys of other versions. */
export const UNAVAILABLE_KEYS = {
  store: "not available in this version: tokens are kept in memory",
  session: "not available in this version: only machine tokens are",
} as const;

/** Keys of a route in other versions. */
export const UNAVAILABLE_ROUTE_KEYS = {
  login: "not available in this version: only machine tokens are",
} as const;

/** The name of a route, a credential or a tenant. */
export const name = z.string({ error: ({ input }) => expectation("a name", input) }).regex(NAME_PATTERN, {
  error: ({ input }) => `not a valid name: ${showValue(input)}; expected ${NAME_RULE}`,
});

const method = z.enum(METHODS, {
  error: ({ input }) =>
    typeof input === "string" ? methodProblem(input) : expectation("a method such as GET", input),
});

const operation = parsed('"METHOD /path"', parseOperation).meta({
  examples: ["POST /v1/appointments", "* /v1/admin/*"],
});

const tenantRule = oneOf(
  z.union([
    name.describe("Always this tenant."),
    z.strictObject({
      header: fieldName.describe("Header field that names the tenant; it is not forwarded."),
    }),
    z.strictObject({ host: z.string().describe('Host pattern, such as "{tenant}.localhost".') }),
  ]),
  (input) =>
    typeof input === "string"
      ? `not a valid tenant name: ${showValue(input)}; expected ${NAME_RULE}`
      : 'expected a tenant\'s name, { header: NAME } or { host: "{tenant}.localhost" }',
).transform((rule, context) => {
  if (typeof rule === "string") return { kind: "fixed", tenant: rule } as const;
  if ("header" in rule) return { kind: "header", name: rule.header.toLowerCase() } as const;
  const pattern = parseHostPattern(rule.host);
  if ("value" in pattern) return pattern.value;
  context.issues.push({ code: "custom", message: pattern.problem, input: rule });
  return z.NEVER;
});

const timeouts = z.strictObject({
  connect: duration().prefault("5s").describe("Connecting, TLS included."),
  headers: duration().prefault("30s").describe("From the request sent to the answer's header section."),
  idle: duration().prefault("60s").describe("Longest pause within the answer's body."),
});

/** The keys of one route. */
export const routeKeys = {
  name: name.describe("Name for metrics, logs and `explain`."),
  path: parsed("a path prefix such as /api/", parseRoutePath)
    .describe(
      "Prefix; the longest wins, and is replaced by the upstream's own path. {tenant} as one whole segment names the tenant.",
    )
    .meta({ examples: ["/zocdoc/", "/qmatic/{tenant}/"] }),
  upstream: httpUrl().optional().describe("Where to forward to. Default: the credential's API base."),
  credential: z
    .string({ error: ({ input }) => expectation("the name of a credential, or none", input) })
    .describe("Name of the credential to inject, or none to forward without injecting."),
  tenant: tenantRule
    .optional()
    .describe(
      "How the tenant is chosen, when the path does not: a name, { header: NAME } or { host: PATTERN }.",
    ),
  methods: z
    .array(method)
    .min(1)
    .optional()
    .describe("Methods accepted. Default: all but CONNECT and TRACE."),
  allow: z
    .array(operation)
    .min(1)
    .optional()
    .describe(
      'Operations accepted, "METHOD /path" with the decoded path below `upstream`; * stands for any method, for one whole segment, and at the end for all that follows. Default: all.',
    ),
  deny: z
    .array(operation)
    .optional()
    .describe(
      "Operations refused, written as in `allow`; a denial wins. The credential's own (zocdoc: POST /v1/credentials/rotate, which answers with a new secret) are denied too, unless `allow` names them to the letter.",
    ),
  allow_insecure_http: z
    .boolean()
    .prefault(false)
    .describe("Accept an http: upstream beyond loopback addresses. Tokens then travel in the clear."),
  timeouts: timeouts.prefault({}).describe("Time limits towards the upstream."),
  replay_on_401: choice(["safe", "buffered", "off"])
    .prefault("safe")
    .describe(
      "After a 401 of the upstream, send again with a new token: safe: bodyless safe methods; buffered: also bodies up to max_replay_body.",
    ),
  max_replay_body: size({ max: 64 * MIB })
    .prefault("64KiB")
    .describe("Largest body kept for `replay_on_401: buffered`."),
  tls: tlsOptions.optional().describe("TLS towards the upstream. It is verified, always."),
  http_proxy: httpProxy.optional().describe("HTTP proxy (CONNECT) towards the upstream."),
  connections: z
    .int()
    .min(1)
    .max(65_535)
    .prefault(64)
    .describe(
      "Sockets per upstream and tenant at most. 16 times as many requests (128 at least) may wait for one, no longer than timeouts.headers; more get 503 OVERLOADED.",
    ),
  request_headers: headerEdits
    .prefault({})
    .describe("Changes to the request's fields, before the injection."),
  response_headers: headerEdits.prefault({}).describe("Changes to the answer's fields."),
  upgrade: z
    .boolean()
    .prefault(false)
    .describe(
      "Pass WebSocket handshakes, and other upgrades but to HTTP/2 and TLS. Once upgraded, a connection has no idle limit, outlives its token, and counts in limits.connections instead of `connections`.",
    ),
  http2: z
    .boolean()
    .prefault(false)
    .describe("HTTP/2 towards an https: upstream that offers it (ALPN); HTTP/1.1 where it does not."),
  rewrite_urls: z
    .boolean()
    .prefault(false)
    .describe(
      "Make absolute URLs of the upstream in JSON answers of up to 1MiB lead back through the proxy, as those in Location always do.",
    ),
};

/** The keys of a credential of one provider, as the JSON Schema shows them. */
export function credentialKeys(provider: ProviderDefinition): z.ZodRawShape {
  return {
    provider: z.literal(provider.name).describe(provider.description),
    ...provider.keys,
    tenants: z
      .record(name, z.strictObject(tenantKeys(provider)))
      .optional()
      .describe(
        "One client and one token per tenant, by the tenant's name. Each overrides the credential's own keys.",
      ),
    tenants_directory: directory
      .optional()
      .describe(
        `Directory with one subfolder per tenant, holding files ${listOf([...provider.tenantFiles.references, ...provider.tenantFiles.texts])}. Watched, so tenants come and go without restart.`,
      ),
  };
}

/** The keys of a tenant: those of its credential, without defaults, but for what all tenants share. */
export function tenantKeys(provider: ProviderDefinition): z.ZodRawShape {
  const shared = new Set(provider.sharedKeys);
  const keys: Record<string, z.ZodType> = {};
  for (const [key, schema] of Object.entries(provider.keys)) {
    if (shared.has(key)) continue;
    const inner =
      schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault ? schema.unwrap() : schema;
    const described = z.globalRegistry.get(schema as z.ZodType)?.description;
    const optional = (inner as z.ZodType).optional();
    keys[key] = described === undefined ? optional : optional.describe(described);
  }
  return keys;
}

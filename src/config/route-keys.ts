/** Every key of a route, once: `route.ts` validates with these schemas, `json-schema.ts` makes the JSON Schema of them. */
import { z } from "zod";
import { httpProxy, tlsOptions } from "./credential-keys.ts";
import { customIssue, mismatch } from "./fault-kind.ts";
import { headerEdits } from "./header-rules.ts";
import { showValue } from "./printable.ts";
import { METHODS, methodProblem, parseHostPattern, parseOperation, parseRoutePath } from "./route-path.ts";
import { httpUrl } from "./url-schemas.ts";
import { expectation } from "./validate.ts";
import { choice, duration, fieldName, MIB, NAME_RULE, name, oneOf, parsed, size } from "./value-schemas.ts";

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
      header: fieldName
        .describe("Header field that names the tenant; it is not forwarded.")
        .meta({ examples: ["X-Tenant"] }),
    }),
    z.strictObject({
      host: z
        .string()
        .describe('Host pattern, such as "{tenant}.localhost".')
        .meta({ examples: ["{tenant}.localhost"] }),
    }),
  ]),
  (input) =>
    typeof input === "string"
      ? {
          kind: "wrong-form",
          message: `not a valid tenant name: ${showValue(input)}; expected ${NAME_RULE}`,
        }
      : {
          kind: mismatch(input),
          message: 'expected a tenant\'s name, { header: NAME } or { host: "{tenant}.localhost" }',
        },
).transform((rule, context) => {
  if (typeof rule === "string") return { kind: "fixed", tenant: rule } as const;
  if ("header" in rule) return { kind: "header", name: rule.header.toLowerCase() } as const;
  const pattern = parseHostPattern(rule.host);
  if ("value" in pattern) return pattern.value;
  context.issues.push({ ...customIssue("wrong-form", pattern.problem), input: rule });
  return z.NEVER;
});

const timeouts = z.strictObject({
  connect: duration().prefault("5s").describe("Longest time for connecting, TLS included."),
  headers: duration()
    .prefault("30s")
    .describe("Longest time from the request sent to the answer's header section."),
  idle: duration().prefault("60s").describe("Longest pause within the answer's body."),
});

/** The keys of one route. */
export const routeKeys = {
  name: name.describe("Name for metrics, logs and `explain`.").meta({ examples: ["zocdoc"] }),
  path: parsed("a path prefix such as /api/", parseRoutePath)
    .describe(
      "Prefix; the longest wins, and is replaced by the upstream's own path. {tenant} as one whole segment names the tenant.",
    )
    .meta({ examples: ["/zocdoc/", "/qmatic/{tenant}/"] }),
  upstream: httpUrl()
    .optional()
    .describe("Where to forward to. Default: the credential's API base.")
    .meta({ examples: ["https://api.example.com/v1/"] }),
  credential: z
    .string({ error: ({ input }) => expectation("the name of a credential, or none", input) })
    .describe("Name of the credential to inject, or none to forward without injecting.")
    .meta({ examples: ["zocdoc", "none"] }),
  tenant: tenantRule
    .optional()
    .describe(
      "How the tenant is chosen, when the path does not: a name, { header: NAME } or { host: PATTERN }. Default: by {tenant} in the path; there is never a default tenant.",
    )
    .meta({ examples: ["isb", { header: "X-Tenant" }, { host: "{tenant}.localhost" }] }),
  methods: z
    .array(method)
    .min(1)
    .optional()
    .describe("Methods accepted. Default: all but CONNECT and TRACE.")
    .meta({ examples: [["GET", "POST"]] }),
  allow: z
    .array(operation)
    .min(1)
    .optional()
    .describe(
      'Operations accepted, "METHOD /path" with the decoded path below `upstream`; * stands for any method, for one whole segment, and at the end for all that follows. Default: all.',
    )
    .meta({ examples: [["GET /v1/*", "POST /v1/appointments"]] }),
  deny: z
    .array(operation)
    .optional()
    .describe(
      "Operations refused, written as in `allow`; a denial wins. The credential's own (zocdoc: POST /v1/credentials/rotate, which answers with a new secret) are denied too, unless `allow` names them to the letter. Default: those alone.",
    )
    .meta({ examples: [["DELETE /*"]] }),
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
    .describe("Largest body kept for `replay_on_401: buffered`.")
    .meta({ examples: ["1MiB"] }),
  tls: tlsOptions
    .optional()
    .describe("TLS towards the upstream. It is verified, always. Default: the system's trust."),
  http_proxy: httpProxy
    .optional()
    .describe("HTTP proxy (CONNECT) towards the upstream. Default: requests go there directly."),
  connections: z
    .int()
    .min(1)
    .max(65_535)
    .prefault(64)
    .describe(
      "Sockets per upstream and tenant at most. 16 times as many requests (128 at least) may wait for one, no longer than timeouts.headers; more get 503 OVERLOADED.",
    )
    .meta({ examples: [16] }),
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
  login: choice(["redirect", "answer"])
    .optional()
    .describe(
      "On a route of grant user, without a signed-in session: answer 401 LOGIN_REQUIRED with login_url, or redirect a browser's navigation to the login (other requests still get the 401). Default: answer.",
    ),
  rewrite_urls: z
    .boolean()
    .prefault(false)
    .describe(
      "Make absolute URLs of the upstream in JSON answers of up to 1MiB lead back through the proxy, as those in Location always do.",
    ),
};

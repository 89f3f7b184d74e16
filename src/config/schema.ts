/**
 * Every key of the configuration but for those of a route (`route-keys.ts`), once: `parse.ts` validates with these
 * schemas, `json-schema.ts` makes the JSON Schema of them.
 */
import { z } from "zod";
import { DEFAULT_ADMIN } from "./addresses.ts";
import { listOf, showValue } from "./printable.ts";
import { DEFAULT_GRANT, type ProviderDefinition } from "./provider-definition.ts";
import { secretReference } from "./reference-schemas.ts";
import { session } from "./session.ts";
import { store } from "./store.ts";
import { expectation } from "./validate.ts";
import { choice, directory, duration, KIB, MIB, name, parsed, size } from "./value-schemas.ts";

/** `listen` and `admin` are read by `addresses.ts`, which also reads their environment variables. */
const address = z.string({ error: ({ input }) => expectation("HOST:PORT or unix:/PATH", input) });

export const log = z.strictObject({
  level: choice(["error", "warn", "info", "debug"])
    .prefault("info")
    .describe("Least severity that is logged."),
  format: choice(["json", "pretty"])
    .optional()
    .describe("How lines look. Default: pretty on a terminal, else json."),
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
    )
    .meta({ examples: [["appointments.internal:8080"]] }),
  origins: z
    .array(origin)
    .prefault([])
    .describe("Browser origins accepted, such as https://app.example.com.")
    .meta({ examples: [["https://app.example.com"]] }),
  token: secretReference
    .optional()
    .describe(
      "When set, callers send it as `Pillion-Access: …` or `Authorization: Bearer …`. Default: callers need none.",
    )
    .meta({ examples: [{ file: "/run/secrets/pillion-access" }] }),
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
    .describe("Largest header section of a request; more is answered 431 HEADERS_TOO_LARGE.")
    .meta({ examples: ["32KiB"] }),
  headers: z
    .int()
    .min(1)
    .max(1_000)
    .prefault(100)
    .describe("Most header fields of a request; more are answered 431 HEADERS_TOO_LARGE.")
    .meta({ examples: [200] }),
  connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .prefault(1_024)
    .describe(
      "Open connections of callers. At the limit one that began a head and did not end it makes room for a new one; otherwise new ones get 503 OVERLOADED.",
    )
    .meta({ examples: [4_096] }),
  body_idle: duration()
    .prefault("60s")
    .describe(
      "Longest pause within a request's body. Given up too is one that brings less than 2 bytes a second for five times as long. A caller that takes nothing of its answer for five times as long is cut.",
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
    .prefault(DEFAULT_ADMIN)
    .describe("Metrics, health and status listener: HOST:PORT or unix:/PATH. Environment: PILLION_ADMIN.")
    .meta({ examples: ["127.0.0.1:9090", "0.0.0.0:9090"] }),
  log: log.prefault({}).describe("Logs. Environment: PILLION_LOG_LEVEL."),
  access: access.prefault({}).describe("Who may use the data listener."),
  limits: limits.prefault({}).describe("Bounds on what callers may use."),
  drain: drain.prefault({}).describe("Shutdown on SIGTERM or SIGINT."),
  reload: reload.prefault({}).describe("Reloading without restart; SIGHUP always reloads."),
  store: store
    .optional()
    .describe("Where sessions and tokens are kept. Default: in memory, until the process ends.")
    .meta({ examples: [{ sqlite: "pillion.db", encryption_keys: [{ file: "secrets/store-key" }] }] }),
  session: session
    .prefault({})
    .describe("Sessions of visitors, for credentials of grant user and anonymous."),
  admin_lifecycle: z
    .boolean()
    .prefault(false)
    .describe("Serve POST /-/reload and POST /-/quit on the admin listener."),
};

/** The keys of a credential of one provider and grant, as the JSON Schema shows them. */
export function credentialKeys(provider: ProviderDefinition): z.ZodRawShape {
  return {
    provider: z.literal(provider.name).describe(provider.description),
    ...grantKey(provider),
    ...provider.keys,
    ...tenantsKeys(provider),
  };
}

function grantKey({ grant }: ProviderDefinition): z.ZodRawShape {
  if (grant === undefined) return {};
  const key = z.literal(grant);
  return { grant: (grant === DEFAULT_GRANT ? key.prefault(grant) : key).describe(GRANT_WORDS[grant]) };
}

const GRANT_WORDS = {
  client_credentials: "How tokens are had: by the application's own id and secret (RFC 6749 §4.4).",
  user: "How tokens are had: each user signs in in the browser (RFC 6749 §4.1, with PKCE).",
  anonymous: "How tokens are had: one for each visitor who is not signed in.",
} as const;

function tenantsKeys(provider: ProviderDefinition): z.ZodRawShape {
  if (provider.tenantFiles === undefined) return {};
  const { references, texts } = provider.tenantFiles;
  return {
    tenants: z
      .record(name, z.strictObject(tenantKeys(provider)))
      .optional()
      .describe(
        "One client and one token per tenant, by the tenant's name. Each overrides the credential's own keys. Default: the credential has none.",
      ),
    tenants_directory: directory
      .optional()
      .describe(
        `Directory with one subfolder per tenant, holding files ${listOf([...references, ...texts])}. Watched, so tenants come and go without restart. Default: there are those of \`tenants\` only.`,
      )
      .meta({ examples: ["/run/secrets/tenants"] }),
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
    const { description, examples } = z.globalRegistry.get(schema as z.ZodType) ?? {};
    const optional = (inner as z.ZodType).optional();
    keys[key] = optional.meta({
      ...(description === undefined ? {} : { description }),
      ...(examples === undefined ? {} : { examples }),
    });
  }
  return keys;
}

import { stringify } from "yaml";
import type { Provider } from "./choices.ts";

/** What a person says of the API that an application calls. Everything in it is judged before (`init-answers.ts`). */
export interface Answers {
  readonly provider: Provider;
  /** Zocdoc's environment. */
  readonly environment: "sandbox" | "production";
  /** Qmatic's region. */
  readonly region: "eu-west-1" | "us-east-1";
  /** Of `oauth2`; a stand-in's for the others. */
  readonly tokenUrl: string | undefined;
  /** Of `oauth2` and `static`; a stand-in's for the others. */
  readonly upstream: string | undefined;
  /** Of `static`. */
  readonly header: string;
  /** Prefix under which the application calls the API; `{tenant}` is in it exactly when there are tenants. */
  readonly path: string;
  /** Where secrets lie: in environment variables, or in files beside the configuration. */
  readonly secrets: "env" | "file";
  /** Empty: one client for all. */
  readonly tenants: readonly Tenant[];
}

export interface Tenant {
  readonly name: string;
  /** Of `qmatic`: X-TENANT-ID of its API calls. */
  readonly id: string | undefined;
}

/** A secret, or an id, that has to be put somewhere before anything works. */
export interface Needed {
  readonly what: string;
  /** Name of an environment variable, or path of a file, relative to the configuration. */
  readonly where: string;
}

export interface InitialConfiguration {
  readonly text: string;
  readonly needed: readonly Needed[];
}

/** Names of the credential and the route. */
export const NAMES: Readonly<Record<Provider, string>> = {
  zocdoc: "zocdoc",
  qmatic: "qmatic",
  oauth2: "api",
  static: "api",
};

/** A commented configuration of one credential and one route. Pure; it holds references only, never a secret. */
export function initialConfiguration(answers: Answers): InitialConfiguration {
  const { provider, path, tenants } = answers;
  const name = NAMES[provider];
  const needed: Needed[] = [];
  const refer = createReferences(answers, needed);
  const clients =
    tenants.length === 0
      ? client(provider, (key, what) => refer(undefined, key, what))
      : tenantLines(answers, refer);
  const lines = [
    "# yaml-language-server: $schema=./pillion.schema.json",
    "#",
    `# Your application calls http://localhost:8080${path} without any token, and Pillion adds it.`,
    "# Paths of files are relative to this one.",
    "",
    "listen: 127.0.0.1:8080 # what your application calls",
    "admin: 127.0.0.1:9090 # metrics, health, status page",
    "",
    "credentials:",
    `  ${name}:`,
    ...[...providerLines(answers), ...clients].map((line) => `    ${line}`),
    ...(provider === "static"
      ? []
      : ["    # prefetch: true # fetch at the start, not with the first request"]),
    "",
    "routes:",
    `  - name: ${name}`,
    `    path: ${scalar(path)}${tenants.length === 0 ? "" : " # the tenant is that segment"}`,
    ...routeLines(answers, name).map((line) => `    ${line}`),
    "    # methods: [GET, POST] # all, by default",
    "    # timeouts: { connect: 5s, headers: 30s, idle: 60s }",
  ];
  return { text: `${lines.join("\n")}\n`, needed };
}

type Refer = (tenant: string | undefined, key: string, what: string) => string;

/** `{ env: QMATIC_ISB_CLIENT_ID }` or `{ file: secrets/qmatic/isb/client_id }`, and a note of what is needed there. */
function createReferences({ provider, secrets }: Answers, needed: Needed[]): Refer {
  const name = NAMES[provider];
  const taken = new Set<string>();
  return (tenant, key, what) => {
    const owner = tenant === undefined ? [name] : [name, tenant];
    let where: string;
    if (secrets === "env") {
      const variable = [...owner, key]
        .join("_")
        .toUpperCase()
        .replaceAll(/[^A-Z0-9]/g, "_");
      where = variable;
      // Tenants `a.b` and `a-b` are two, and no variable can tell them apart by name.
      for (let count = 2; taken.has(where); count += 1) where = `${variable}_${count}`;
    } else where = ["secrets", ...owner, key].join("/");
    taken.add(where);
    needed.push({ what: tenant === undefined ? what : `${what} of tenant ${tenant}`, where });
    return `{ ${secrets}: ${scalar(where)} }`;
  };
}

/** What a provider asks for beside clients. */
function providerLines(answers: Answers): readonly string[] {
  const { provider, environment, region, tokenUrl, upstream, header } = answers;
  const standIns = [
    ...(tokenUrl === undefined ? [] : [`token_url: ${scalar(tokenUrl)}`]),
    ...(upstream === undefined ? [] : [`api_url: ${scalar(upstream)}`]),
  ];
  switch (provider) {
    case "zocdoc":
      return [
        "provider: zocdoc",
        `environment: ${environment} # sandbox or production; each has credentials of its own`,
        ...standIns,
      ];
    case "qmatic":
      return [
        "provider: qmatic",
        `region: ${region} # eu-west-1 or us-east-1`,
        "scopes: [book, reschedule, cancel] # of these, what the client was given",
        ...standIns,
      ];
    case "oauth2":
      return [
        "provider: oauth2",
        `token_url: ${scalar(tokenUrl ?? "")}`,
        "client_auth: basic # or post, or json: how the server wants to be shown who the client is",
        "# scopes: [billing.read]",
        "# audience: https://api.example.com/",
      ];
    case "static":
      return ["provider: static", `header: ${scalar(header)}`];
  }
}

/** The keys of one client: of the credential, or of one tenant of it. */
function client(provider: Provider, refer: (key: string, what: string) => string): readonly string[] {
  if (provider === "static")
    return [`value: ${refer("value", "the header's value")} # never the value itself`];
  return [
    `client_id: ${refer("client_id", "the client's id")}`,
    `client_secret: ${refer("client_secret", "the client's secret")} # never the secret itself`,
  ];
}

function tenantLines({ provider, tenants }: Answers, refer: Refer): readonly string[] {
  return [
    `tenants: # one client${provider === "static" ? "" : " and one token"} for each; a tenant's name is what stands in the path`,
    ...tenants.flatMap(({ name, id }) => [
      `  ${scalar(name)}:`,
      ...(provider === "qmatic"
        ? [
            `    account: ${scalar(name.toLowerCase())} # X-ACCOUNT of the token request`,
            `    ${id === undefined ? '# tenant_id: "1001"' : `tenant_id: ${JSON.stringify(id)}`} # X-TENANT-ID of API calls`,
          ]
        : []),
      ...client(provider, (key, what) => refer(name, key, what)).map((line) => `    ${line}`),
    ]),
  ];
}

function routeLines({ provider, upstream }: Answers, name: string): readonly string[] {
  const isOwn = provider === "oauth2" || provider === "static";
  return [...(isOwn ? [`upstream: ${scalar(upstream ?? "")}`] : []), `credential: ${name}`];
}

/** In quotes where YAML would read something else than text. */
function scalar(text: string): string {
  return stringify(text, { lineWidth: 0 }).trim();
}

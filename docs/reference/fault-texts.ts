import type { FaultKind } from "../../src/config/fault-kind.ts";

/** One kind of configuration fault, with a file that has it. `docs/reference/errors.md` shows what `check` says of it. */
export interface FaultText {
  /** Heading. */
  readonly title: string;
  /** A configuration with one fault of this kind, or one warning. */
  readonly sample: string;
  /** The environment that the sample is judged with. Default: none. */
  readonly env?: Readonly<Record<string, string>>;
  /** Why it is refused, and what to do. Markdown. */
  readonly text: string;
}

const BILLING = `credentials:
  billing:
    provider: oauth2
    token_url: https://id.example.com/oauth2/token
    client_id: my-client
    client_secret: { env: BILLING_SECRET }
`;

const BILLING_ROUTE = `${BILLING}routes:
  - { name: billing, path: /billing/, upstream: https://api.example.com/, credential: billing }
`;

/** One for each kind: the compiler misses none, and the page keeps this order. */
export const FAULT_TEXTS: Readonly<Record<FaultKind, FaultText>> = {
  unreadable: {
    title: "Something cannot be read",
    sample: BILLING_ROUTE,
    text: "The configuration file, a secret, a PEM file, a `tenants_directory` or the store's file is not there, or may not be read. `check` reads no secrets unless it is asked to with `--secrets`; `run` always does, and refuses to start. The reason is in the message: a variable that is not set, a path that does not exist, a permission. Paths are relative to the configuration file.",
  },
  "not-yaml": {
    title: "Not YAML",
    sample: "listen: [127.0.0.1:8080\n",
    text: "The file cannot be read as one YAML document of plain values. Tabs for indentation and a missing closing bracket or quote are the usual reasons.",
  },
  "duplicate-key": {
    title: "A key twice",
    sample: "admin: 127.0.0.1:9090\nadmin: 127.0.0.1:9091\n",
    text: "Most YAML readers take the last one in silence; here it is a fault, since one of the two is not what was meant. Names of header fields have no case: `X-A` and `x-a` are one.",
  },
  "unknown-key": {
    title: "Unknown key",
    sample: "listn: 127.0.0.1:8080\n",
    text: "A key that is not known is never ignored: what it was meant for would not happen. Where one is close, it is named. [configuration.md](configuration.md) has all of them.",
  },
  "misplaced-key": {
    title: "A key that cannot be used here",
    sample: `routes:
  - { name: a, path: /a/, upstream: https://a.example.com/, credential: none, login: redirect }
`,
    text: "The key is known, and belongs to another grant, to the credential in place of the tenant, or to a route of another kind. The message says to which.",
  },
  "missing-key": {
    title: "Missing key",
    sample: "credentials:\n  key: { provider: static, header: X-API-Key }\n",
    text: "The key has no default here, and the message says what to give. Of a credential with tenants it may stand on the credential or on every tenant.",
  },
  "wrong-type": {
    title: "Wrong type",
    sample: "limits: { headers: many }\n",
    text: "YAML reads `1001` as a number and `yes` as text: put quotes around what is text, such as a tenant's id.",
  },
  "not-a-choice": {
    title: "Not one of the choices",
    sample: "log: { level: verbose }\n",
    text: "The message lists what can be given and names the one that is close, or says why it is never one of them.",
  },
  "wrong-form": {
    title: "Text in a wrong form",
    sample: "listen: localhost\n",
    text: "An address, a URL, a path, a name, a header field or a pattern is not written as it must be. The message shows the form, and the value where it cannot be a secret.",
  },
  "no-unit": {
    title: "Number without a unit",
    sample: "drain: { timeout: 30 }\n",
    text: "Durations are `250ms`, `30s`, `5m`, `1h`; sizes `64KiB`, `2MiB`. A bare number could be either of two units.",
  },
  "out-of-bounds": {
    title: "Out of bounds",
    sample: "limits: { headers: 0 }\n",
    text: "The message names the bound. A list or a text that must not be empty is also meant.",
  },
  "reserved-name": {
    title: "A name that is taken",
    sample:
      "routes:\n  - { name: a, path: /.pillion/a/, upstream: https://a.example.com/, credential: none }\n",
    text: "Paths below `/.pillion`, the credential's name `none`, header fields that frame a message, `Pillion-…`, and the fields that a credential injects belong to the proxy: if the configuration could set them, what it says elsewhere would not hold.",
  },
  "secret-in-file": {
    title: "A secret written out",
    sample: BILLING.replace("{ env: BILLING_SECRET }", "hunter2"),
    text: "Configurations are committed, copied and mailed; secrets are not. Refer to an environment variable or a file. The value is not repeated in the message.",
  },
  "env-or-file": {
    title: "Neither env nor file",
    sample: BILLING.replace("{ env: BILLING_SECRET }", "{ env: A, file: b }"),
    text: "A reference has exactly one of the two.",
  },
  "unusable-secret": {
    title: "A secret or a PEM file that cannot be used",
    sample: BILLING_ROUTE,
    env: { BILLING_SECRET: "" },
    text: "It was read, and is not what it must be: empty, of more than one line, no certificate or unencrypted private key in PEM, a key of another certificate, not 32 bytes in base64 for the store, no Redis URL. Its content is never shown. Above, `BILLING_SECRET` is set and empty; `openssl x509 -noout -in FILE` says whether a file holds a certificate.",
  },
  "unknown-name": {
    title: "A name that refers to nothing",
    sample: `${BILLING}routes:\n  - { name: billing, path: /billing/, upstream: https://api.example.com/, credential: biling }\n`,
    text: "A route's `credential` and `tenant`, and `app` and `anonymous` of a credential, name what is written elsewhere in this file, to the letter.",
  },
  "unsuitable-credential": {
    title: "A credential of the wrong kind",
    sample: `credentials:
  patient:
    provider: zocdoc
    grant: anonymous
    environment: sandbox
    app: billing
    app_client_id: my-spa
${BILLING.replace("credentials:\n", "")}`,
    text: "`app` and `anonymous` need a credential of a certain provider, grant and environment, without tenants. The message says which.",
  },
  conflict: {
    title: "Settings that contradict each other",
    sample: "session: { idle: 30d, absolute: 15d }\n",
    text: "Each is good alone, and both together cannot hold, or one needs the other: `cert` and `key`, `sqlite` and `redis`, `listen` and `admin`, two ways to name the tenant. Keep what is meant.",
  },
  "duplicate-route": {
    title: "Two routes for the same requests",
    sample:
      "routes:\n  - { name: a, path: /x/, upstream: https://a.example.com/, credential: none }\n  - { name: b, path: /x/, upstream: https://b.example.com/, credential: none }\n",
    text: "The longest prefix wins, so two that are equal cannot be told apart. Two routes of one name cannot either, in metrics and logs.",
  },
  "no-upstream": {
    title: "Nowhere to forward to",
    sample: `${BILLING}routes:\n  - { name: billing, path: /billing/, credential: billing }\n`,
    text: "Only `zocdoc` and `qmatic` know where their API is. Every other route says so with `upstream`.",
  },
  "no-tenant-rule": {
    title: "Tenants, and no way to choose one",
    sample: `credentials:
  qmatic:
    provider: qmatic
    region: eu-west-1
    tenants:
      isb: { client_id: isb, client_secret: { env: ISB } }
routes:
  - { name: qmatic, path: /qmatic/, credential: qmatic }
`,
    text: "There is never a default tenant: one clinic's request must not end in another's books. Name it in the path (`/qmatic/{tenant}/`), in a header field, by the host, or fix it with `tenant: isb`.",
  },
  "no-tenants": {
    title: "A tenant, and a credential without tenants",
    sample: `${BILLING}routes:
  - { name: billing, path: "/billing/{tenant}/", upstream: https://api.example.com/, credential: billing }
`,
    text: "The route says how the tenant is chosen, yet its credential has one client for all. Give the credential `tenants` or `tenants_directory`, or take `{tenant}` or `tenant` out of the route.",
  },
  "plain-http": {
    title: "Plain http",
    sample: BILLING.replace("https:", "http:"),
    text: "Secrets and tokens would travel readably. Loopback addresses are accepted; elsewhere write `allow_insecure_http: true` beside the URL, when the network in between is your own.",
  },
  "open-listener": {
    title: "Reachable from other machines",
    sample: "listen: 0.0.0.0:8080\n",
    text: "Whoever reaches the data listener uses its credentials. Listen on `127.0.0.1`, on a Unix socket, or ask callers for a token.",
  },
  "no-store-key": {
    title: "A store without keys",
    sample: "store: { sqlite: pillion.db }\n",
    text: "What is stored is always encrypted. `openssl rand -base64 32 > secrets/store-key` makes a key.",
  },
  "no-route": {
    title: "No route",
    sample: "listen: 127.0.0.1:8080\n",
    text: "A warning: what no route names is not forwarded, so every request gets [ROUTE_NOT_FOUND](#route-not-found). Add an entry to `routes`.",
  },
  "unused-credential": {
    title: "A credential that no route uses",
    sample:
      `${BILLING_ROUTE}  - { name: open, path: /open/, upstream: https://api.example.com/, credential: none }
`.replace("credential: billing }", "credential: none }"),
    text: "A warning: nothing would ever ask for its token. A route was forgotten, or names another one.",
  },
  "no-refresh-token": {
    title: "Users without a refresh token",
    sample: `credentials:
  user:
    provider: zocdoc
    grant: user
    environment: sandbox
    client_id: my-spa
    scopes: [external.appointment.read]
routes:
  - { name: zocdoc, path: /zocdoc/, credential: user }
`,
    text: "A warning: without the scope `offline_access` a user's session ends with the first access token, mostly within the hour.",
  },
};

/** Kinds of configuration faults, each with a file that has it. `docs/reference/errors.md` shows what `check` says of it. */
export interface FaultText {
  /** Heading, and by that the anchor. */
  readonly title: string;
  /** A configuration with one fault of this kind. */
  readonly sample: string;
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

export const FAULT_TEXTS: readonly FaultText[] = [
  {
    title: "Not YAML",
    sample: "listen: [127.0.0.1:8080\n",
    text: "The file cannot be read as YAML. Tabs for indentation and a missing closing bracket or quote are the usual reasons.",
  },
  {
    title: "A key twice",
    sample: "admin: 127.0.0.1:9090\nadmin: 127.0.0.1:9091\n",
    text: "Most YAML readers take the last one in silence; here it is a fault, since one of the two is not what was meant.",
  },
  {
    title: "Unknown key",
    sample: "listn: 127.0.0.1:8080\n",
    text: "A key that is not known is never ignored: what it was meant for would not happen. Where one is close, it is named. [configuration.md](configuration.md) has all of them.",
  },
  {
    title: "Missing key",
    sample: "credentials:\n  key: { provider: static, header: X-API-Key }\n",
    text: "The key has no default. Of a credential with tenants it may stand on the credential or on every tenant.",
  },
  {
    title: "Wrong type",
    sample: "limits: { headers: many }\n",
    text: "YAML reads `1001` as a number and `yes` as text: put quotes around what is text, such as a tenant's id.",
  },
  {
    title: "Number without a unit",
    sample: "drain: { timeout: 30 }\n",
    text: "Durations are `250ms`, `30s`, `5m`, `1h`; sizes `64KiB`, `2MiB`. A bare number could be either of two units.",
  },
  {
    title: "Out of bounds",
    sample: "limits: { headers: 0 }\n",
    text: "The message names the bound.",
  },
  {
    title: "A secret written out",
    sample: BILLING.replace("{ env: BILLING_SECRET }", "hunter2"),
    text: "Configurations are committed, copied and mailed; secrets are not. Refer to an environment variable or a file. The value is not repeated in the message.",
  },
  {
    title: "Neither env nor file",
    sample: BILLING.replace("{ env: BILLING_SECRET }", "{ env: A, file: b }"),
    text: "A reference has exactly one of the two.",
  },
  {
    title: "A name that refers to nothing",
    sample: `${BILLING}routes:\n  - { name: billing, path: /billing/, upstream: https://api.example.com/, credential: biling }\n`,
    text: "A route's `credential`, and `app` and `anonymous` of a credential, name another entry of this file.",
  },
  {
    title: "Nowhere to forward to",
    sample: `${BILLING}routes:\n  - { name: billing, path: /billing/, credential: billing }\n`,
    text: "Only `zocdoc` and `qmatic` know where their API is. Every other route says so with `upstream`.",
  },
  {
    title: "Two routes for the same requests",
    sample:
      "routes:\n  - { name: a, path: /x/, upstream: https://a.example.com/, credential: none }\n  - { name: b, path: /x/, upstream: https://b.example.com/, credential: none }\n",
    text: "The longest prefix wins, so two that are equal cannot be told apart. Two routes of one name cannot either, in metrics and logs.",
  },
  {
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
  {
    title: "Plain http",
    sample: BILLING.replace("https:", "http:"),
    text: "Secrets and tokens would travel readably. Loopback addresses are accepted; elsewhere write `allow_insecure_http: true` beside the URL, when the network in between is your own.",
  },
  {
    title: "Reachable from other machines",
    sample: "listen: 0.0.0.0:8080\n",
    text: "Whoever reaches the data listener uses its credentials. Listen on `127.0.0.1`, on a Unix socket, or ask callers for a token.",
  },
  {
    title: "A store without keys",
    sample: "store: { sqlite: pillion.db }\n",
    text: "What is stored is always encrypted. `openssl rand -base64 32 > secrets/store-key` makes a key.",
  },
];

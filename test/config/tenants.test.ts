import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "./config-fixture.ts";

const QMATIC = `
credentials:
  q:
    provider: qmatic
    region: eu-west-1
    client_id: x
    client_secret: { env: S }
    tenants:
      isb: {}
      Lhr: { region: us-east-1, client_id: { file: lhr/id }, token_requests_per_second: 5 }
`;
const route = (text: string): string => `${QMATIC}routes:\n  - { name: a, credential: q, ${text} }`;

describe("a credential with tenants", () => {
  it("has one spec per tenant: the credential's keys, overridden by the tenant's", () => {
    const { spec, tenants } = configOf(`${QMATIC}routes: []`).credentials.get("q") ?? {};
    expect(spec).toBeUndefined();
    expect([...(tenants ?? [])].map(([name]) => name)).toEqual(["isb", "Lhr"]);
    expect(tenants?.get("isb")).toMatchObject({
      environment: "eu-west-1",
      clientId: { kind: "literal", value: "x" },
      tokenRequestsPerSecond: 1,
    });
    expect(tenants?.get("Lhr")).toMatchObject({
      environment: "us-east-1",
      tokenUrl: new URL("https://api.us-east-1.qmatic.io/oauth2/token"),
      clientId: { kind: "file", path: "/etc/pillion/lhr/id" },
      clientSecret: { kind: "env", name: "S" },
      tokenRequestsPerSecond: 5,
    });
  });

  it("tenants without TLS or proxy of their own share one connection object, and so one pool", () => {
    const { tenants } = configOf(`${QMATIC}routes: []`).credentials.get("q") ?? {};
    const [first, second] = [...(tenants?.values() ?? [])];
    expect(first?.kind === "client_credentials" && first.connection).toBe(
      second?.kind === "client_credentials" && second.connection,
    );
  });

  it.each([
    ["path: '/q/{tenant}/'", { kind: "path" }],
    ["path: /q, tenant: isb", { kind: "fixed", tenant: "isb" }],
    ["path: /q, tenant: { header: X-Tenant }", { kind: "header", name: "x-tenant" }],
    ["path: /q, tenant: { host: '{tenant}.Localhost' }", { kind: "host", prefix: "", suffix: ".localhost" }],
    ["path: /q, tenant: { host: 'q-{tenant}.app' }", { kind: "host", prefix: "q-", suffix: ".app" }],
  ])("a route with { %s }", (text, rule) => {
    expect(configOf(route(text)).routes[0]?.tenant).toEqual(rule);
  });

  it.each([
    [
      "path: /q",
      /tenant: is missing: credential q has tenants, so the route must say how one is chosen; write/,
    ],
    ["path: /q, tenant: isp", /tenant: credential q has no tenant "isp" \(did you mean "isb"\?\)/],
    ["path: /q, tenant: ISB", /tenant: credential q has no tenant "ISB"/],
    ["path: '/q/{tenant}', tenant: isb", /tenant: the path names the tenant already/],
    ["path: '/q/{tenant}', tenant: { header: X }", /tenant: the path names the tenant already/],
    [
      "path: /q, tenant: { header: X, host: '{tenant}.a' }",
      /tenant: expected a tenant's name, \{ header: NAME \} or/,
    ],
    ["path: /q, tenant: {}", /tenant: expected a tenant's name/],
    ["path: /q, tenant: [isb]", /tenant: expected a tenant's name/],
    ["path: /q, tenant: 'a b'", /tenant: not a valid tenant name: "a b"/],
    ["path: /q, tenant: { header: 'a b' }", /tenant: expected a tenant's name/],
    [
      "path: /q, tenant: { header: Host }",
      /tenant\.header: cannot be host: the proxy makes this field itself/,
    ],
    ["path: /q, tenant: { header: Authorization }", /tenant\.header: cannot be authorization/],
    ["path: /q, tenant: { header: Pillion-Tenant }", /tenant\.header: cannot be pillion-tenant/],
    ["path: /q, tenant: { host: localhost }", /tenant: expected a host with \{tenant\} in it once/],
    ["path: /q, tenant: { host: '{tenant}.{tenant}' }", /tenant: expected a host with \{tenant\} in it once/],
    ["path: /q, tenant: { host: '{tenant}.a:80' }", /tenant: a host pattern has no port/],
    ["path: /q, tenant: { host: '{tenant}/a' }", /tenant: expected a host with/],
    [
      "path: /q, tenant: { header: X-T }, request_headers: { set: { x-t: a } }",
      /request_headers\.set\.x-t: cannot be set: it names the tenant/,
    ],
    [
      "path: /q, tenant: isb, request_headers: { set: { X-Tenant-Id: a } }",
      /request_headers\.set\.X-Tenant-Id: cannot be set: the route's credential injects it/,
    ],
  ])("a route with { %s } is refused", (text, fault) => {
    const faults = faultsOf(route(text));
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });

  it("tenants that a host cannot tell apart are refused where the host chooses, and only there", () => {
    const twins = QMATIC.replace("Lhr:", "ISB:");
    const by = (rule: string): readonly string[] =>
      faultsOf(`${twins}routes: [{ name: a, path: /q, credential: q, tenant: ${rule} }]`);
    expect(by("{ host: '{tenant}.a' }")).toEqual([
      expect.stringContaining("tenants isb and ISB differ in case only, which a host cannot tell apart"),
    ]);
    expect(by("{ header: X }")).toEqual([]);
  });
});

describe("a route whose credential has no tenants", () => {
  const plain = QMATIC.slice(0, QMATIC.indexOf("    tenants:")).replace(
    "    client_id",
    "    account: a\n    client_id",
  );
  it.each([
    [
      "q",
      "path: '/q/{tenant}/'",
      /path: \{tenant\} needs a credential with tenants, and credential q has none/,
    ],
    ["q", "path: /q, tenant: isb", /tenant: credential q has no tenants/],
    [
      "none",
      "path: '/q/{tenant}/', upstream: 'https://a/'",
      /path: \{tenant\} needs a .*, and credential none has none/,
    ],
    [
      "none",
      "path: /q, upstream: 'https://a/', tenant: { header: X }",
      /tenant: credential none has no tenants/,
    ],
  ])("credential %s, { %s } is refused", (credential, text, fault) => {
    const faults = faultsOf(`${plain}routes: [{ name: a, credential: ${credential}, ${text} }]`);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });
});

describe("tenants with faults", () => {
  const tenants = (
    text: string,
    own = "region: eu-west-1, client_id: x, client_secret: { env: S }",
  ): readonly string[] =>
    faultsOf(`credentials: { q: { provider: qmatic, ${own}, tenants: ${text} } }`).map((line) =>
      line.replace(/^\S+ credentials\.q\.?/, ""),
    );

  it.each([
    ["{}", ["tenants: expected a mapping of tenants: the name of each, and its keys below"]],
    ["[isb]", ["tenants: expected a mapping of tenants: the name of each, and its keys below"]],
    ["{ isb: }", ["tenants.isb: is empty: expected a mapping; write {} for no keys of its own"]],
    ["{ isb: x }", ["tenants.isb: expected a mapping"]],
    [
      "{ isb: { api_url: 'https://a/' } }",
      ["tenants.isb.api_url: is shared by all tenants: write it on the credential"],
    ],
    [
      "{ isb: { prefetch: true } }",
      ["tenants.isb.prefetch: is shared by all tenants: write it on the credential"],
    ],
    ["{ isb: { tennant_id: a } }", ['tenants.isb.tennant_id: unknown key (did you mean "tenant_id"?)']],
    ["{ isb: { tenant_id: 1001 } }", ["tenants.isb.tenant_id: expected text; put it in quotes"]],
    ["{ isb: { token_url: 'http://a/' } }", [expect.stringContaining("tenants.isb.token_url: plain http:")]],
  ])("%s", (text, faults) => {
    expect(tenants(text)).toEqual(faults);
  });

  it.each([
    ['"a b"', '["a b"]'],
    ["-a", ".-a"],
    [".a", '[".a"]'],
    ["..", '[".."]'],
    ['"a/b"', '["a/b"]'],
    [`"${"x".repeat(64)}"`, `.${"x".repeat(64)}`],
  ])("the name %s is refused", (name, shown) => {
    expect(tenants(`{ ${name}: {} }`)).toEqual([
      expect.stringContaining(`tenants${shown}: not a valid tenant name`),
    ]);
  });

  it.each(["a", "0", "A.b_c-D", "constructor", "x".repeat(63)])("the name %s is accepted", (name) => {
    expect(tenants(`{ ${name}: {} }`)).toEqual([]);
  });

  it("a name is the text as written, not the number it looks like", () => {
    const text =
      "credentials: { q: { provider: qmatic, region: eu-west-1, client_id: x, client_secret: { env: S }, tenants: { 0012: {}, 1e3: {} } } }";
    expect([...(configOf(text).credentials.get("q")?.tenants?.keys() ?? [])]).toEqual(["0012", "1e3"]);
  });

  it("what no tenant has is missed once, on the credential", () => {
    expect(tenants("{ a: {}, b: {} }", "region: eu-west-1, client_id: x")).toEqual([
      expect.stringMatching(/^client_secret: is missing: .*, here or on every tenant$/),
    ]);
  });

  it("what one tenant lacks is missed there", () => {
    expect(tenants("{ a: { client_secret: { env: A } }, b: {} }", "region: eu-west-1, client_id: x")).toEqual(
      [expect.stringMatching(/^tenants\.b\.client_secret: is missing: .*, here or on the credential$/)],
    );
  });

  it("one fault of the credential is one line, however many tenants share it", () => {
    expect(
      tenants(
        "{ a: {}, b: {} }",
        "region: eu-west-1, client_id: x, client_secret: { env: S }, scopes: [bok]",
      ),
    ).toEqual([expect.stringMatching(/^scopes: unknown scope "bok" \(did you mean "book"\?\)/)]);
  });
});

it("10 000 tenants are read in a moment", { timeout: 30_000 }, () => {
  const lines = Array.from(
    { length: 10_000 },
    (_, index) =>
      `      t${index}: { tenant_id: "${index}", client_id: { env: C${index} }, client_secret: { file: s/${index} } }`,
  );
  const text = `credentials:\n  q:\n    provider: qmatic\n    region: eu-west-1\n    tenants:\n${lines.join("\n")}\n`;
  expect(configOf(text).credentials.get("q")?.tenants?.size).toBe(10_000);
});

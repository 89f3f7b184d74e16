import { describe, expect, it } from "vitest";
import { accountOf, fullScope } from "../../src/provider/qmatic.ts";
import { configOf, faultsOf } from "../config/config-fixture.ts";

const qmatic = (more: string, region = "eu-west-1"): string =>
  `credentials: { q: { provider: qmatic, region: ${region}, client_id: id, client_secret: { env: S }, ${more} } }`;
const credentialOf = (text: string) => configOf(text).credentials.get("q");

const BOOK = "com.qmatic.saas.appointments/external.appointment.book";
const RESCHEDULE = "com.qmatic.saas.appointments/external.appointment.reschedule";
const CANCEL = "com.qmatic.saas.appointments/external.appointment.cancel";

describe("qmatic", () => {
  it.each([
    ["eu-west-1", "https://api.eu-west-1.qmatic.io/oauth2/token", "https://api.eu-west-1.qmatic.io/"],
    ["us-east-1", "https://api.us-east-1.qmatic.io/oauth2/token", "https://api.us-east-1.qmatic.io/"],
  ])(
    "%s: its token URL and API base, HTTP Basic, X-ACCOUNT, X-TENANT-ID, one request a second",
    (region, tokenUrl, api) => {
      expect(credentialOf(qmatic('account: isb, tenant_id: "1001"', region))).toEqual({
        name: "q",
        provider: "qmatic",
        prefetch: false,
        defaultUpstream: new URL(api),
        defaultDeny: [],
        injectedFields: ["authorization", "x-account", "x-tenant-id"],
        tenants: undefined,
        spec: {
          kind: "client_credentials",
          provider: "qmatic",
          environment: region,
          tokenUrl: new URL(tokenUrl),
          clientAuth: "basic",
          clientId: { kind: "literal", value: "id" },
          clientSecret: { kind: "env", name: "S" },
          scopes: [BOOK, RESCHEDULE, CANCEL],
          audience: undefined,
          params: {},
          tokenRequestHeaders: ["X-ACCOUNT", "isb"],
          injectHeaders: ["x-tenant-id", "1001"],
          connection: { tls: undefined, httpProxy: undefined },
          tokenRequestsPerSecond: 1,
        },
      });
    },
  );

  it("without a tenant id, X-TENANT-ID is not injected", () => {
    expect(credentialOf(qmatic("account: isb"))?.spec).toMatchObject({ injectHeaders: [] });
  });

  it("a tenant's account is its name in lower case, or what is given, as written", () => {
    const { tenants } = credentialOf(qmatic("tenants: { ISB: {}, LHR: { account: Lahore Two } }")) ?? {};
    expect(tenants?.get("ISB")).toMatchObject({ tokenRequestHeaders: ["X-ACCOUNT", "isb"] });
    expect(tenants?.get("LHR")).toMatchObject({ tokenRequestHeaders: ["X-ACCOUNT", "Lahore Two"] });
  });

  it.each([
    ["My System 1", "mysystem1"],
    ["isb", "isb"],
    [undefined, undefined],
  ])("the account of %j is %j", (name, account) => {
    expect(accountOf(name)).toBe(account);
  });

  it.each([
    ["book", BOOK],
    ["reschedule", RESCHEDULE],
    ["cancel", CANCEL],
    [BOOK, BOOK],
    ["com.qmatic.saas.other/thing", "com.qmatic.saas.other/thing"],
    ["Book", undefined],
    ["constructor", undefined],
  ])("the scope %s is %s", (name, scope) => {
    expect(fullScope(name)).toBe(scope);
  });

  it("a stand-in's URLs are used", () => {
    const credential = credentialOf(
      qmatic("account: a, token_url: 'http://localhost:9/t', api_url: 'http://localhost:9/api/'"),
    );
    expect(credential?.spec).toMatchObject({ tokenUrl: new URL("http://localhost:9/t") });
    expect(credential?.defaultUpstream?.href).toBe("http://localhost:9/api/");
  });

  it.each([
    [qmatic("prefetch: false"), "account: is missing: without tenants the account (X-ACCOUNT) must be given"],
    [
      qmatic("account: 'a, b '"),
      "account: must consist of printable ASCII characters, without blanks at the ends",
    ],
    [qmatic("account: 5"), "account: expected text; put it in quotes"],
    [qmatic("account: a, scopes: []"), "scopes: must not be an empty list"],
    [qmatic("account: a, scopes: book"), "scopes: expected a list, not text"],
    [qmatic("account: a, scopes: ['book cancel']"), "scopes[0]: one scope an entry: [book, cancel]"],
    [
      qmatic("account: a, scopes: [resched]"),
      'scopes: unknown scope "resched" (did you mean "reschedule"?): expected book, reschedule, cancel or a full name (com.qmatic.saas.appointments/external.appointment.…)',
    ],
    [
      qmatic("account: a", "eu-west-2"),
      'region: expected eu-west-1 or us-east-1, not "eu-west-2" (did you mean "eu-west-1"?)',
    ],
  ])("%s is refused", (text, fault) => {
    expect(faultsOf(text).map((line) => line.replace(/^\S+ credentials\.q\./, ""))).toEqual([fault]);
  });
});

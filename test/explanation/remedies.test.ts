import { describe, expect, it } from "vitest";
import { formatPlace } from "../../src/config/fault.ts";
import { createSystemClock } from "../../src/core/clock.ts";
import { explainRequest } from "../../src/explanation/explain-request.ts";
import { parse } from "./cases.ts";

const TEXT = `listen: 127.0.0.1:8080
access:
  origins: [https://app.example]
credentials:
  api:
    provider: zocdoc
    environment: sandbox
    client_id: fake
    client_secret: { env: NONE }
  user:
    provider: zocdoc
    grant: user
    environment: sandbox
    client_id: fake
    scopes: [offline_access]
  many:
    provider: qmatic
    region: eu-west-1
    tenants:
      isb: { client_id: fake, client_secret: { env: NONE } }
routes:
  - name: api
    path: /api/
    credential: api
    methods: [GET, POST]
    deny:
      - "GET /v1/none"
      - "GET /v1/secret/*"
  - name: listed
    path: /listed/
    credential: api
    allow: ["GET /a/*"]
  - name: user
    path: /user/
    credential: user
  - name: many
    path: /many/{tenant}/
    credential: many
  - name: header
    path: /header/
    credential: many
    tenant: { header: X-Tenant }
  - name: host
    path: /host/
    credential: many
    tenant: { host: "{tenant}.tenants.test" }
`;

interface Asked {
  readonly method?: string;
  readonly target?: string;
  readonly fields?: readonly (readonly [string, string])[];
}

/** The refusal, the place of the configuration that would change it, and what to do. */
async function refusal({ method = "GET", target = "/api/x", fields = [] }: Asked, text = TEXT) {
  const { config, locate } = parse(text);
  if (config === undefined) throw new Error("the configuration is not valid");
  const hasHost = fields.some(([name]) => name === "Host");
  const asked = {
    method,
    target,
    fields: hasHost ? fields : [["Host", "localhost:8080"] as const, ...fields],
    locality: { port: 8_080, address: "127.0.0.1" },
  };
  const clock = createSystemClock();
  const { code, status, remedy } = await explainRequest(config, asked, {
    clock,
    ownOrigin: () => "http://localhost:8080",
  });
  const place = remedy?.at === undefined ? "" : formatPlace(locate(remedy.at));
  return { verdict: `${code} ${status}`, place: place.replace("pillion.yaml:", ""), hint: remedy?.hint };
}

describe("a refusal names the line that would change it", () => {
  it.each<[string, string, string, RegExp, Asked]>([
    [
      "a path near a route",
      "ROUTE_NOT_FOUND 404",
      "23:11 routes[0].path",
      /did you mean \/api\/x/,
      { target: "/apj/x" },
    ],
    [
      "a path near none",
      "ROUTE_NOT_FOUND 404",
      "22:3 routes",
      /there are \/api\/, \/listed\//,
      { target: "/elsewhere" },
    ],
    ["a method", "METHOD_NOT_ALLOWED 405", "25:14 routes[0].methods", /add DELETE/, { method: "DELETE" }],
    [
      "a method that no list can name",
      "METHOD_NOT_ALLOWED 405",
      "25:14 routes[0].methods",
      /cannot name PURGE/,
      { method: "PURGE" },
    ],
    [
      "a denial",
      "OPERATION_DENIED 403",
      "28:9 routes[0].deny[1]",
      /"GET \/v1\/secret\/\*"/,
      { target: "/api/V1//secret/a" },
    ],
    [
      "a provider's own denial",
      "OPERATION_DENIED 403",
      "22:5 routes[0].allow",
      /by default.*to the letter.*"\* \/\*"/,
      { method: "POST", target: "/api/v1/credentials/rotate" },
    ],
    [
      "an allowance",
      "OPERATION_DENIED 403",
      "32:12 routes[1].allow",
      /add "GET \/b"/,
      { target: "/listed/b" },
    ],
    [
      "an allowance of what cannot be written",
      "OPERATION_DENIED 403",
      "32:12 routes[1].allow",
      /a pattern/,
      { target: "/listed/b%25" },
    ],
    [
      "an unknown tenant",
      "TENANT_UNKNOWN 404",
      "20:7 credentials.many.tenants",
      /did you mean isb/,
      { target: "/many/ISB/x" },
    ],
    [
      "no tenant in the path",
      "TENANT_REQUIRED 400",
      "37:11 routes[3].path",
      /\{tenant\}/,
      { target: "/many//x" },
    ],
    [
      "no tenant in the field",
      "TENANT_REQUIRED 400",
      "42:23 routes[4].tenant.header",
      /x-tenant/,
      { target: "/header/x" },
    ],
    [
      "no tenant in the Host",
      "TENANT_REQUIRED 400",
      "46:21 routes[5].tenant.host",
      /TENANT\.tenants\.test; there are isb/,
      { target: "/host/x" },
    ],
    [
      "a Host",
      "HOST_NOT_ALLOWED 403",
      "2:1 access.hosts",
      /add evil\.example/,
      { fields: [["Host", "evil.example"]] },
    ],
    [
      "another listener's port",
      "HOST_NOT_ALLOWED 403",
      "1:9 listen",
      /localhost:8080/,
      { fields: [["Host", "localhost:9"]] },
    ],
    [
      "an origin",
      "ORIGIN_NOT_ALLOWED 403",
      "3:12 access.origins",
      /add https:\/\/evil\.example/,
      { fields: [["Origin", "https://evil.example"]] },
    ],
    [
      "a login that does not exist",
      "ROUTE_NOT_FOUND 404",
      "5:3 credentials",
      /\/\.pillion\/login\/user/,
      { target: "/.pillion/login/api" },
    ],
    [
      "too many fields",
      "HEADERS_TOO_LARGE 431",
      "1:1 limits.headers",
      /raise/,
      { fields: Array.from({ length: 101 }, () => ["X-A", "b"] as const) },
    ],
    [
      "too many bytes",
      "HEADERS_TOO_LARGE 431",
      "1:1 limits.header_bytes",
      /raise/,
      { fields: [["X-A", "b".repeat(20_000)]] },
    ],
  ])("%s", async (_what, verdict, place, hint, asked) => {
    const found = await refusal(asked);
    expect({ ...found, hint: "" }).toEqual({ verdict, place, hint: "" });
    expect(found.hint).toMatch(hint);
  });

  it("a missing access token", async () => {
    const text = TEXT.replace("access:", "access:\n  token: { file: /run/secrets/access }");
    expect(await refusal({}, text)).toEqual({
      verdict: "ACCESS_TOKEN_REQUIRED 403",
      place: "3:10 access.token",
      hint: "send Pillion-Access with the value of file /run/secrets/access",
    });
  });

  it("a denial of one's own that is also the provider's", async () => {
    const rotate = "POST /v1/credentials/rotate";
    const text = TEXT.replace('"GET /v1/none"', `"${rotate}"`).replace(
      "methods: [GET, POST]",
      `allow: ["* /*", "${rotate}"]`,
    );
    const asked = { method: "POST", target: "/api/v1/credentials/rotate" };
    expect(await refusal(asked, text)).toMatchObject({ place: "27:9 routes[0].deny[0]" });
  });
});

describe("what is advised helps", () => {
  it.each<[string, Asked, string, string]>([
    [
      "a provider's own denial",
      { method: "POST", target: "/api/v1/credentials/rotate" },
      "methods: [GET, POST]",
      'allow: ["POST /v1/credentials/rotate", "* /*"]',
    ],
    ["a method", { method: "DELETE" }, "[GET, POST]", "[GET, POST, DELETE]"],
    ["a Host", { fields: [["Host", "app.example:1"]] }, "access:", 'access:\n  hosts: ["app.example:1"]'],
    [
      "an origin",
      { fields: [["Origin", "https://b.example"]] },
      "[https://app.example]",
      "[https://b.example]",
    ],
    ["a tenant", { target: "/many/new/x" }, "isb:", "new:"],
  ])("%s", async (_what, asked, before, after) => {
    expect((await refusal(asked)).verdict).not.toBe("undefined undefined");
    expect(TEXT).toContain(before);
    expect(await refusal(asked, TEXT.replace(before, after))).toMatchObject({
      verdict: "undefined undefined",
    });
  });
});

describe("a refusal that no configuration changes says so", () => {
  it.each<[string, string, RegExp, Asked]>([
    ["a dot segment", "TARGET_INVALID 400", /the path that is meant/, { target: "/api/../x" }],
    ["a line break", "TARGET_INVALID 400", /the path that is meant/, { target: "/api/x\r\nX: y" }],
    ["a blank", "REQUEST_INVALID 400", /percent-encoded/, { target: "/api/a b" }],
    [
      "a host without a scheme",
      "TARGET_INVALID 400",
      /http:\/\/localhost:8080\/api\//,
      { target: "localhost:8080/api/" },
    ],
    ["a method in lower case", "REQUEST_INVALID 400", /GET/, { method: "get" }],
    ["TRACE", "METHOD_NOT_ALLOWED 405", /GET, POST/, { method: "TRACE" }],
    [
      "a repeated field",
      "REQUEST_INVALID 400",
      /./,
      {
        fields: [
          ["Origin", "null"],
          ["Origin", "null"],
        ],
      },
    ],
    ["an expectation", "EXPECTATION_FAILED 417", /./, { fields: [["Expect", "more"]] }],
    [
      "nobody signed in",
      "LOGIN_REQUIRED 401",
      /\/\.pillion\/login\/user\?return_to=%2Fuser%2Fme/,
      { target: "/user/me" },
    ],
    [
      "a cookie that shows no origin",
      "ORIGIN_NOT_ALLOWED 403",
      /own origin/,
      { method: "POST", target: "/user/me", fields: [["Cookie", `pillion=${"A".repeat(43)}`]] },
    ],
  ])("%s", async (_what, verdict, hint, asked) => {
    const found = await refusal(asked);
    expect({ ...found, hint: "" }).toEqual({ verdict, place: "", hint: "" });
    expect(found.hint).toMatch(hint);
  });
});

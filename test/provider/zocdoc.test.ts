import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "../config/config-fixture.ts";

const zocdoc = (environment: string, more = ""): string =>
  `credentials: { z: { provider: zocdoc, environment: ${environment}, client_id: id, client_secret: { env: S } ${more}} }`;
const credentialOf = (text: string) => configOf(text).credentials.get("z");

describe("zocdoc", () => {
  it.each([
    [
      "production",
      "https://auth.zocdoc.com/oauth/token",
      "https://api-developer.zocdoc.com/",
      "https://api-developer.zocdoc.com/",
    ],
    [
      "sandbox",
      "https://auth-api-developer-sandbox.zocdoc.com/oauth/token",
      "https://api-developer-sandbox.zocdoc.com/",
      "https://api-developer-sandbox.zocdoc.com/",
    ],
  ])("%s: its token URL, audience and API base, to the byte", (environment, tokenUrl, audience, api) => {
    expect(credentialOf(zocdoc(environment))).toEqual({
      name: "z",
      provider: "zocdoc",
      prefetch: false,
      defaultUpstream: new URL(api),
      defaultDeny: ["POST /v1/credentials/rotate"],
      injectedFields: ["authorization"],
      tenants: undefined,
      spec: {
        kind: "client_credentials",
        provider: "zocdoc",
        environment,
        tokenUrl: new URL(tokenUrl),
        clientAuth: "json",
        clientId: { kind: "literal", value: "id" },
        clientSecret: { kind: "env", name: "S" },
        scopes: [],
        audience,
        params: {},
        tokenRequestHeaders: [],
        injectHeaders: [],
        connection: { tls: undefined, httpProxy: undefined },
        tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
      },
    });
  });

  it("a stand-in's URLs leave the audience alone: it is the environment's", () => {
    const text = zocdoc(
      "sandbox",
      ", token_url: 'http://127.0.0.1:9/t', api_url: 'http://127.0.0.1:9/api/', authorize_url: 'http://127.0.0.1:9/a'",
    );
    const credential = credentialOf(text);
    expect(credential?.spec).toMatchObject({
      tokenUrl: new URL("http://127.0.0.1:9/t"),
      audience: "https://api-developer-sandbox.zocdoc.com/",
    });
    expect(credential?.defaultUpstream?.href).toBe("http://127.0.0.1:9/api/");
  });

  it("an audience of its own is sent as written", () => {
    expect(credentialOf(zocdoc("sandbox", ", audience: 'https://x'"))?.spec).toMatchObject({
      audience: "https://x",
    });
  });

  it("prefetch and the pace of token requests are taken over", () => {
    const credential = credentialOf(zocdoc("sandbox", ", prefetch: true, token_requests_per_second: 0.5"));
    expect(credential?.prefetch).toBe(true);
    expect(credential?.spec).toMatchObject({ tokenRequestsPerSecond: 0.5 });
  });

  it("may have tenants, each with a client of its own", () => {
    const text = zocdoc("sandbox", ", tenants: { a: { client_id: a }, b: { client_secret: { env: B } } }");
    const { tenants } = credentialOf(text) ?? {};
    expect(tenants?.get("a")).toMatchObject({ clientId: { value: "a" }, clientSecret: { name: "S" } });
    expect(tenants?.get("b")).toMatchObject({ clientId: { value: "id" }, clientSecret: { name: "B" } });
  });

  it.each([
    [zocdoc("prod"), 'environment: expected sandbox or production, not "prod" (did you mean "production"?)'],
    [zocdoc("sandbox", ", region: eu-west-1"), "region: unknown key"],
    [zocdoc("sandbox", ", audience: ''"), "audience: must not be empty"],
    [
      zocdoc("sandbox").replace("environment: sandbox, ", ""),
      "environment: is missing: expected sandbox or production",
    ],
  ])("%s is refused", (text, fault) => {
    expect(faultsOf(text).map((line) => line.replace(/^\S+ credentials\.z\./, ""))).toEqual([fault]);
  });
});

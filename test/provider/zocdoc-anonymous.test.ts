import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "../config/config-fixture.ts";

const zocdoc = (environment: string, more = ""): string => `credentials:
  v: { provider: zocdoc, grant: anonymous, environment: ${environment}, app: app, app_client_id: { env: ID }${more} }
  app: { provider: zocdoc, environment: ${environment}, client_id: id, client_secret: { env: S } }
`;

describe("zocdoc, grant anonymous", () => {
  it.each([
    ["production", "https://api-developer.zocdoc.com/"],
    ["sandbox", "https://api-developer-sandbox.zocdoc.com/"],
  ])("%s: minted below the API base, with the token of the application", (environment, api) => {
    const { credentials } = configOf(zocdoc(environment));
    expect(credentials.get("v")).toEqual({
      name: "v",
      provider: "zocdoc",
      prefetch: false,
      defaultUpstream: new URL(api),
      defaultDeny: ["POST /v1/credentials/rotate"],
      injectedFields: ["authorization"],
      tenants: undefined,
      spec: {
        kind: "anonymous",
        provider: "zocdoc",
        environment,
        mintUrl: new URL(`${api}v1/token/anonymous-user`),
        app: { credential: "app", spec: credentials.get("app")?.spec },
        appClientId: { kind: "env", name: "ID" },
        connection: { tls: undefined, httpProxy: undefined },
        tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
      },
    });
  });

  it.each([
    ["http://127.0.0.1:9", "http://127.0.0.1:9/v1/token/anonymous-user"],
    ["http://127.0.0.1:9/", "http://127.0.0.1:9/v1/token/anonymous-user"],
    ["http://127.0.0.1:9/api", "http://127.0.0.1:9/api/v1/token/anonymous-user"],
    ["http://127.0.0.1:9/api/", "http://127.0.0.1:9/api/v1/token/anonymous-user"],
  ])("at a stand-in with the API base %s: %s", (apiUrl, mintUrl) => {
    const credential = configOf(zocdoc("sandbox", `, api_url: "${apiUrl}"`)).credentials.get("v");
    expect(credential?.spec).toMatchObject({ mintUrl: new URL(mintUrl) });
    expect(credential?.defaultUpstream).toEqual(new URL(apiUrl));
  });

  it("takes the URLs of the other grants too, so that all three can share a stand-in's", () => {
    const more = ", token_url: 'http://127.0.0.1:9/t', authorize_url: 'http://127.0.0.1:9/a'";
    expect(faultsOf(zocdoc("sandbox", more))).toEqual([]);
  });

  it("is refused over plain http: beyond loopback addresses: the application's token travels there", () => {
    const [fault] = faultsOf(zocdoc("sandbox", ", api_url: 'http://api.example/'"));
    expect(fault).toContain("credentials.v.api_url: plain http: is accepted for loopback addresses only");
  });

  it("what must be given is missed by name", () => {
    expect(
      faultsOf("credentials: { v: { provider: zocdoc, grant: anonymous, environment: sandbox } }"),
    ).toEqual([
      "1:16 credentials.v.app: is missing: expected the name of a credential",
      "1:16 credentials.v.app_client_id: is missing: expected text, { env: NAME } or { file: PATH }",
    ]);
  });
});

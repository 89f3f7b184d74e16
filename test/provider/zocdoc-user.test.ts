import { describe, expect, it } from "vitest";
import { configOf, faultsOf, parse, withoutSection } from "../config/config-fixture.ts";

const zocdoc = (environment: string, more = ""): string =>
  `credentials: { u: { provider: zocdoc, grant: user, environment: ${environment}, client_id: id${more} } }`;
const specOf = (text: string) => configOf(text).credentials.get("u")?.spec;

describe("zocdoc, grant user", () => {
  it.each([
    ["production", "https://auth.zocdoc.com", "DeveloperApiPatient", "https://api-developer.zocdoc.com/"],
    [
      "sandbox",
      "https://auth-api-developer-sandbox.zocdoc.com",
      "DeveloperApiPatient-Sandbox",
      "https://api-developer-sandbox.zocdoc.com/",
    ],
  ])("%s: its URLs, audience and scopes, to the byte", (environment, server, audience, api) => {
    expect(configOf(zocdoc(environment)).credentials.get("u")).toEqual({
      name: "u",
      provider: "zocdoc",
      prefetch: false,
      defaultUpstream: new URL(api),
      defaultDeny: ["POST /v1/credentials/rotate"],
      injectedFields: ["authorization"],
      tenants: undefined,
      spec: {
        kind: "user",
        provider: "zocdoc",
        environment,
        authorizeUrl: new URL(`${server}/authorize`),
        tokenUrl: new URL(`${server}/oauth/token`),
        revocationUrl: undefined,
        issuer: undefined,
        clientId: { kind: "literal", value: "id" },
        client: undefined,
        tokenRequestFormat: "json",
        scopes: ["external.appointment.read", "external.appointment.write", "offline_access"],
        audience,
        anonymous: undefined,
        connection: { tls: undefined, httpProxy: undefined },
        tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
      },
    });
  });

  it("takes a stand-in's URLs, an issuer to the byte, and where tokens are revoked", () => {
    const text = zocdoc(
      "sandbox",
      ", token_url: 'http://127.0.0.1:9/t', api_url: 'http://127.0.0.1:9/api/', authorize_url: 'http://127.0.0.1:9/a', issuer: 'https://Id.example', revocation_url: 'https://id.example/revoke', audience: other, scopes: [offline_access], token_requests_per_second: 2",
    );
    expect(specOf(text)).toMatchObject({
      tokenUrl: new URL("http://127.0.0.1:9/t"),
      authorizeUrl: new URL("http://127.0.0.1:9/a"),
      issuer: "https://Id.example",
      revocationUrl: new URL("https://id.example/revoke"),
      audience: "other",
      scopes: ["offline_access"],
      tokenRequestsPerSecond: 2,
    });
    expect(configOf(text).credentials.get("u")?.defaultUpstream?.href).toBe("http://127.0.0.1:9/api/");
  });

  it("without offline_access there is a warning: there will be no refresh token", () => {
    const warnings = parse(zocdoc("sandbox", ", scopes: [external.appointment.read]")).warnings;
    expect(warnings.map(withoutSection)).toContain(
      "pillion.yaml:1:97 credentials.u.scopes: has no offline_access: users have to sign in again when their access token ends",
    );
    expect(parse(zocdoc("sandbox")).warnings.filter(({ path }) => path.endsWith("scopes"))).toEqual([]);
  });

  const INSECURE =
    "plain http: is accepted for loopback addresses only; use https:, or write allow_insecure_http: true beside it";
  it.each([
    [", authorize_url: 'http://id.example/a'", `authorize_url: ${INSECURE}`],
    [", revocation_url: 'http://id.example/r'", `revocation_url: ${INSECURE}`],
    [
      ", issuer: 'id.example'",
      'issuer: expected a URL that begins with https:// or http://, not "id.example"; begin with https://',
    ],
    [", issuer: 'https://id.example/?x'", "issuer: must not have a query (?…)"],
    [", issuer: 5", "issuer: expected a URL such as https://id.example.com/, not 5"],
    [", scopes: []", "scopes: must not be an empty list"],
    [", scopes: ['a b']", "scopes[0]: one scope an entry: [a, b]"],
    [", audience: ''", "audience: must not be empty"],
  ])("{ %s } is refused", (more, fault) => {
    expect(
      faultsOf(zocdoc("sandbox", more)).map((line) => line.replace(/^\S+ credentials\.u\./, "")),
    ).toEqual([fault]);
  });

  it("what must be given is missed by name", () => {
    expect(faultsOf("credentials: { u: { provider: zocdoc, grant: user } }")).toEqual([
      "1:16 credentials.u.client_id: is missing: expected text, { env: NAME } or { file: PATH }",
      "1:16 credentials.u.environment: is missing: expected sandbox or production",
    ]);
  });
});

import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "../config/config-fixture.ts";

const oauth2 = (more = ""): string =>
  `credentials: { o: { provider: oauth2, grant: user, authorize_url: 'https://id.example/a?x=1', token_url: 'https://id.example/t', client_id: id${more} } }`;
const specOf = (text: string) => configOf(text).credentials.get("o")?.spec;

describe("oauth2, grant user", () => {
  it("is a public client that sends forms, without scopes and audience, unless they are given", () => {
    expect(configOf(oauth2()).credentials.get("o")).toMatchObject({
      defaultUpstream: undefined,
      defaultDeny: [],
      injectedFields: ["authorization"],
      spec: {
        kind: "user",
        provider: "oauth2",
        environment: "",
        authorizeUrl: new URL("https://id.example/a?x=1"),
        tokenUrl: new URL("https://id.example/t"),
        revocationUrl: undefined,
        issuer: undefined,
        clientId: { kind: "literal", value: "id" },
        client: undefined,
        tokenRequestFormat: "form",
        scopes: [],
        audience: undefined,
        anonymous: undefined,
        tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
      },
    });
  });

  const client = (auth: string) => ({ secret: { kind: "env", name: "S" }, auth });
  it.each([
    [", client_secret: { env: S }", { client: client("basic"), tokenRequestFormat: "form" }],
    [
      ", client_secret: { env: S }, client_auth: post",
      { client: client("post"), tokenRequestFormat: "form" },
    ],
    [
      ", client_secret: { env: S }, client_auth: json",
      { client: client("json"), tokenRequestFormat: "json" },
    ],
    [", client_auth: json", { client: undefined, tokenRequestFormat: "json" }],
    [", scopes: [openid, a], audience: x", { scopes: ["openid", "a"], audience: "x" }],
    [", issuer: 'https://id.example'", { issuer: "https://id.example" }],
    [", revocation_url: 'https://id.example/r'", { revocationUrl: new URL("https://id.example/r") }],
  ])("{ %s }", (more, spec) => {
    expect(specOf(oauth2(more))).toMatchObject(spec);
  });

  it.each([
    [", client_auth: basic", "client_auth: basic needs a client_secret; leave both out for a public client"],
    [", client_auth: post", "client_auth: post needs a client_secret; leave both out for a public client"],
    [
      ", client_secret: plain",
      "client_secret: a secret is not written out in the configuration: give { env: NAME } for an environment variable or { file: PATH } for a file",
    ],
    [", params: { a: b }", "params: is for grant client_credentials, and this credential is of grant user"],
    [", anonymous: x", "anonymous: unknown key"],
  ])("{ %s } is refused", (more, fault) => {
    expect(faultsOf(oauth2(more)).map((line) => line.replace(/^\S+ credentials\.o\./, ""))).toEqual([fault]);
  });

  it("needs both endpoints, and an upstream on its routes", () => {
    expect(
      faultsOf(
        "credentials: { o: { provider: oauth2, grant: user, client_id: id } }\nroutes: [{ name: a, path: /a, credential: o }]",
      ),
    ).toEqual([
      "1:16 credentials.o.authorize_url: is missing: expected a URL such as https://api.example.com/",
      "1:16 credentials.o.token_url: is missing: expected a URL such as https://api.example.com/",
    ]);
    expect(faultsOf(`${oauth2()}\nroutes: [{ name: a, path: /a, credential: o }]`)).toEqual([
      "2:10 routes[0].upstream: is missing: credential o gives no default",
    ]);
  });
});

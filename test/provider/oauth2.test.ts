import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "../config/config-fixture.ts";

const oauth2 = (more = ""): string =>
  `credentials: { o: { provider: oauth2, token_url: 'https://id.example.com/t', client_id: id, client_secret: { env: S }${more} } }`;

describe("oauth2", () => {
  it("is HTTP Basic without scopes, audience and parameters, unless they are given", () => {
    expect(configOf(oauth2()).credentials.get("o")).toMatchObject({
      defaultUpstream: undefined,
      defaultDeny: [],
      injectedFields: ["authorization"],
      spec: {
        kind: "client_credentials",
        provider: "oauth2",
        environment: "",
        tokenUrl: new URL("https://id.example.com/t"),
        clientAuth: "basic",
        scopes: [],
        audience: undefined,
        params: {},
        tokenRequestHeaders: [],
        injectHeaders: [],
        tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
      },
    });
  });

  it.each(["basic", "post", "json"])(
    "takes client_auth: %s, scopes, an audience and parameters",
    (clientAuth) => {
      const more = `, client_auth: ${clientAuth}, scopes: [a, b.read], audience: 'https://api/', params: { resource: 'urn:x' }`;
      expect(configOf(oauth2(more)).credentials.get("o")?.spec).toMatchObject({
        clientAuth,
        scopes: ["a", "b.read"],
        audience: "https://api/",
        params: { resource: "urn:x" },
      });
    },
  );

  it.each([
    [
      ", params: { grant_type: password }",
      "params.grant_type: cannot be set here: the grant is always client_credentials",
    ],
    [", params: { client_id: x }", "params.client_id: cannot be set here: use the key client_id"],
    [", params: { client_secret: x }", "params.client_secret: cannot be set here: use the key client_secret"],
    [", params: { scope: x }", "params.scope: cannot be set here: use the key scopes"],
    [", params: { audience: x }", "params.audience: cannot be set here: use the key audience"],
    [", params: { resource: 5 }", "params.resource: expected text; put it in quotes"],
    [", params: [a]", "params: expected a mapping, not a list"],
    [", client_auth: digest", 'client_auth: expected basic, post or json, not "digest"'],
    [", token_requests_per_second: 0", "token_requests_per_second: must be more than 0, not 0"],
    [", token_requests_per_second: fast", 'token_requests_per_second: expected a number, not "fast"'],
    [", account: a", "account: unknown key"],
  ])("{ %s } is refused", (more, fault) => {
    expect(faultsOf(oauth2(more)).map((line) => line.replace(/^\S+ credentials\.o\./, ""))).toEqual([fault]);
  });
});

import { describe, expect, it } from "vitest";
import { narrowed } from "../../src/diagnosis/narrowed.ts";
import { configOf } from "../config/config-fixture.ts";

const config = configOf(`credentials:
  a: { provider: oauth2, token_url: "https://id.example/a", client_id: c, client_secret: { env: SECRET } }
  b:
    provider: oauth2
    token_url: https://id.example/b
    tenants:
      one: { client_id: c, client_secret: { env: SECRET } }
      two: { client_id: d, client_secret: { env: SECRET } }
routes:
  - { name: of-a, path: /a/, upstream: "https://a.example/", credential: a }
  - { name: of-b, path: "/b/{tenant}/", upstream: "https://b.example/", credential: b }
  - { name: of-nobody, path: /c/, upstream: "https://c.example/", credential: none }
`);

describe("a configuration that is kept to one credential", () => {
  it.each([
    [{ credential: "a", tenant: undefined }, { a: [] }, ["of-a"]],
    [{ credential: "b", tenant: undefined }, { b: ["one", "two"] }, ["of-b"]],
    [{ credential: "b", tenant: "two" }, { b: ["two"] }, ["of-b"]],
  ])("%j has its tenants and the routes that take it", (selection, tenants, routes) => {
    const { credentials, routes: left, ...rest } = narrowed(config, selection);
    const kept = [...credentials].map(([name, { tenants: ways }]) => [name, [...(ways?.keys() ?? [])]]);
    expect(Object.fromEntries(kept)).toEqual(tenants);
    expect(left.map(({ name }) => name)).toEqual(routes);
    const { credentials: _all, routes: _every, ...same } = config;
    expect(rest).toEqual(same);
  });
});

import { describe, expect, it } from "vitest";
import { tokenIdentity, tokenKey } from "../../src/token/cache-key.ts";
import { DIRECT, spec } from "./engine.ts";

const tls = { ca: undefined, cert: undefined, key: undefined, serverName: undefined };
const base = spec({
  scopes: ["a", "b"],
  audience: "https://api.example/",
  params: { resource: "urn:x" },
  tokenRequestHeaders: ["X-ACCOUNT", "isb"],
});
const identity = tokenIdentity("c", "t", base, "client");

describe("the cache key", () => {
  it.each([
    ["credential", tokenIdentity("d", "t", base, "client")],
    ["tenant", tokenIdentity("c", "u", base, "client")],
    ["no tenant", tokenIdentity("c", undefined, base, "client")],
    ["a tenant named null", tokenIdentity("c", "null", base, "client")],
    ["client", tokenIdentity("c", "t", base, "client2")],
    ["provider", tokenIdentity("c", "t", { ...base, provider: "qmatic" }, "client")],
    ["environment", tokenIdentity("c", "t", { ...base, environment: "sandbox" }, "client")],
    ["token URL", tokenIdentity("c", "t", { ...base, tokenUrl: new URL("https://id.example/t") }, "client")],
    [
      "token URL's query",
      tokenIdentity("c", "t", { ...base, tokenUrl: new URL("https://id.example/token?a") }, "client"),
    ],
    ["client authentication", tokenIdentity("c", "t", { ...base, clientAuth: "post" }, "client")],
    ["scopes", tokenIdentity("c", "t", { ...base, scopes: ["a"] }, "client")],
    ["scopes run together", tokenIdentity("c", "t", { ...base, scopes: ["a b"] }, "client")],
    ["audience", tokenIdentity("c", "t", { ...base, audience: "https://api.example" }, "client")],
    ["no audience", tokenIdentity("c", "t", { ...base, audience: undefined }, "client")],
    ["a parameter's value", tokenIdentity("c", "t", { ...base, params: { resource: "urn:y" } }, "client")],
    ["a parameter's name", tokenIdentity("c", "t", { ...base, params: { resourc: "eurn:x" } }, "client")],
    [
      "request headers",
      tokenIdentity("c", "t", { ...base, tokenRequestHeaders: ["X-ACCOUNT", "sib"] }, "client"),
    ],
    [
      "client certificate",
      tokenIdentity("c", "t", { ...base, connection: { ...DIRECT, tls: { ...tls, cert: "/a" } } }, "client"),
    ],
    ["parts moved over", tokenIdentity("ct", "", base, "client")],
  ])("differs by %s", (_what, other) => {
    expect(other).not.toBe(identity);
  });

  it.each([
    ["the order of scopes", { ...base, scopes: ["b", "a"] }],
    ["the trust anchors", { ...base, connection: { ...DIRECT, tls: { ...tls, ca: "/ca" } } }],
    ["the spacing", { ...base, tokenRequestsPerSecond: 1 }],
    ["the fields injected beside the token", { ...base, injectHeaders: ["x-tenant-id", "1"] }],
  ])("does not depend on %s", (_what, same) => {
    expect(tokenIdentity("c", "t", same, "client")).toBe(identity);
  });

  it("holds the fingerprint of the secret", () => {
    expect(tokenKey(identity, "f1")).not.toBe(tokenKey(identity, "f2"));
    expect(tokenKey(identity, "f1")).toBe(tokenKey(identity, "f1"));
  });
});

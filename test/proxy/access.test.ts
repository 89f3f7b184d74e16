import { describe, expect, it } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import { checkAccessToken, createHostPolicy, judgeOrigin, matchHostPattern } from "../../src/proxy/access.ts";
import type { RequestHead } from "../../src/proxy/request-head.ts";

const HERE = { port: 8080, address: "127.0.0.1" };
const policy = createHostPolicy({
  hosts: ["appointments.internal:8080", "listed.example", "proxied.example:443"],
  patterns: [{ prefix: "", suffix: ".tenants.example" }],
  anyAddress: false,
});

describe("Hosts of the data listener", () => {
  it.each([
    "localhost",
    "localhost:8080",
    "LocalHost:8080",
    "app.localhost",
    "a.b.localhost:8080",
    "127.0.0.1",
    "127.0.0.1:8080",
    "127.1.2.3",
    "[::1]",
    "[::1]:8080",
    "appointments.internal:8080",
    "Appointments.Internal:8080",
    "listed.example",
    "listed.example:8080",
    "proxied.example:443",
    "isb.tenants.example",
    "ISB.tenants.example:8080",
  ])("%s is served", (host) => {
    expect(policy(host, HERE)).toBe(true);
  });

  it.each([
    "evil.example",
    "evil.example:8080",
    "localhost.evil",
    "localhost.evil:8080",
    "127.0.0.1.evil",
    "evil-localhost",
    "xlocalhost",
    ".localhost",
    "localhost:8081",
    "localhost:",
    "localhost:8080x",
    "localhost:8080:8080",
    "localhost@evil",
    "evil@localhost",
    "127.0.0.1:18080@evil",
    "a b/@c",
    "128.0.0.1",
    "127.1",
    "0x7f.0.0.1",
    "2130706433",
    "10.0.0.5",
    "0.0.0.0",
    "[::]",
    "[::2]",
    "[::ffff:127.0.0.1]",
    "::1",
    "appointments.internal",
    "appointments.internal:9090",
    "listed.example:9090",
    "proxied.example",
    "x.listed.example",
    "tenants.example",
    ".tenants.example",
    "isb.tenants.example.evil",
    "isb.tenants.example:9090",
    "",
    "localhost,evil",
    "localhost\t",
  ])("%j is not", (host) => {
    expect(policy(host, HERE)).toBe(false);
  });

  it("the listener's own address is served, another is not", () => {
    const address = { port: 8080, address: "10.0.0.5" };
    expect(policy("10.0.0.5:8080", address)).toBe(true);
    expect(policy("10.0.0.6:8080", address)).toBe(false);
    expect(policy("[fd00::5]:8080", { port: 8080, address: "fd00::5" })).toBe(true);
  });

  it("on a Unix socket the port is of no account", () => {
    const unix = { port: undefined, address: undefined };
    expect(policy("localhost:1234", unix)).toBe(true);
    expect(policy("evil.example", unix)).toBe(false);
  });
});

describe("Hosts of the admin listener", () => {
  const admin = createHostPolicy({ hosts: ["metrics.internal"], patterns: [], anyAddress: true });
  it.each([
    "10.1.2.3:9090",
    "10.1.2.3",
    "10.1.2.3:19090",
    "[fd00::7]:9090",
    "localhost:9090",
    "metrics.internal:9090",
  ])("%s is served", (host) => expect(admin(host, { port: 9090, address: "10.1.2.3" })).toBe(true));
  it.each(["evil.example:9090", "10.1.2.3.evil", "[::1", "[:::1]", "pod.cluster.local"])(
    "%s is not",
    (host) => expect(admin(host, { port: 9090, address: "10.1.2.3" })).toBe(false),
  );
});

describe("a tenant's host", () => {
  const pattern = { prefix: "t-", suffix: ".localhost" };
  it.each([
    ["t-isb.localhost", "isb"],
    ["T-ISB.LOCALHOST:8080", "isb"],
    ["t-a.b.localhost", "a.b"],
    ["t-.localhost", undefined],
    ["isb.localhost", undefined],
    ["t-isb.localhost.evil", undefined],
  ])("%s → %s", (host, tenant) => {
    expect(matchHostPattern(pattern, host)).toBe(tenant);
  });

  it("is not found where prefix and suffix overlap", () => {
    expect(matchHostPattern({ prefix: "aba", suffix: "aba" }, "aba")).toBeUndefined();
  });
});

const headOf = (fields: Partial<RequestHead>): RequestHead =>
  ({ method: "GET", host: "localhost:8080", ...fields }) as RequestHead;

describe("where a request comes from", () => {
  const origins = ["https://app.example"];
  const navigation = { secFetchSite: "cross-site", secFetchMode: "navigate", secFetchDest: "document" };

  it.each([
    ["no browser", {}, "plain"],
    ["its own origin", { origin: "http://localhost:8080" }, "plain"],
    ["its own origin, in another case", { origin: "http://LOCALHOST:8080" }, "plain"],
    ["its own page", { secFetchSite: "same-origin" }, "plain"],
    [
      "the address bar",
      { secFetchSite: "none", secFetchMode: "navigate", secFetchDest: "document" },
      "plain",
    ],
    ["a listed origin", { origin: "https://app.example" }, "listed"],
    ["a listed origin, cross-site", { origin: "https://app.example", secFetchSite: "cross-site" }, "listed"],
    ["a link on another site", navigation, "navigation"],
  ] as const)("%s is let in", (_what, fields, kind) => {
    expect(judgeOrigin(headOf(fields), origins).kind).toBe(kind);
  });

  it.each([
    ["a foreign origin", { origin: "http://evil.example" }],
    ["null", { origin: "null" }],
    ["an empty origin", { origin: "" }],
    ["its own host by another scheme", { origin: "https://localhost:8080" }],
    ["its own host at another port", { origin: "http://localhost:3000" }],
    ["a listed host by another scheme", { origin: "http://app.example" }],
    ["a listed origin with a path", { origin: "https://app.example/" }],
    ["a listed origin in another case", { origin: "https://APP.example" }],
    ["a sub-domain of a listed origin", { origin: "https://x.app.example" }],
    ["a cross-site fetch", { secFetchSite: "cross-site", secFetchMode: "no-cors", secFetchDest: "image" }],
    ["a cross-site fetch that says nothing else", { secFetchSite: "cross-site" }],
    ["a cross-site fetch in another case", { secFetchSite: "Cross-Site" }],
    ["a cross-site form", { ...navigation, method: "POST" }],
    ["a cross-site frame", { ...navigation, secFetchDest: "iframe" }],
    ["a cross-site navigation with an origin", { ...navigation, origin: "http://localhost:8080" }],
  ])("%s is not", (_what, fields) => {
    expect(() => judgeOrigin(headOf(fields), origins)).toThrow(
      expect.objectContaining({ code: "ORIGIN_NOT_ALLOWED" }),
    );
  });
});

describe("the proxy's own access token", () => {
  const token = new Secret("plainly-fake");
  it.each([
    ["Pillion-Access", { access: "plainly-fake" }],
    ["a bearer token", { authorization: "Bearer plainly-fake" }],
    ["a bearer token in another case", { authorization: "bEARER  plainly-fake" }],
    ["Pillion-Access beside another authorization", { access: "plainly-fake", authorization: "Basic x" }],
  ])("is taken as %s", (_what, fields) => {
    expect(() => checkAccessToken(headOf(fields), token)).not.toThrow();
  });

  it.each([
    ["nothing", {}],
    ["an empty value", { access: "" }],
    ["a wrong value", { access: "plainly-fakE" }],
    ["a prefix of it", { access: "plainly" }],
    ["more than it", { access: "plainly-fake " }],
    ["Basic", { authorization: "Basic plainly-fake" }],
    ["no scheme", { authorization: "plainly-fake" }],
    ["two authorizations", { authorization: "" }],
    [
      "a wrong Pillion-Access beside a right bearer token",
      { access: "x", authorization: "Bearer plainly-fake" },
    ],
  ])("is missed in %s", (_what, fields) => {
    expect(() => checkAccessToken(headOf(fields), token)).toThrow(
      expect.objectContaining({ code: "ACCESS_TOKEN_REQUIRED" }),
    );
  });
});

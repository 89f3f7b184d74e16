import { describe, expect, it } from "vitest";
import { isLoopbackHost } from "../../src/config/addresses.ts";
import { configOf, faultsOf } from "./config-fixture.ts";

const route = (upstream: string, more = ""): string =>
  `routes: [{ name: a, path: /a, credential: none, upstream: '${upstream}' ${more}}]`;
const credential = (url: string, more = ""): string =>
  `credentials: { c: { provider: oauth2, token_url: '${url}', client_id: x, client_secret: { env: S } ${more}} }`;
const INSECURE =
  "plain http: is accepted for loopback addresses only; use https:, or write allow_insecure_http: true beside it";

describe("URLs", () => {
  it.each([
    [
      "api.example.com",
      'expected a URL that begins with https:// or http://, not "api.example.com"; begin with https://',
    ],
    [
      "localhost:8080",
      'expected a URL that begins with https:// or http://, not "localhost:8080"; begin with https://',
    ],
    ["ftp://a.example/", 'expected a URL that begins with https:// or http://, not "ftp://a.example/"'],
    ["https:a.example", 'expected a URL that begins with https:// or http://, not "https:a.example"'],
    ["https://", 'expected a URL that begins with https:// or http://, not "https://"'],
    ["https://user:pass@a.example/", "must not hold a user name or password"],
    ["https://user@a.example/", "must not hold a user name or password"],
    ["https://@a.example/", "must not hold a user name or password"],
    ["https://a.example/#x", 'must not have a fragment (#…), not "https://a.example/#x"'],
    ["https://a.example/?x=1", "must not have a query (?…)"],
    ["https://a.example/?", "must not have a query (?…)"],
    ["https://a.example\\b", "must not hold blanks, backslashes or control characters"],
    [" https://a.example/", "must not hold blanks, backslashes or control characters"],
    ["http://a.example/", INSECURE],
    ["http://localhost.example/", INSECURE],
    ["http://127.0.0.1.example/", INSECURE],
    ["http://0.0.0.0/", INSECURE],
  ])("upstream %j is refused", (url, message) => {
    expect(faultsOf(route(url)).map((line) => line.replace(/^\S+ routes\[0\]\.upstream: /, ""))).toEqual([
      message,
    ]);
  });

  it.each([
    "http://localhost:1/",
    "http://api.localhost/",
    "http://127.9.9.9/",
    "http://127.1/",
    "http://[::1]:1/",
  ])("plain %s is accepted, since it is this machine", (url) => {
    expect(faultsOf(route(url))).toEqual([]);
    expect(faultsOf(credential(url))).toEqual([]);
  });

  it("allow_insecure_http: true accepts plain http: where it stands, and nowhere else", () => {
    expect(faultsOf(route("http://a.example/", ", allow_insecure_http: true"))).toEqual([]);
    expect(faultsOf(credential("http://a.example/", ", allow_insecure_http: true"))).toEqual([]);
    const both = `${credential("http://a.example/", ", allow_insecure_http: true")}\n${route("http://a.example/")}`;
    expect(faultsOf(both)).toEqual([`2:59 routes[0].upstream: ${INSECURE}`]);
    expect(faultsOf(credential("http://a.example/"))).toEqual([`1:50 credentials.c.token_url: ${INSECURE}`]);
  });

  it("a token URL keeps its query (RFC 6749 §3.2)", () => {
    const spec = configOf(credential("https://a.example/token?p=x")).credentials.get("c")?.spec;
    expect(spec).toMatchObject({ tokenUrl: new URL("https://a.example/token?p=x") });
  });

  it("an upstream's own path is kept", () => {
    expect(configOf(route("https://a.example/base/")).routes[0]?.upstream.href).toBe(
      "https://a.example/base/",
    );
  });

  it("http_proxy may be plain http: anywhere, but has neither path nor password", () => {
    expect(faultsOf(credential("https://a.example/", ", http_proxy: 'http://proxy.example:3128'"))).toEqual(
      [],
    );
    for (const url of ["http://proxy.example/x", "http://u:p@proxy.example"]) {
      expect(faultsOf(credential("https://a.example/", `, http_proxy: '${url}'`))).toHaveLength(1);
    }
  });

  it.each([
    ["localhost", true],
    ["LOCALHOST", true],
    ["a.localhost", true],
    ["127.0.0.1", true],
    ["127.255.255.255", true],
    ["[::1]", true],
    ["::1", true],
    ["::ffff:127.0.0.1", false],
    ["128.0.0.1", false],
    ["localhost.", false],
    ["notlocalhost", false],
    ["", false],
  ])("%j is loopback: %s", (host, loopback) => {
    expect(isLoopbackHost(host)).toBe(loopback);
  });
});

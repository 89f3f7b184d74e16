import { describe, expect, it } from "vitest";
import { BILLING, configOf, faultsOf } from "./config-fixture.ts";

const route = (text: string, credential = "billing"): string =>
  `${BILLING}routes:\n  - { name: a, path: /a, credential: ${credential}, upstream: "https://up.example.com/", ${text} }`;

describe("a route's options", () => {
  it("have the contract's defaults", () => {
    expect(configOf(route("")).routes[0]).toMatchObject({
      name: "a",
      tenant: { kind: "none" },
      methods: undefined,
      allow: undefined,
      deny: [],
      timeouts: { connectMs: 5_000, headersMs: 30_000, idleMs: 60_000 },
      replayOn401: "safe",
      maxReplayBodyBytes: 65_536,
      connections: 64,
      connection: { tls: undefined, httpProxy: undefined },
      requestHeaders: { set: [], remove: new Set() },
      responseHeaders: { set: [], remove: new Set() },
    });
  });

  it("paths of TLS files are relative to the configuration's file", () => {
    const text =
      "tls: { ca: ca.pem, cert: ../c.pem, key: /k.pem, server_name: up }, http_proxy: 'http://proxy:1'";
    expect(configOf(route(text)).routes[0]?.connection).toEqual({
      tls: { ca: "/etc/pillion/ca.pem", cert: "/etc/c.pem", key: "/k.pem", serverName: "up" },
      httpProxy: new URL("http://proxy:1"),
    });
  });

  it("keep header edits as written, names to remove in lower case", () => {
    const text = "request_headers: { set: { X-A: '1', x-b: a b }, remove: [Referer] }";
    expect(configOf(route(text)).routes[0]?.requestHeaders).toEqual({
      set: ["X-A", "1", "x-b", "a b"],
      remove: new Set(["referer"]),
    });
  });

  it.each([
    ["http2: yes", 'http2: expected true or false, not "yes"'],
    ["rewrite_urls: 1", "rewrite_urls: expected true or false, not 1"],
    ["upgrade: yes", 'upgrade: expected true or false, not "yes"'],
    ["connections: 0", "connections: must be at least 1, not 0"],
    ["replay_on_401: never", 'replay_on_401: expected safe, buffered or off, not "never"'],
    ["max_replay_body: 1GiB", 'max_replay_body: must be from 1B to 67108864B, not "1GiB"'],
    ["tls: { cert: c.pem }", "tls: cert and key belong together: give both or neither"],
    ["tls: { server_name: 'a b' }", "tls.server_name: expected a host name"],
    ["timeouts: { connect: 0s }", 'timeouts.connect: must be at least 1ms, not "0s"'],
  ])("{ %s } is refused", (text, fault) => {
    expect(faultsOf(route(text)).map((line) => line.replace(/^\S+ routes\[0\]\./, ""))).toEqual([fault]);
  });

  it.each(["upgrade", "http2", "rewrite_urls"])("%s: false is accepted", (key) => {
    expect(faultsOf(route(`${key}: false`))).toEqual([]);
  });

  it.each([
    ["", false],
    ["upgrade: false", false],
    ["upgrade: true", true],
  ])("upgrades are passed on only where it is asked for: { %s }", (text, upgrade) => {
    expect(configOf(route(text)).routes[0]?.upgrade).toBe(upgrade);
  });

  it.each([
    ["", [false, false]],
    ["http2: true", [true, false]],
    ["rewrite_urls: true", [false, true]],
  ])("http2 and rewrite_urls are off unless they are asked for: { %s }", (text, [http2, rewriteUrls]) => {
    expect(configOf(route(text)).routes[0]).toMatchObject({ http2, rewriteUrls });
  });

  describe("header edits that the proxy could not keep are refused", () => {
    it.each([
      [
        "request_headers: { set: { Connection: x } }",
        "cannot be Connection: the proxy makes this field itself",
      ],
      ["request_headers: { set: { HOST: x } }", "cannot be HOST: the proxy makes this field itself"],
      [
        "request_headers: { set: { Transfer-Encoding: x } }",
        "cannot be Transfer-Encoding: the proxy makes this field itself",
      ],
      [
        "request_headers: { remove: [Content-Length] }",
        "cannot be Content-Length: the proxy makes this field itself",
      ],
      [
        "request_headers: { set: { Pillion-Access: x } }",
        "cannot be Pillion-Access: fields named Pillion-… are the proxy's own",
      ],
      ["request_headers: { set: { Authorization: x } }", "cannot be set: the route's credential injects it"],
      ["request_headers: { set: { 'a b': x } }", 'not a valid name of a header field: "a b"'],
      ["request_headers: { set: { '': x } }", 'not a valid name of a header field: ""'],
      [
        'request_headers: { set: { X: "a\\r\\nY: b" } }',
        "must consist of printable ASCII characters, without blanks at the ends",
      ],
      [
        "request_headers: { set: { X: ' a' } }",
        "must consist of printable ASCII characters, without blanks at the ends",
      ],
      [
        "request_headers: { set: { X: é } }",
        "must consist of printable ASCII characters, without blanks at the ends",
      ],
      ["request_headers: { set: { X: 5 } }", "expected text; put it in quotes"],
      ["request_headers: { set: { X: a, x: b } }", "is set twice; names have no case"],
      ["response_headers: { set: { Upgrade: x } }", "cannot be Upgrade: the proxy makes this field itself"],
      [
        "response_headers: { set: { Access-Control-Allow-Origin: '*' } }",
        "cannot be set: list the origin under access.origins instead",
      ],
      ["response_headers: { set: { Proxy-Status: x } }", "cannot be set: it marks the proxy's own errors"],
    ])("{ %s }", (text, message) => {
      expect(faultsOf(route(text)).map((line) => line.replace(/^\S+ routes\[0\]\.[^:]*: /, ""))).toEqual([
        message,
      ]);
    });

    it("Authorization without a credential would be a secret in plain sight", () => {
      expect(faultsOf(route("request_headers: { set: { Authorization: x } }", "none"))).toEqual([
        expect.stringContaining("use a credential; of provider static for a fixed value"),
      ]);
    });

    it("the field of a static credential, whatever its case", () => {
      const text = `credentials: { k: { provider: static, header: X-API-Key, value: { env: K } } }
routes: [{ name: a, path: /a, credential: k, upstream: 'https://a/', request_headers: { set: { x-api-key: x } } }]`;
      expect(faultsOf(text)).toEqual([
        expect.stringContaining("cannot be set: the route's credential injects it"),
      ]);
    });
  });

  it.each([
    ["name: a", "routes[0].credential: is missing: expected the name of a credential, or none"],
    ["name: a, credential: none", "routes[0].upstream: is missing: credential none gives no default"],
    ["name: a, credential: billing", "routes[0].upstream: is missing: credential billing gives no default"],
  ])("{ %s } lacks something", (text, fault) => {
    expect(
      faultsOf(`${BILLING}routes: [{ path: /a, ${text} }]`).map((line) => line.replace(/^\S+ /, "")),
    ).toEqual([fault]);
  });

  it("an upstream is not missed where the credential's own fault may be the reason", () => {
    const text = `credentials: { z: { provider: zocdoc, environment: prod, client_id: x, client_secret: { env: S } } }
routes: [{ name: a, path: /a, credential: z }]`;
    expect(faultsOf(text)).toEqual([
      '1:52 credentials.z.environment: expected sandbox or production, not "prod" (did you mean "production"?)',
    ]);
  });
});

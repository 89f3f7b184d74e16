import type { IncomingMessage } from "node:http";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Route } from "../../src/config/config.ts";
import {
  buildRequestHeaders,
  buildResponseHeaders,
  buildTrailers,
  callerFieldsDropped,
  upstreamFieldsDropped,
} from "../../src/proxy/headers.ts";
import { judgeRequest } from "../../src/proxy/request-head.ts";
import { Injection } from "../../src/token/token-source.ts";
import { aCredential, aRoute, type RouteOptions } from "../support/proxy-harness.ts";
import { fieldValues } from "../support/raw-client.ts";

const upstream = new URL("https://up.example/v1");
const injection = new Injection(["authorization", "Bearer ours", "x-tenant-id", "1001"]);

const routeOf = (options: Partial<RouteOptions> = {}): Route =>
  aRoute({
    upstream,
    credential: aCredential({ injectedFields: ["authorization", "x-tenant-id"] }),
    ...options,
  });

const outbound = (fields: readonly string[], route = routeOf()): string[] => {
  const request = {
    method: "GET",
    rawHeaders: ["Host", "localhost", ...fields],
    httpVersionMajor: 1,
    httpVersionMinor: 1,
  } as IncomingMessage;
  const entry = { route, callerFieldsDropped: callerFieldsDropped(route) };
  return buildRequestHeaders(judgeRequest(request, { headers: 100 }), entry, "id-1", injection);
};

describe("an outbound request's fields", () => {
  it("stand in this order: the caller's, the proxy's, the route's, the injected ones", () => {
    const route = routeOf({ requestHeaders: { set: ["X-Set", "s"], remove: new Set(["x-gone"]) } });
    const fields = [
      "Accept",
      "*/*",
      "X-Gone",
      "1",
      "x-set",
      "theirs",
      "Content-Length",
      "5",
      "X-Request-Id",
      "theirs",
    ];
    expect(outbound(fields, route)).toEqual([
      ...["Accept", "*/*", "content-length", "5", "via", "1.1 pillion", "x-request-id", "id-1"],
      ...["X-Set", "s", "authorization", "Bearer ours", "x-tenant-id", "1001"],
    ]);
  });

  it("keep an earlier Via in front", () => {
    expect(fieldValues(outbound(["Via", "1.1 edge"]), "via")).toEqual(["1.1 edge", "1.1 pillion"]);
  });

  it("have no X-Request-Id beside one that the route sets, or where the route removes it", () => {
    const set = routeOf({ requestHeaders: { set: ["X-Request-Id", "fixed"], remove: new Set() } });
    expect(fieldValues(outbound([], set), "x-request-id")).toEqual(["fixed"]);
    const removed = routeOf({ requestHeaders: { set: [], remove: new Set(["x-request-id"]) } });
    expect(fieldValues(outbound([], removed), "x-request-id")).toEqual([]);
  });

  it("leave out the field that names the tenant, and what the credential injects", () => {
    const route = routeOf({
      tenant: { kind: "header", name: "x-tenant" },
      credential: aCredential({ injectedFields: ["x-api-key"] }),
    });
    const names = outbound(["X-Tenant", "isb", "X-API-Key", "theirs"], route).map((name) =>
      name.toLowerCase(),
    );
    expect(names).not.toContain("x-tenant");
    expect(names).not.toContain("x-api-key");
  });

  it("ask for trailers when the caller reads them", () => {
    expect(fieldValues(outbound(["TE", "gzip;q=0.5, trailers"]), "te")).toEqual(["trailers"]);
    expect(fieldValues(outbound(["TE", "gzip"]), "te")).toEqual([]);
  });

  it("whatever the caller sent: one authorization, ours, last; no hop-by-hop field; none that Connection names", () => {
    const name = fc.constantFrom(
      ...[
        "Authorization",
        "AUTHORIZATION",
        "authorization",
        "X-Tenant-Id",
        "x-account",
        "Connection",
        "Keep-Alive",
      ],
      ...["TE", "Trailer", "Upgrade", "Proxy-Connection", "Proxy-Authorization", "X-Foo", "x-foo", "Accept"],
      ...["X-Forwarded-For", "X_Foo", "Pillion-Anything", "__proto__", "Via", "X-Request-Id", "Cookie"],
    );
    const value = fc.constantFrom(
      "x",
      "keep-alive",
      "authorization, x-foo",
      "close, X-Tenant-Id",
      "via",
      "accept,cookie",
      "",
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 12 }), (pairs) => {
        const headers = outbound(pairs.flat());
        const names = headers.filter((_, index) => index % 2 === 0).map((each) => each.toLowerCase());
        expect(fieldValues(headers, "authorization")).toEqual(["Bearer ours"]);
        expect(fieldValues(headers, "x-tenant-id")).toEqual(["1001"]);
        expect(headers.slice(-4)).toEqual([...injection.headers]);
        expect(fieldValues(headers, "via").at(-1)).toBe("1.1 pillion");
        const ours = ["authorization", "x-tenant-id", "via", "x-request-id"];
        const named = pairs
          .filter(([each]) => each === "Connection")
          .flatMap(([, options]) =>
            options
              .toLowerCase()
              .split(",")
              .map((option) => option.trim()),
          );
        const hopByHop = [
          "connection",
          "keep-alive",
          "te",
          "trailer",
          "upgrade",
          "proxy-connection",
          "proxy-authorization",
        ];
        for (const each of [...hopByHop, ...named.filter((option) => !ours.includes(option))])
          expect(names).not.toContain(each);
        for (const each of names) expect(each).not.toMatch(/_|^pillion-|^x-forwarded-|^x-account$/);
        if (named.includes("via")) expect(fieldValues(headers, "via")).toEqual(["1.1 pillion"]);
      }),
      { numRuns: 1_000 },
    );
  });
});

const inbound = (
  raw: readonly (string | Buffer)[],
  options: Partial<RouteOptions> = {},
  context: { status?: number; mayTrail?: boolean; extra?: readonly string[] } = {},
): string[] => {
  const route = routeOf(options);
  return buildResponseHeaders(raw, {
    entry: {
      route,
      upstreamFieldsDropped: upstreamFieldsDropped(route),
      basePath: { bare: "/v1", slashed: "/v1/", decoded: "/v1/" },
    },
    prefix: "/api/",
    status: context.status ?? 200,
    mayTrail: context.mayTrail ?? true,
    extra: context.extra ?? [],
  });
};

describe("an answer's fields", () => {
  it("pass as they were sent: name, case, order, repetition, bytes", () => {
    const fields = [
      "X-B",
      "1",
      "Set-Cookie",
      "a=1",
      "set-cookie",
      "b=2",
      "x-latin",
      "caf\xe9",
      "Content-Length",
      "3",
    ];
    expect(inbound(fields)).toEqual(fields);
    expect(inbound(fields.map((text) => Buffer.from(text, "latin1")))).toEqual(fields);
  });

  it.each([
    ["Connection", "keep-alive"],
    ["Keep-Alive", "timeout=5"],
    ["Proxy-Connection", "keep-alive"],
    ["Proxy-Authenticate", "Basic"],
    ["Transfer-Encoding", "chunked"],
    ["Upgrade", "h2c"],
    ["TE", "trailers"],
    ["Proxy-Status", "other; error=dns_error"],
    ["Access-Control-Allow-Origin", "*"],
    ["access-control-allow-credentials", "true"],
    ["Access-Control-Anything", "x"],
    ["Pillion-Session", "x"],
  ])("%s stays behind", (name, value) => {
    expect(inbound([name, value, "X-Kept", "1"])).toEqual(["X-Kept", "1"]);
  });

  it("that Connection names stay behind", () => {
    expect(inbound(["X-Foo", "1", "Connection", "close, X-FOO", "X-Bar", "2"])).toEqual(["X-Bar", "2"]);
  });

  it("are edited by the route, and the proxy's own come last", () => {
    const responseHeaders = { set: ["X-Set", "ours"], remove: new Set(["server"]) };
    expect(
      inbound(
        ["Server", "x", "x-set", "theirs", "A", "b"],
        { responseHeaders },
        { extra: ["vary", "origin"] },
      ),
    ).toEqual(["A", "b", "X-Set", "ours", "vary", "origin"]);
  });

  it("have no length with 204, and Trailer only where trailers can come", () => {
    expect(inbound(["Content-Length", "3"], {}, { status: 204 })).toEqual([]);
    const announced = ["Transfer-Encoding", "chunked", "Trailer", "x"];
    expect(inbound(announced)).toEqual(["Trailer", "x"]);
    expect(inbound(announced, {}, { mayTrail: false })).toEqual([]);
    expect(inbound(["Trailer", "x", "Content-Length", "3"])).toEqual(["Content-Length", "3"]);
  });

  it("have trailers without those that steer, frame, or are removed", () => {
    const raw = [
      "X-Sum",
      "1",
      "Content-Length",
      "3",
      "Transfer-Encoding",
      "chunked",
      "Set-Cookie",
      "a=b",
      "X-Gone",
      "1",
    ];
    expect(buildTrailers(raw, new Set(["x-gone"]))).toEqual([["X-Sum", "1"]]);
  });

  it.each([
    ["https://up.example/v1/a?b=c#d", "/api/a?b=c#d"],
    ["https://UP.example/v1/a", "/api/a"],
    ["HTTPS://up.example:443/v1/a", "/api/a"],
    ["//up.example/v1/a", "/api/a"],
    ["/v1/a", "/api/a"],
    ["/v1/", "/api/"],
    ["/v1", "/api/"],
    ["/v1?x", "/api/?x"],
    ["https://up.example/v1", "/api/"],
    ["/v2/a", "/v2/a"],
    ["/v1x/a", "/v1x/a"],
    ["a/b", "a/b"],
    ["?x", "?x"],
    ["", ""],
    ["https://up.example/v2/a", "https://up.example/v2/a"],
    ["https://up.example", "https://up.example"],
    ["http://up.example/v1/a", "http://up.example/v1/a"],
    ["https://up.example:8443/v1/a", "https://up.example:8443/v1/a"],
    ["https://other.example/v1/a", "https://other.example/v1/a"],
    ["https://up.example@evil.example/v1/a", "https://up.example@evil.example/v1/a"],
    ["https://up.example.evil/v1/a", "https://up.example.evil/v1/a"],
    ["mailto:a@b", "mailto:a@b"],
    ["https://[", "https://["],
  ])("Location %s → %s", (location, expected) => {
    expect(inbound(["Location", location])).toEqual(["Location", expected]);
  });
});

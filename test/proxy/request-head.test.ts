import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { judgeRequest } from "../../src/proxy/request-head.ts";

/** What Node's parser would hand over for these raw fields. */
const judge = (
  fields: readonly string[],
  options: { method?: string; minor?: number; limit?: number } = {},
) =>
  judgeRequest(
    {
      method: options.method ?? "GET",
      rawHeaders: ["Host", "localhost", ...fields],
      httpVersionMajor: 1,
      httpVersionMinor: options.minor ?? 1,
    } as IncomingMessage,
    { headers: options.limit ?? 100 },
  );

const passed = (...fields: string[]): string[] => judge(fields).fields.filter((_, index) => index % 3 === 0);

describe("a request's head is refused", () => {
  it.each([
    ["Host twice", ["Host", "localhost"], "REQUEST_INVALID"],
    ["Content-Length twice", ["Content-Length", "3", "content-length", "3"], "REQUEST_INVALID"],
    ["Content-Length that is no number", ["Content-Length", "3, 3"], "REQUEST_INVALID"],
    ["Content-Length beyond what a number holds", ["Content-Length", "9007199254740993"], "REQUEST_INVALID"],
    ["both framings", ["Content-Length", "3", "Transfer-Encoding", "chunked"], "REQUEST_INVALID"],
    ["another coding before chunked", ["Transfer-Encoding", "gzip, chunked"], "REQUEST_INVALID"],
    ["an empty coding before chunked", ["Transfer-Encoding", ",chunked"], "REQUEST_INVALID"],
    ["chunked twice", ["Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked"], "REQUEST_INVALID"],
    ["an unknown expectation", ["Expect", "y 100-continue"], "EXPECTATION_FAILED"],
    ["Expect twice", ["Expect", "100-continue", "Expect", "100-continue"], "EXPECTATION_FAILED"],
    ["Origin twice", ["Origin", "http://localhost", "Origin", "http://evil.example"], "REQUEST_INVALID"],
    ["Sec-Fetch-Site twice", ["Sec-Fetch-Site", "none", "Sec-Fetch-Site", "cross-site"], "REQUEST_INVALID"],
    ["Pillion-Access twice", ["Pillion-Access", "a", "Pillion-Access", "b"], "REQUEST_INVALID"],
  ])("%s", (_what, fields, code) => {
    expect(() => judge(fields)).toThrow(expect.objectContaining({ code }));
  });

  it("without a Host", () => {
    const request = { method: "GET", rawHeaders: [], httpVersionMajor: 1, httpVersionMinor: 1 };
    expect(() => judgeRequest(request as unknown as IncomingMessage, { headers: 9 })).toThrow(
      expect.objectContaining({ code: "REQUEST_INVALID" }),
    );
  });

  it("with chunks in HTTP/1.0, and in versions that are none", () => {
    expect(() => judge(["Transfer-Encoding", "chunked"], { minor: 0 })).toThrow();
    expect(() => judge([], { minor: 2 })).toThrow(expect.objectContaining({ code: "REQUEST_INVALID" }));
  });

  it("with more fields than limits.headers", () => {
    expect(() => judge(["a", "b", "c", "d"], { limit: 2 })).toThrow(
      expect.objectContaining({ code: "HEADERS_TOO_LARGE" }),
    );
    expect(judge(["a", "b"], { limit: 2 }).fields).toEqual(["a", "a", "b"]);
  });
});

describe("fields that never go on", () => {
  it.each([
    ["Authorization", "Bearer evil"],
    ["AUTHORIZATION", "Basic x"],
    ["X-ACCOUNT", "other"],
    ["x-tenant-id", "1002"],
    ["Pillion-Access", "t"],
    ["Pillion-Session", "s"],
    ["pillion-anything", "s"],
    ["X-Forwarded-For", "1.2.3.4"],
    ["X-Forwarded-Host", "evil"],
    ["X-Forwarded-Anything", "evil"],
    ["Forwarded", "for=1.2.3.4"],
    ["X-Real-IP", "1.2.3.4"],
    ["X-Original-URL", "/admin"],
    ["X-Rewrite-URL", "/admin"],
    ["X-HTTP-Method-Override", "DELETE"],
    ["X_Tenant_Id", "1002"],
    ["X_Forwarded_For", "1.2.3.4"],
    ["Authorization_", "Bearer evil"],
    ["Keep-Alive", "timeout=5"],
    ["Proxy-Connection", "keep-alive"],
    ["Proxy-Authorization", "Basic x"],
    ["Proxy-Authenticate", "Basic"],
    ["TE", "gzip"],
    ["Trailer", "x"],
    ["Upgrade", "websocket"],
    ["HTTP2-Settings", "AAA"],
    ["Connection", "keep-alive"],
    ["Expect", "100-continue"],
    ["Content-Length", "0"],
    ["Transfer-Encoding", "chunked"],
    ["Origin", "http://localhost"],
    ["Access-Control-Request-Method", "GET"],
    ["Access-Control-Request-Headers", "x"],
  ])("%s: %s", (name, value) => {
    expect(passed(name, value, "X-Kept", "1")).toEqual(["x-kept"]);
  });

  it.each([
    [["Connection", "x-foo"], ["x-bar"]],
    [["Connection", "X-Foo, x-bar"], []],
    [["Connection", "", "Connection", "x-foo"], ["x-bar"]],
    [["Connection", "keep-alive", "Connection", "close,X-FOO , x-bar"], []],
    [
      ["Connection", "keep-alive, authorization"],
      ["x-foo", "x-bar"],
    ],
    [
      ["Connection", "x-foo;q=1"],
      ["x-foo", "x-bar"],
    ],
  ])("those that Connection names: %j leaves %j", (connection, expected) => {
    expect(passed("X-Foo", "1", ...connection, "x-bar", "2")).toEqual(expected);
  });
});

describe("fields that go on", () => {
  it("as they were sent: name, case, order, repetition", () => {
    expect(
      judge(["X-B", "1", "accept", "*/*", "x-b", "2", "Cookie", "a=b", "__proto", "x", "constructor", "y"])
        .fields,
    ).toEqual([
      "x-b",
      "X-B",
      "1",
      "accept",
      "accept",
      "*/*",
      "x-b",
      "x-b",
      "2",
      "cookie",
      "Cookie",
      "a=b",
      "constructor",
      "constructor",
      "y",
    ]);
  });

  it("Fetch Metadata and traceparent, which the proxy reads as well", () => {
    expect(
      passed(
        "Sec-Fetch-Site",
        "none",
        "Sec-Fetch-Mode",
        "cors",
        "Sec-Fetch-Dest",
        "empty",
        "traceparent",
        "00-1-2-01",
      ),
    ).toEqual(["sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "traceparent"]);
  });
});

describe("a head says", () => {
  it.each([
    [[], false, undefined],
    [["Content-Length", "0"], false, 0],
    [["Content-Length", "007"], true, 7],
    [["Transfer-Encoding", "CHUNKED"], true, undefined],
  ])("whether there is a body: %j", (fields, hasBody, contentLength) => {
    expect(judge(fields)).toMatchObject({ hasBody, contentLength });
  });

  it.each([
    [["Expect", "100-Continue", "Content-Length", "1"], 1, true],
    [["Expect", "100-continue"], 1, false],
    [["Expect", "100-continue", "Content-Length", "1"], 0, false],
  ])("whether 100 is waited for: %j in HTTP/1.%i", (fields, minor, expected) => {
    expect(judge(fields, { minor }).expectsContinue).toBe(expected);
  });

  it.each([
    ["trailers", true],
    ["gzip, Trailers", true],
    ["gzip", false],
    ["trailersx", false],
  ])("whether trailers are read: TE: %s", (value, expected) => {
    expect(judge(["TE", value]).takesTrailers).toBe(expected);
  });

  it.each([
    ["X-Request-Id", "requestId", ""],
    ["Authorization", "authorization", ""],
    ["traceparent", "traceparent", "first"],
  ])("nothing definite of a repeated %s", (name, key, expected) => {
    expect(judge([name, "first", name, "second"])).toMatchObject({ [key]: expected });
  });
});

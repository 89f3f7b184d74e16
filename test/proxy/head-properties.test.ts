import type { IncomingMessage } from "node:http";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProxyError } from "../../src/core/errors.ts";
import { buildResponseHeaders, upstreamFieldsDropped } from "../../src/proxy/headers.ts";
import { judgeRequest } from "../../src/proxy/request-head.ts";
import { aRoute } from "../support/proxy-harness.ts";

const oddly = (name: string): fc.Arbitrary<string> =>
  fc
    .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
    .map((upper) =>
      [...name].map((letter, index) => (upper[index] === true ? letter.toUpperCase() : letter)).join(""),
    );

const token = fc.string({
  unit: fc.constantFrom(..."abcXYZ019-_!#$%&'*+.^`|~"),
  minLength: 1,
  maxLength: 12,
});
const text = fc.string({ unit: fc.constantFrom(...'ab ,;=:"\t\xe9/[]@%'), maxLength: 20 });

const requestName = fc.oneof(
  fc
    .constantFrom(
      ...[
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "expect",
        "te",
        "trailer",
        "upgrade",
        "cookie",
      ],
      ...[
        "authorization",
        "pillion-session",
        "x-forwarded-for",
        "x-tenant-id",
        "x-account",
        "keep-alive",
        "origin",
      ],
    )
    .chain(oddly),
  token,
);
const requestValue = fc.oneof(
  fc.constantFrom(
    ...[
      "localhost",
      "localhost:80",
      "[::1]",
      "a b/@c",
      "x@y",
      "",
      "3",
      "+3",
      "3, 3",
      "chunked",
      "gzip, chunked",
    ],
    ...["keep-alive, x-foo", "close", "100-continue", "trailers", "pillion=s; a=1", "a=1; __Host-pillion=s"],
  ),
  text,
);

const judge = (pairs: readonly (readonly [string, string])[], minor: number) =>
  judgeRequest(
    {
      method: "POST",
      rawHeaders: pairs.flat(),
      httpVersionMajor: 1,
      httpVersionMinor: minor,
    } as unknown as IncomingMessage,
    { headers: 100 },
  );

const pairsWith = (pairs: readonly (readonly [string, string])[], name: string): string[] =>
  pairs.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);

describe("any list of request fields", () => {
  it("is refused, or has one Host, at most one framing, and nothing that is not to go on", () => {
    let judged = 0;
    const list = fc.array(fc.tuple(requestName, requestValue), { maxLength: 8 });
    // Half of them begin as a good request does, or hardly any would be one.
    const pairs = fc.oneof(
      list,
      list.map((rest) => [["Host", "localhost"] as [string, string], ...rest]),
    );
    fc.assert(
      fc.property(pairs, fc.constantFrom(0, 1), (fields, minor) => {
        let head: ReturnType<typeof judge>;
        try {
          head = judge(fields, minor);
        } catch (error) {
          expect(error).toBeInstanceOf(ProxyError);
          expect(["REQUEST_INVALID", "EXPECTATION_FAILED"]).toContain((error as ProxyError).code);
          return;
        }
        judged += 1;
        const hosts = pairsWith(fields, "host");
        expect(hosts).toEqual([head.host]);
        expect(URL.canParse(`http://${head.host}/`) || /[^a-z0-9.:[\]-]/i.test(head.host)).toBe(true);
        expect(head.host).not.toMatch(/[@/\\?#\s]/);
        const codings = pairsWith(fields, "transfer-encoding");
        const lengths = pairsWith(fields, "content-length");
        expect(codings.length + lengths.length).toBeLessThanOrEqual(1);
        if (codings.length === 1) expect([minor, codings[0]?.toLowerCase()]).toEqual([1, "chunked"]);
        if (lengths.length === 1) expect(String(head.contentLength)).toBe(String(Number(lengths[0])));
        const named = pairsWith(fields, "connection").flatMap((options) =>
          options
            .toLowerCase()
            .split(",")
            .map((option) => option.trim()),
        );
        for (let index = 0; index < head.fields.length; index += 3) {
          const [lower = "", name = "", value = ""] = head.fields.slice(index, index + 3);
          expect(name.toLowerCase()).toBe(lower);
          expect(lower).not.toMatch(
            /^(host|content-length|transfer-encoding|connection|expect|te|trailer|upgrade|authorization|keep-alive|origin|x-account|x-tenant-id|x-forwarded-.*|pillion-.*|.*_.*)$/,
          );
          if (!["close", "keep-alive"].includes(lower)) expect(named).not.toContain(lower);
          if (lower === "cookie") expect(value).not.toMatch(/(^|;)\s*(__host-)?pillion\s*=/i);
          else expect(fields).toContainEqual([name, value]);
        }
      }),
      { numRuns: 3_000 },
    );
    expect(judged).toBeGreaterThan(300);
  });
});

describe("any list of an answer's fields", () => {
  const name = fc.oneof(
    fc
      .constantFrom(
        ...[
          "connection",
          "transfer-encoding",
          "set-cookie",
          "access-control-allow-origin",
          "proxy-status",
          "upgrade",
        ],
        ...["pillion-x", "keep-alive", "proxy-authenticate", "content-type", "x-foo", "te"],
      )
      .chain(oddly),
    token,
  );
  const value = fc.oneof(
    fc.constantFrom("close, x-foo", "pillion=x", "PILLION = x; Path=/", "a=1", "chunked", "*"),
    text,
  );

  it("loses what is this hop's, the proxy's own, or a grant, and keeps the rest as it was", () => {
    const route = aRoute({ upstream: new URL("https://up.example/") });
    const basePath = { bare: "/", slashed: "/", decoded: "/" };
    const entry = { route, upstreamFieldsDropped: upstreamFieldsDropped(route), basePath };
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 10 }), (fields) => {
        const context = { entry, prefix: "/api/", status: 200, mayTrail: true, extra: [] };
        const headers = buildResponseHeaders(fields.flat(), context);
        const named = pairsWith(fields, "connection").flatMap((options) =>
          options
            .toLowerCase()
            .split(",")
            .map((option) => option.trim()),
        );
        const gone = (field: string, content: string): boolean => {
          const lower = field.toLowerCase();
          return (
            /^(connection|transfer-encoding|upgrade|keep-alive|te|proxy-(status|connection|authenticate|authentication-info)|access-control-.*|pillion-.*)$/.test(
              lower,
            ) ||
            (named.includes(lower) && !["close", "keep-alive"].includes(lower)) ||
            (lower === "set-cookie" && /^\s*(__host-)?pillion\s*(?:[=;]|$)/i.test(content))
          );
        };
        const expected = fields.filter(([field, content]) => !gone(field, content)).flat();
        expect(headers).toEqual(expected);
      }),
      { numRuns: 2_000 },
    );
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rewriteJsonUrls, type UrlMapping } from "../../src/proxy/json-urls.ts";

const HERE = "http://localhost:8080/zocdoc/";
const mapping = (upstream: string): UrlMapping => {
  const url = new URL(upstream);
  return { upstream: url, basePath: url.pathname.replace(/\/?$/, "/"), base: HERE };
};
const API = mapping("https://api.example.com/");
const rewrite = (json: string, rule = API): string =>
  rewriteJsonUrls(Buffer.from(json), rule)?.toString() ?? json;

describe("an absolute URL of the upstream in a JSON text", () => {
  it.each([
    ["with a path and a query", "https://api.example.com/v1/providers?page=1", `${HERE}v1/providers?page=1`],
    ["with a slash alone", "https://api.example.com/", HERE],
    ["without a path", "https://api.example.com", HERE],
    ["with a query alone", "https://api.example.com?a=b", `${HERE}?a=b`],
    ["with a fragment alone", "https://api.example.com#a", `${HERE}#a`],
    ["with the port that goes without saying", "https://api.example.com:443/a", `${HERE}a`],
    ["in upper case", "HTTPS://API.Example.COM/A", `${HERE}A`],
    ["with escaped slashes", String.raw`https:\/\/api.example.com\/v1\/a`, String.raw`${HERE}v1\/a`],
    ["with slashes in hexadecimal", String.raw`https:\u002f\u002Fapi.example.com\u002fa`, `${HERE}a`],
    ["wholly in hexadecimal", String.raw`\u0068ttps://api.example.com/a`, `${HERE}a`],
    ["with text beyond ASCII", "https://api.example.com/ü/☃", `${HERE}ü/☃`],
    ["with an escaped quote", String.raw`https://api.example.com/\"a\\`, String.raw`${HERE}\"a\\`],
  ])("%s leads back through the proxy", (_name, url, expected) => {
    expect(rewrite(`"${url}"`)).toBe(`"${expected}"`);
    expect(rewrite(`{"a" : [1, {"next_url":\t"${url}" }]}\n`)).toBe(
      `{"a" : [1, {"next_url":\t"${expected}" }]}\n`,
    );
  });

  it.each([
    ["a host that only begins so", '"https://api.example.com.evil.example/a"'],
    ["a host behind a user name", '"https://api.example.com@evil.example/a"'],
    ["another port", '"https://api.example.com:8443/a"'],
    ["another scheme", '"http://api.example.com/a"'],
    ["text around it", '"see https://api.example.com/a"'],
    ["a space before it", '" https://api.example.com/a"'],
    ["a scheme left out", '"//api.example.com/a"'],
    ["a beginning of it", '"https://api.example.co"'],
    ["the name of a member", '{"https://api.example.com/a": 1, "https://api.example.com/b"\n\t: 2}'],
    ["a broken escape", String.raw`"https:\u002/\u002fapi.example.com/a"`],
    ["an empty string", '""'],
    ["nothing at all", ""],
  ])("is not seen in %s", (_name, json) => {
    expect(rewrite(json)).toBe(json);
  });

  it.each([
    ['"https://api.example.com/v2/a"', `"${HERE}a"`],
    ['"https://api.example.com/v2"', `"${HERE}"`],
    ['"https://api.example.com/v2?a"', `"${HERE}?a"`],
    ['"https://api.example.com/V2/a"', '"https://api.example.com/V2/a"'],
    ['"https://api.example.com/v22/a"', '"https://api.example.com/v22/a"'],
    ['"https://api.example.com/"', '"https://api.example.com/"'],
    ['"https://api.example.com"', '"https://api.example.com"'],
  ])("has to lie below the upstream's own path: %s", (json, expected) => {
    expect(rewrite(json, mapping("https://api.example.com/v2"))).toBe(expected);
    expect(rewrite(json, mapping("https://api.example.com/v2/"))).toBe(expected);
  });

  it("is left alone in what is not JSON, or not UTF-8", () => {
    const url = '"https://api.example.com/a"';
    for (const json of [`[${url}`, `${url}]`, `{${url}}`, `[${url},]`, `'${url}'`, `\ufeff${url}`, `"${url}`])
      expect(rewrite(json)).toBe(json);
    const latin1 = Buffer.concat([Buffer.from(`[${url},"`), Buffer.from([0xe9]), Buffer.from('"]')]);
    expect(rewriteJsonUrls(latin1, API)).toBeUndefined();
  });

  it("takes a base that has to be escaped", () => {
    const base = 'http://localhost/"\\/';
    const rewritten = rewriteJsonUrls(Buffer.from('["https://api.example.com/a"]'), { ...API, base });
    expect(JSON.parse(String(rewritten))).toEqual([`${base}a`]);
  });
});

describe("whatever the JSON text", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "binary" }).map((rest) => `https://api.example.com${rest}`),
    fc.string({ unit: "grapheme" }).map((rest) => `https://api.example.com/${rest}`),
    fc.webUrl(),
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.constantFrom(null, true, 1.5e3),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(text, tie("value"), { maxKeys: 4 }),
    ),
  }));
  const expected = (json: unknown): unknown => {
    if (typeof json === "string")
      return json.replace(/^https:\/\/api\.example\.com(?::443)?(?:\/|(?=[?#])|$)/, HERE);
    if (Array.isArray(json)) return json.map(expected);
    if (json === null || typeof json !== "object") return json;
    return Object.fromEntries(Object.entries(json).map(([name, member]) => [name, expected(member)]));
  };
  const spelled = (json: unknown, escapes: boolean): string => {
    const plain = JSON.stringify(json, undefined, escapes ? 1 : 0);
    return escapes ? plain.replaceAll("/", "\\/") : plain;
  };

  it("the strings that are such URLs change, and nothing else; a second time changes nothing", () => {
    fc.assert(
      fc.property(value, fc.boolean(), (json, escapes) => {
        const source = spelled(json, escapes);
        const once = rewrite(source);
        expect(JSON.parse(once)).toEqual(JSON.parse(JSON.stringify(expected(JSON.parse(source)))));
        expect(rewrite(once)).toBe(once);
      }),
      { numRuns: 2_000 },
    );
  });

  it("or whatever the bytes, it does not throw, and is not changed where it is no JSON", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const json = Buffer.concat([Buffer.from('["https://api.example.com/a",'), bytes]);
        const rewritten = rewriteJsonUrls(json, API);
        if (rewritten !== undefined) JSON.parse(json.toString());
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    ["backslashes", `["${"\\\\".repeat(500_000)}"]`],
    ["backslashes without an end", `["${"\\\\".repeat(500_000)}`],
    ["quotes", `[${'"",'.repeat(340_000)}""]`],
    ["spaces behind names", `{${`"https://api.example.com/"${" ".repeat(9_000)}:1,`.repeat(100)}"a":1}`],
    ["URLs", `[${'"https://api.example.com/a",'.repeat(36_000)}1]`],
    ["brackets", `${"[".repeat(500_000)}"https://api.example.com/a"${"]".repeat(500_000)}`],
  ])("a mebibyte of %s takes a moment", (_what, json) => {
    const startedAtMs = performance.now();
    rewrite(json);
    // Ten times what it takes; anything quadratic would take minutes.
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  });
});

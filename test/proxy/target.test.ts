import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProxyError } from "../../src/core/errors.ts";
import { parseTarget } from "../../src/proxy/target.ts";

describe("a request target is refused", () => {
  it.each([
    ["empty", ""],
    ["absolute form", "http://evil.example/api/a"],
    ["authority form", "evil.example:443"],
    ["asterisk form", "*"],
    ["no slash in front", "admin"],
    ["a query alone", "?a=b"],
    ["// at the start", "//evil.example/api/a"],
    ["/// at the start", "///x"],
    ["a backslash at the start", "/\\evil"],
    ["a backslash within", "/api\\..\\admin"],
    ["..", "/api/../admin"],
    [".. at the end", "/api/.."],
    [".", "/api/./admin"],
    [". alone", "/."],
    ["%2e%2e", "/api/%2e%2e/admin"],
    [".%2E", "/api/.%2E/admin"],
    ["%2E", "/api/%2E/admin"],
    ["..;x", "/api/..;x=y/admin"],
    [".;", "/api/.;/admin"],
    ["%2e%2e;x", "/api/%2e%2e;x/admin"],
    ["..%3bx", "/api/..%3bx/admin"],
    ["overlong ..", "/api/%c0%ae%c0%ae/admin"],
    ["overlong /", "/api/..%c0%afadmin"],
    ["overlong / in three bytes", "/api/%E0%80%AFadmin"],
    ["overlong backslash", "/api/%c1%9cadmin"],
    ["%2f", "/api%2fadmin"],
    ["%2F", "/api/..%2Fadmin"],
    ["%5c", "/api%5cadmin"],
    ["%5C", "/api%5Cadmin"],
    ["%00", "/api/a%00.json"],
    ["%0a", "/api/a%0ab"],
    ["%7f", "/api/a%7f"],
    ["#", "/api/a#/../admin"],
    ["# in the query", "/api/a?b#c"],
    ["a blank", "/api/a b"],
    ["a blank in the query", "/api/a?b c"],
    ["a tab", "/api/a\tb"],
    ["a zero byte", "/api/a\0"],
    ["a control byte in the query", "/api/a?\x01"],
    ["DEL", "/api/a\x7f"],
    ["8-bit bytes", "/api/caf\xe9"],
    ["a lone %", "/api/100%"],
    ["% and one digit", "/api/a%2"],
    ["% and no digits", "/api/a%zz"],
  ])("%s: %j", (_what, raw) => {
    expect(() => parseTarget(raw)).toThrow(expect.objectContaining({ code: "TARGET_INVALID" }));
  });
});

describe("a request target passes byte for byte", () => {
  it.each([
    ["/", "/", "/", ""],
    ["/api/a", "/api/a", "/api/a", ""],
    ["/api/a?x=%2F..%2F&y=/../", "/api/a", "/api/a", "?x=%2F..%2F&y=/../"],
    ["/api/a?", "/api/a", "/api/a", "?"],
    ["/api/a?b?c", "/api/a", "/api/a", "?b?c"],
    ["/api/a?100%", "/api/a", "/api/a", "?100%"],
    ["/v1/pr_1%7Clo_2", "/v1/pr_1%7Clo_2", "/v1/pr_1|lo_2", ""],
    ["/v1/pr_1%7clo_2", "/v1/pr_1%7clo_2", "/v1/pr_1|lo_2", ""],
    ["/v1/pr_1|lo_2", "/v1/pr_1|lo_2", "/v1/pr_1|lo_2", ""],
    ["/api/%252e%252e/admin", "/api/%252e%252e/admin", "/api/%2e%2e/admin", ""],
    ["/api/%252f", "/api/%252f", "/api/%2f", ""],
    ["/api/a%20b", "/api/a%20b", "/api/a b", ""],
    ["/api/caf%C3%A9", "/api/caf%C3%A9", "/api/café", ""],
    ["/api/%3F%23", "/api/%3F%23", "/api/?#", ""],
    ["/api/a.b/..c/d../...", "/api/a.b/..c/d../...", "/api/a.b/..c/d../...", ""],
    ["/api//a", "/api//a", "/api//a", ""],
    ["/api/a;b=c", "/api/a;b=c", "/api/a;b=c", ""],
    ["/admin?/pub/", "/admin", "/admin", "?/pub/"],
  ])("%s", (raw, path, decodedPath, query) => {
    expect(parseTarget(raw)).toEqual({ path, decodedPath, query });
  });

  it("or is refused, whatever it is", () => {
    const piece = fc.constantFrom(
      "/",
      "..",
      ".",
      "%2e",
      "%2F",
      "%5c",
      "\\",
      "?",
      "#",
      "%",
      ";",
      "a",
      "%7C",
      "\x00",
      "é",
      "//",
    );
    const target = fc.oneof(
      fc.string(),
      fc.array(piece).map((pieces) => `/${pieces.join("")}`),
    );
    fc.assert(
      fc.property(target, (raw) => {
        let parsed: ReturnType<typeof parseTarget>;
        try {
          parsed = parseTarget(raw);
        } catch (error) {
          expect(error).toBeInstanceOf(ProxyError);
          return;
        }
        expect(parsed.path + parsed.query).toBe(raw);
        expect(parsed.path).toMatch(/^\/(?!\/)[\x21-\x7e]*$/);
        // A lenient reader that decodes, strips parameters and collapses slashes finds no way up either.
        const segments = decodeURIComponentOrKeep(parsed.path)
          .split("/")
          .map((segment) => segment.split(";")[0]);
        expect(segments).not.toContain("..");
        expect(segments).not.toContain(".");
        expect(parsed.decodedPath.split("/").length).toBe(parsed.path.split("/").length);
      }),
      { numRuns: 2_000 },
    );
  });
});

function decodeURIComponentOrKeep(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { returnTo } from "../../src/session/return-to.ts";

describe("O04: return_to takes local paths only", () => {
  it.each([
    "/",
    "/appointments",
    "/appointments/",
    "/a/b?c=d&e=%2F%2Fx#f",
    "/search?next=https://elsewhere.example/",
    "/a%20b/%C3%A9",
    "/@x",
    "/a:b",
    "/...",
    "/.well-known",
  ])("%s stays", (path) => {
    expect(returnTo(path)).toBe(path);
  });

  it.each([
    undefined,
    "",
    "x",
    "//e",
    "//e.example/x",
    "///e",
    "/\\e",
    "\\\\e",
    "\\/e",
    "/\t/e",
    "/%09/e",
    "/%0a/e",
    "/%2509/e",
    "/ /e",
    " /e",
    "/%00",
    "/%7f",
    "/\u0000",
    "/é",
    "/\u2028",
    "/\u202e",
    "https:e",
    "https://e.example/",
    "http://h@e",
    "http:/e",
    "javascript:alert(1)",
    "data:text/html,x",
    "?x",
    "#x",
    "/%2fe",
    "/%2Fe",
    "/%252fe",
    "/%25252fe",
    "/%5ce",
    "/%255Ce",
    "%2f%2fe",
    "/a//e",
    "/..//e",
    "/../e",
    "/./e",
    "/%2e%2e/e",
    "/%252e./e",
    "/a/..",
    `/${"a".repeat(2_048)}`,
  ])("%j becomes /", (path) => {
    expect(returnTo(path)).toBe("/");
  });

  it("whatever is asked for stays on this origin, in the browser's eyes and after more decoding", () => {
    const piece = fc.constantFrom(
      "/",
      "\\",
      "%2f",
      "%5c",
      "%25",
      "2f",
      ".",
      "..",
      "@",
      ":",
      "e",
      "\t",
      " ",
      "%09",
      "?",
      "#",
      "https:",
    );
    const hostile = fc.oneof(
      fc.array(piece, { maxLength: 8 }).map((all) => all.join("")),
      fc.string(),
      fc.webUrl(),
    );
    fc.assert(
      fc.property(hostile, (text) => {
        let path = returnTo(text);
        expect(path.startsWith("/")).toBe(true);
        for (let round = 0; round < 3; round += 1) {
          expect(new URL(path, "http://local.example").origin).toBe("http://local.example");
          try {
            path = decodeURIComponent(path.split(/[?#]/)[0] ?? "");
          } catch {
            return;
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});

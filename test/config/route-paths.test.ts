import { describe, expect, it } from "vitest";
import { parseRoutePath } from "../../src/config/route-path.ts";
import { faultsOf } from "./config-fixture.ts";

describe("a route's path", () => {
  it.each([
    ["/", [], undefined, true],
    ["/a", ["a"], undefined, false],
    ["/a/", ["a"], undefined, true],
    ["/a/{tenant}/", ["a", undefined], 1, true],
    ["/{tenant}", [undefined], 0, false],
    ["/a%20b/", ["a b"], undefined, true],
    ["/caf%C3%A9", ["café"], undefined, false],
    ["/a|b", ["a|b"], undefined, false],
  ])("%s", (pattern, segments, tenantIndex, trailingSlash) => {
    expect(parseRoutePath(pattern)).toEqual({ value: { pattern, segments, tenantIndex, trailingSlash } });
  });

  it.each([
    ["a/", "must begin with /"],
    ["", "must begin with /"],
    ["//a", "must not hold //"],
    ["/a//b", "must not hold //"],
    ["/a?b", "must not hold ? or #"],
    ["/a#b", "must not hold ? or #"],
    ["/a b", "must not hold blanks"],
    ["/a\\b", "must not hold blanks, backslashes"],
    ["/./a", "must not hold . or .. segments"],
    ["/a/..", "must not hold . or .. segments"],
    ["/a/%2e%2E/b", "must not hold . or .. segments"],
    ["/a%2fb", "must not hold encoded slashes"],
    ["/a%5Cb", "must not hold encoded slashes"],
    ["/a%00", "control characters"],
    ["/a%", "a % must begin a percent-encoded character"],
    ["/a%ff", "a % must begin a percent-encoded character"],
    ["/{name}/", "only {tenant}, as a whole segment"],
    ["/x{tenant}/", "only {tenant}, as a whole segment"],
    ["/%7Btenant%7D/{tenant}/{tenant}", "{tenant} can stand once only"],
    ["/.pillion/x", "/.pillion is reserved"],
    ["/.pillion", "/.pillion is reserved"],
    ["/%2epillion/", "/.pillion is reserved"],
    ["/.PILLION/", "/.pillion is reserved"],
  ])("%j is refused", (pattern, problem) => {
    expect(parseRoutePath(pattern)).toMatchObject({ problem: expect.stringContaining(problem) });
  });

  it("two routes cannot answer the same prefix, nor have the same name", () => {
    const route = (name: string, path: string): string =>
      `  - { name: ${name}, path: '${path}', credential: none, upstream: 'https://a.example/' }\n`;
    const routes = [
      route("a", "/a/"),
      route("b", "/a"),
      route("a", "/c"),
      route("d", "/%61/"),
      route("e", "/a/b"),
    ];
    expect(faultsOf(`routes:\n${routes.join("")}`)).toEqual([
      '3:22 routes[1].path: routes[0] answers "/a" already',
      '4:13 routes[2].name: routes[0] has the name "a" already',
      '5:22 routes[3].path: routes[0] answers "/%61/" already',
    ]);
  });
});

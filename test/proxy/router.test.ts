import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkOperation, createRouteTable, matchRoute, upstreamPath } from "../../src/proxy/route-table.ts";
import { createRouter } from "../../src/proxy/router.ts";
import { parseTarget } from "../../src/proxy/target.ts";
import { aRoute, createScriptedSource } from "../support/proxy-harness.ts";

const upstream = new URL("https://up.example/");

const routerOf = (...paths: string[]) =>
  createRouter(paths.map((path) => ({ route: aRoute({ path, upstream, name: path }) })));

describe("the longest prefix wins", () => {
  const router = routerOf(
    "/a/",
    "/a/b/",
    "/a/b/c",
    "/q/{tenant}/",
    "/q/fixed/",
    "/q/{tenant}/deep/",
    "/x|y/",
    "/bare",
  );

  it.each([
    ["/a/", "/a/", "", "/a/"],
    ["/a/x", "/a/", "x", "/a/"],
    ["/a/b/", "/a/b/", "", "/a/b/"],
    ["/a/b", "/a/", "b", "/a/"],
    ["/a/bb/c", "/a/", "bb/c", "/a/"],
    ["/a/b/c", "/a/b/c", "", "/a/b/c/"],
    ["/a/b/c/", "/a/b/c", "", "/a/b/c/"],
    ["/a/b/cc", "/a/b/", "cc", "/a/b/"],
    ["/%61/b/x", "/a/b/", "x", "/%61/b/"],
    ["/x%7Cy/z%7C", "/x|y/", "z%7C", "/x%7Cy/"],
    ["/bare", "/bare", "", "/bare/"],
    ["/bare/x", "/bare", "x", "/bare/"],
    ["/a//x", "/a/", "/x", "/a/"],
    ["/q/fixed/x", "/q/fixed/", "x", "/q/fixed/"],
    ["/q/isb/x", "/q/{tenant}/", "x", "/q/isb/"],
    ["/q/isb/deep/x", "/q/{tenant}/deep/", "x", "/q/isb/deep/"],
    ["/q/fixed/deep/x", "/q/fixed/", "deep/x", "/q/fixed/"],
    ["/q/isb/deep", "/q/{tenant}/", "deep", "/q/isb/"],
  ])("%s → %s", (raw, route, rest, prefix) => {
    const match = router.match(parseTarget(raw));
    expect([match?.route.route.name, match?.rest, match?.prefix]).toEqual([route, rest, prefix]);
  });

  it.each(["/", "/a", "/A/x", "/aa/x", "/b/", "/barely", "/q/", "/q/isb", "/q//x", "/admin?/a/", "/a%2561/"])(
    "%s → none",
    (raw) => {
      expect(router.match(parseTarget(raw))).toBeUndefined();
    },
  );

  it.each([
    ["/q/isb/x", "isb"],
    ["/q/ISB/x", "ISB"],
    ["/q/i%73b/x", "isb"],
    ["/q/__proto__/x", "__proto__"],
    ["/q/t1,t2/x", "t1,t2"],
    ["/a/x", undefined],
  ])("%s → tenant %s", (raw, tenant) => {
    expect(router.match(parseTarget(raw))?.pathTenant).toBe(tenant);
  });

  it("among a thousand routes as among one", () => {
    const many = routerOf(...Array.from({ length: 1_000 }, (_, index) => `/r${index}/`));
    for (const index of [0, 499, 999]) {
      expect(many.match(parseTarget(`/r${index}/x`))?.route.route.name).toBe(`/r${index}/`);
    }
    expect(many.match(parseTarget("/r1000/x"))).toBeUndefined();
  });

  it("with a route for everything", () => {
    const all = routerOf("/");
    expect(all.match(parseTarget("/"))?.rest).toBe("");
    expect(all.match(parseTarget("/x/y"))).toMatchObject({ rest: "x/y", prefix: "/" });
  });
});

const deps = {
  observer: {
    destination: () => ({ started() {}, finished() {}, failed() {}, unauthorized() {} }),
    rejected() {},
  },
  source: () => createScriptedSource(),
};

const matchOne = (options: Partial<Parameters<typeof aRoute>[0]>, raw: string) =>
  matchRoute(createRouteTable([aRoute({ upstream, ...options })], deps).router, parseTarget(raw));

describe("the prefix is replaced by the upstream's own path", () => {
  it.each([
    ["/api/", "https://up.example/", "/api/x", "/x"],
    ["/api/", "https://up.example", "/api/", "/"],
    ["/api/", "https://up.example/v1", "/api/x", "/v1/x"],
    ["/api/", "https://up.example/v1/", "/api/x%7C/", "/v1/x%7C/"],
    ["/api/", "https://up.example/v1", "/api//x", "/v1//x"],
    ["/api", "https://up.example/v1", "/api", "/v1"],
    ["/api", "https://up.example/v1/", "/api", "/v1/"],
    ["/api", "https://up.example/v1", "/api/", "/v1/"],
    ["/api", "https://up.example/v1", "/api/x", "/v1/x"],
    ["/api", "https://up.example", "/api", "/"],
    ["/", "https://up.example/v1/", "/a/b", "/v1/a/b"],
    ["/q/{tenant}/", "https://up.example/", "/q/isb/x", "/x"],
    ["/api/", "https://up.example/", "/api/%252e%252e/x", "/%252e%252e/x"],
  ])("%s at %s: %s → %s", (path, origin, raw, expected) => {
    expect(upstreamPath(matchOne({ path, upstream: new URL(origin) }, raw))).toBe(expected);
  });

  it("and never gives one that begins with //", () => {
    expect(() => upstreamPath(matchOne({}, "/api//evil.example/x"))).toThrow(
      expect.objectContaining({ code: "TARGET_INVALID" }),
    );
  });

  it("and what is behind it stays byte for byte, whatever it is", () => {
    const table = createRouteTable(
      [aRoute({ path: "/a|b/", upstream: new URL("https://up.example/base/") })],
      deps,
    );
    const piece = fc.constantFrom("a", "%7C", "|", "%252e", "..x", "/", ";", "%C3%A9", "%41", "?", "=");
    fc.assert(
      fc.property(fc.array(piece), fc.constantFrom("/a|b/", "/a%7Cb/", "/%61%7cb/"), (pieces, prefix) => {
        const rest = pieces.join("");
        const target = parseTarget(prefix + rest);
        const match = matchRoute(table.router, target);
        expect(upstreamPath(match) + target.query).toBe(`/base/${rest}`);
        expect(match.prefix).toBe(prefix);
      }),
    );
  });
});

describe("allow and deny judge the decoded path", () => {
  const denied = (options: Partial<Parameters<typeof aRoute>[0]>, method: string, raw: string): boolean => {
    try {
      checkOperation(matchOne({ path: "/z/", ...options }, raw), method);
      return false;
    } catch (error) {
      expect(error).toMatchObject({ code: "OPERATION_DENIED" });
      return true;
    }
  };

  const rotate = { deny: ["POST /v1/credentials/rotate"] };
  it.each([
    "/z/v1/credentials/rotate",
    "/z/v1/credentials/rotat%65",
    "/z/v1/%63redentials/rotate",
    "/z/v1/credentials/rotat%2565",
    "/z/v1/credentials/rotate/",
    "/z/v1/credentials//rotate",
    "/z/v1/credentials/rotate//",
    "/z/v1/Credentials/ROTATE",
    "/z/v1/credentials;a=b/rotate;c",
    "/z/v1/credentials/rotate%3Bx",
    "/z/v1/credentials/rotate%20",
    "/z/v1/;x/credentials/rotate",
    "/z/v1/credentials/rotate?x=y",
    "/%7A/v1/credentials/rotate",
  ])("deny holds for POST %s", (raw) => {
    expect(denied(rotate, "POST", raw)).toBe(true);
  });

  it.each([
    ["GET", "/z/v1/credentials/rotate"],
    ["POST", "/z/v1/credentials/rotated"],
    ["POST", "/z/v1/credentials"],
    ["POST", "/z/v2/credentials/rotate"],
    ["POST", "/z/x?/v1/credentials/rotate"],
  ])("and for nothing else: %s %s", (method, raw) => {
    expect(denied(rotate, method, raw)).toBe(false);
  });

  it.each([
    ["* /v1/admin/*", "DELETE", "/z/v1/admin/a/b", true],
    ["* /v1/admin/*", "GET", "/z/v1/admin/", true],
    ["* /v1/admin/*", "GET", "/z/v1/admin", false],
    ["* /v1/admin/*", "GET", "/z/v1/administer", false],
    ["GET /v1/*/secret", "GET", "/z/v1/a%7Cb/secret", true],
    ["GET /v1/*/secret", "GET", "/z/v1/a/b/secret", false],
    ["* /*", "GET", "/z/anything", true],
    ["GET /café", "GET", "/z/caf%C3%A9", true],
  ])("deny %s: %s %s → %s", (operation, method, raw, expected) => {
    expect(denied({ deny: [operation] }, method, raw)).toBe(expected);
  });

  it.each([
    ["GET /v1/things", "GET", "/z/v1/things", false],
    ["GET /v1/things", "GET", "/z/v1/thing%73", false],
    ["GET /v1/things", "POST", "/z/v1/things", true],
    ["GET /v1/things", "GET", "/z/v1/things/", true],
    ["GET /v1/things", "GET", "/z/v1/Things", true],
    ["GET /v1/things", "GET", "/z/v1//things", true],
    ["GET /v1/things/*", "GET", "/z/v1/things/1/2", false],
    ["GET /v1/things/*", "GET", "/z/v1/things", true],
    ["* /v1/*/a", "PUT", "/z/v1/x/a", false],
  ])("allow %s: %s %s is denied: %s", (operation, method, raw, expected) => {
    expect(denied({ allow: [operation] }, method, raw)).toBe(expected);
  });

  it("and a denial wins over an allowance", () => {
    expect(denied({ allow: ["* /*"], deny: ["GET /x"] }, "GET", "/z/x")).toBe(true);
  });

  it("at the upstream's path, with its base in front", () => {
    const options = { upstream: new URL("https://up.example/v%31/"), deny: ["GET /v1/x"] };
    expect(denied(options, "GET", "/z/x")).toBe(true);
    expect(denied({ ...options, path: "/z" }, "GET", "/z/x")).toBe(true);
    expect(
      denied({ upstream: new URL("https://up.example/v1"), path: "/z", deny: ["GET /v1"] }, "GET", "/%7a"),
    ).toBe(true);
  });
});

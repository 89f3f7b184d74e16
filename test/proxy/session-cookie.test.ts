import { describe, expect, it } from "vitest";
import {
  CONFLICT,
  createSessionCookies,
  readCookie,
  setsSession,
  withoutSession,
} from "../../src/proxy/session-cookie.ts";

describe("the session's cookie", () => {
  it("on https is bound to this very host, and no script and no foreign form gets it", () => {
    const cookies = createSessionCookies(true, 2_592_000_000);
    expect(cookies.setSession("abc")).toBe(
      "__Host-pillion=abc; Max-Age=2592000; Path=/; HttpOnly; SameSite=Lax; Secure",
    );
    expect(cookies.clearSession()).toBe("__Host-pillion=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure");
    expect(cookies.setLogin("abc")).toBe(
      "__Host-pillion-login=abc; Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure",
    );
  });

  it("on http has a name that a browser takes there", () => {
    const cookies = createSessionCookies(false, 60_500);
    expect(cookies.setSession("abc")).toBe("pillion=abc; Max-Age=60; Path=/; HttpOnly; SameSite=Lax");
  });
});

describe("reading a cookie", () => {
  it.each<[string | undefined, ReturnType<typeof readCookie>]>([
    ["pillion=abc", "abc"],
    ["a=1; pillion=abc; b=2", "abc"],
    ["a=1;pillion = abc ", "abc"],
    ["pillion=a=b", "a=b"],
    ["pillion=", ""],
    ["pillion=abc; pillion=abc", "abc"],
    ["pillion=abc; pillion=xyz", CONFLICT],
    ["pillion=; pillion=xyz", CONFLICT],
    [undefined, undefined],
    ["", undefined],
    ["pillion", undefined],
    ["Pillion=abc", undefined],
    ["__Host-pillion=abc", undefined],
    ["pillion-login=abc", undefined],
    ["xpillion=abc", undefined],
    ["a=pillion=abc", undefined],
  ])("%j gives %s", (cookies, value) => {
    expect(readCookie(cookies, "pillion")).toBe(value);
  });
});

describe("what goes on to an upstream", () => {
  it.each([
    ["a=1; pillion=abc; b=2", "a=1; b=2"],
    ["pillion-login=abc; a=1", "a=1"],
    ["__Host-pillion=abc; __host-pillion-login=d", ""],
    ["PILLION=abc;a=1", "a=1"],
    [" pillion =abc; a=1", "a=1"],
    ["pillion", ""],
    ["pillions=abc; vermillion=2; a=pillion", "pillions=abc; vermillion=2; a=pillion"],
    ["a=1; b=2", "a=1; b=2"],
  ])("of %j is %j", (cookies, rest) => {
    expect(withoutSession(cookies)).toBe(rest);
  });

  it.each([
    ["pillion=x; Path=/", true],
    ["__Host-pillion=x", true],
    ["PILLION-LOGIN=x", true],
    [" __Host-pillion-login =x", true],
    ["pillion; Path=/", true],
    // A browser keeps the value of a cookie without a name, and sends it as `pillion=x`.
    ["=pillion=x; Path=/", true],
    [" = __Host-pillion=x", true],
    ["pillions=x", false],
    ["a=1; pillion=x", false],
    ["a=pillion", false],
  ])("Set-Cookie %j is one of the proxy's own: %s", (setCookie, isOwn) => {
    expect(setsSession(setCookie)).toBe(isOwn);
  });
});

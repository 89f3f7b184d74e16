import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { authenticateClient } from "../../src/token/client-authentication.ts";

const decoded = (headers: readonly string[]): string =>
  Buffer.from(headers[1]?.replace("Basic ", "") ?? "", "base64").toString();

describe("client authentication by Basic", () => {
  it.each([
    [
      "letters and digits, as Cognito and Qmatic give out",
      "3n4b5urk1ft4fl3mg5e62d9ado",
      "9l2jKq",
      "3n4b5urk1ft4fl3mg5e62d9ado:9l2jKq",
    ],
    ["base64url, as Auth0 gives out", "a-b_c", "x-_.*y", "a-b_c:x-_.*y"],
    ["a colon in the id", "a:b", "c", "a%3Ab:c"],
    ["what a form escapes", "a b", "p+q/r=%&", "a+b:p%2Bq%2Fr%3D%25%26"],
    ["beyond ASCII", "ü", "☃", "%C3%BC:%E2%98%83"],
  ])("encodes %s", (_what, clientId, clientSecret, userPass) => {
    const { headers, parameters } = authenticateClient("basic", { clientId, clientSecret });
    expect(headers[0]).toBe("authorization");
    expect(decoded(headers)).toBe(userPass);
    expect(parameters).toEqual({});
  });

  it("is one line and gives back id and secret to a server that follows RFC 6749 §2.3.1", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.string({ unit: "grapheme", maxLength: 500 }),
        (id, secret) => {
          const { headers } = authenticateClient("basic", { clientId: id, clientSecret: secret });
          expect(headers[1]).toMatch(/^Basic [A-Za-z0-9+/]+=*$/);
          const [user = "", pass = "", ...rest] = decoded(headers).split(":");
          expect(rest).toEqual([]);
          const form = new URLSearchParams(`u=${user}&p=${pass}`);
          expect([form.get("u"), form.get("p")]).toEqual([id, secret]);
        },
      ),
    );
  });
});

describe("client authentication in the body", () => {
  it.each(["post", "json"] as const)("by %s carries id and secret as parameters alone", (method) => {
    expect(authenticateClient(method, { clientId: "i", clientSecret: "s" })).toEqual({
      headers: [],
      parameters: { client_id: "i", client_secret: "s" },
    });
  });
});

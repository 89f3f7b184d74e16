import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseBasic } from "../../src/emulator/token-request.ts";
import { basic } from "./harness.ts";

describe("the Basic credentials of a token request", () => {
  it("come back as they were, when both halves were form-encoded", () => {
    const encode = (text: string) => new URLSearchParams({ x: text }).toString().slice(2);
    const text = fc.string({ unit: "grapheme", minLength: 1 });
    fc.assert(
      fc.property(text, text, (clientId, clientSecret) => {
        expect(parseBasic(basic(encode(clientId), encode(clientSecret)))).toEqual({ clientId, clientSecret });
      }),
    );
  });

  it("are refused or had, never thrown at, whatever the field holds", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => `Basic ${text}`),
        ),
        (field) => {
          const credentials = parseBasic(field);
          expect(credentials === undefined || credentials.clientId.length > 0).toBe(true);
        },
      ),
    );
  });

  it.each([
    ["no padding", "Basic YTpiYw"],
    ["URL-safe letters", "Basic YTr_-w=="],
    ["a line end inside", "Basic YTpi\r\nYw=="],
    ["no colon", `Basic ${Buffer.from("ab").toString("base64")}`],
    ["no client id", `Basic ${Buffer.from(":b").toString("base64")}`],
    ["broken percent-encoding", `Basic ${Buffer.from("a:%zz").toString("base64")}`],
    ["bytes that are no UTF-8", `Basic ${Buffer.from([0x61, 0x3a, 0xff]).toString("base64")}`],
  ])("are none with %s", (_name, field) => {
    expect(parseBasic(field)).toBeUndefined();
  });
});

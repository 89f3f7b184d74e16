import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "../config/config-fixture.ts";

const fixed = (body: string): string => `credentials: { k: { provider: static, ${body} } }`;

describe("static", () => {
  it("is a header field and the place of its value", () => {
    expect(configOf(fixed("header: X-API-Key, value: { file: key }")).credentials.get("k")).toEqual({
      name: "k",
      provider: "static",
      prefetch: false,
      defaultUpstream: undefined,
      defaultDeny: [],
      injectedFields: ["x-api-key"],
      tenants: undefined,
      spec: {
        kind: "static",
        provider: "static",
        header: "X-API-Key",
        value: { kind: "file", path: "/etc/pillion/key" },
      },
    });
  });

  it("tenants have values, or fields, of their own; nobody else may state any of these fields", () => {
    const text = fixed(
      "header: X-Key, tenants: { a: { value: { env: A } }, b: { header: X-Other, value: { env: B } } }",
    );
    const credential = configOf(text).credentials.get("k");
    expect(credential?.injectedFields).toEqual(["x-key", "x-other"]);
    expect(credential?.tenants?.get("b")).toMatchObject({ header: "X-Other", value: { name: "B" } });
  });

  it.each([
    ["header: Host, value: { env: K }", "header: cannot be Host: the proxy makes this field itself"],
    [
      "header: Content-Length, value: { env: K }",
      "header: cannot be Content-Length: the proxy makes this field itself",
    ],
    [
      "header: Pillion-X, value: { env: K }",
      "header: cannot be Pillion-X: fields named Pillion-… are the proxy's own",
    ],
    ["header: 'a b', value: { env: K }", 'header: not a valid name of a header field: "a b"'],
    ["value: { env: K }", "header: is missing: expected the name of a header field"],
    [
      "header: X, value: { env: K }, token_url: 'https://a/'",
      "token_url: unknown key; expected provider, header, value, tenants or tenants_directory",
    ],
  ])("{ %s } is refused", (body, fault) => {
    expect(faultsOf(fixed(body)).map((line) => line.replace(/^\S+ credentials\.k\./, ""))).toEqual([fault]);
  });
});

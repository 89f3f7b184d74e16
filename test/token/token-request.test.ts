import { describe, expect, it } from "vitest";
import { tokenRequest } from "../../src/token/token-request.ts";
import { spec } from "./engine.ts";

const credentials = { clientId: "my-id", clientSecret: "my+secret" };
const header = (headers: readonly string[], name: string): string | undefined => {
  const index = headers.findIndex((text, position) => position % 2 === 0 && text.toLowerCase() === name);
  return index < 0 ? undefined : headers[index + 1];
};

describe("the token request", () => {
  it("to Zocdoc is JSON of exactly four members, without a scope", () => {
    const request = tokenRequest(
      spec({ clientAuth: "json", audience: "https://api-developer.zocdoc.com/" }),
      credentials,
    );
    expect(request.method).toBe("POST");
    expect(header(request.headers, "content-type")).toBe("application/json");
    expect(header(request.headers, "authorization")).toBeUndefined();
    expect(JSON.parse(request.body)).toEqual({
      grant_type: "client_credentials",
      client_id: "my-id",
      client_secret: "my+secret",
      audience: "https://api-developer.zocdoc.com/",
    });
  });

  it("to Qmatic is a form with Basic and the account, scopes separated by spaces", () => {
    const scope = "com.qmatic.saas.appointments/external.appointment";
    const request = tokenRequest(
      spec({ scopes: [`${scope}.book`, `${scope}.cancel`], tokenRequestHeaders: ["X-ACCOUNT", "isb"] }),
      credentials,
    );
    expect(header(request.headers, "content-type")).toBe("application/x-www-form-urlencoded");
    expect(header(request.headers, "x-account")).toBe("isb");
    expect(header(request.headers, "authorization")).toBe(
      `Basic ${Buffer.from("my-id:my%2Bsecret").toString("base64")}`,
    );
    expect(Object.fromEntries(new URLSearchParams(request.body))).toEqual({
      grant_type: "client_credentials",
      scope: `${scope}.book ${scope}.cancel`,
    });
    expect(request.body).not.toContain("%20");
  });

  it("by post carries id and secret in the form, and extra parameters, which replace nothing", () => {
    const request = tokenRequest(
      spec({ clientAuth: "post", params: { resource: "urn:x", grant_type: "password", client_id: "other" } }),
      credentials,
    );
    expect(header(request.headers, "authorization")).toBeUndefined();
    expect(Object.fromEntries(new URLSearchParams(request.body))).toEqual({
      resource: "urn:x",
      grant_type: "client_credentials",
      client_id: "my-id",
      client_secret: "my+secret",
    });
  });

  it("asks for JSON that is not compressed", () => {
    const { headers } = tokenRequest(spec(), credentials);
    expect(header(headers, "accept")).toBe("application/json");
    expect(header(headers, "accept-encoding")).toBe("identity");
  });
});

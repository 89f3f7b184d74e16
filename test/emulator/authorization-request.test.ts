import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { send } from "./harness.ts";
import { startUserBench, type UserBench } from "./user-harness.ts";

let bench: UserBench;
beforeAll(async () => {
  bench = await startUserBench({
    redirectUris: ["http://localhost:8080/.pillion/callback", "https://app.example/back?tenant=a"],
  });
});
afterAll(() => bench.emulator.stop());

type Change = Readonly<Record<string, string | undefined>>;

describe("an authorization request whose client or redirect URI is wrong", () => {
  it.each<[string, Change, number]>([
    ["no client", { client_id: undefined }, 400],
    ["an unknown client", { client_id: "nobody" }, 400],
    ["a machine's client", { client_id: "zocdoc-sandbox-client" }, 400],
    ["production's client", { client_id: "zocdoc-production-user-client" }, 400],
    ["no redirect URI", { redirect_uri: undefined }, 400],
    ["another host", { redirect_uri: "http://evil.example/.pillion/callback" }, 403],
    ["another port", { redirect_uri: "http://localhost:8081/.pillion/callback" }, 403],
    ["a path below", { redirect_uri: "http://localhost:8080/.pillion/callback/" }, 403],
    ["a query more", { redirect_uri: "http://localhost:8080/.pillion/callback?x=1" }, 403],
    ["another case", { redirect_uri: "http://LOCALHOST:8080/.pillion/callback" }, 403],
    ["a wrong response type besides", { client_id: "nobody", response_type: "token" }, 400],
  ])("(%s) gets a page and is never redirected", async (_name, change, status) => {
    const reply = await send(bench.authorizeUrl(change));
    expect([reply.status, reply.headers.location]).toEqual([status, undefined]);
    expect(reply.headers["content-type"]).toMatch(/^text\/html/);
    expect(reply.text).toContain("start again");
  });

  it.each(["client_id", "redirect_uri"])("(%s twice) gets a page", async (name) => {
    const url = bench.authorizeUrl();
    const value = new URL(url).searchParams.get(name) ?? "";
    const reply = await send(`${url}&${new URLSearchParams({ [name]: value })}`);
    expect([reply.status, reply.headers.location]).toEqual([400, undefined]);
  });
});

describe("any other fault of an authorization request", () => {
  it.each<[string, Change, string]>([
    ["no response type", { response_type: undefined }, "invalid_request"],
    ["the implicit grant", { response_type: "token" }, "unsupported_response_type"],
    ["a fragment as response mode", { response_mode: "fragment" }, "invalid_request"],
    ["no challenge", { code_challenge: undefined }, "invalid_request"],
    ["no method, which means plain", { code_challenge_method: undefined }, "invalid_request"],
    ["plain", { code_challenge_method: "plain" }, "invalid_request"],
    ["a challenge with padding", { code_challenge: `${"a".repeat(43)}=` }, "invalid_request"],
    ["a challenge in base64", { code_challenge: `${"a".repeat(42)}+` }, "invalid_request"],
    ["a short challenge", { code_challenge: "a".repeat(42) }, "invalid_request"],
    ["no audience", { audience: undefined }, "invalid_request"],
    ["machines' audience", { audience: "https://api-developer-sandbox.zocdoc.com/" }, "access_denied"],
    ["production's audience", { audience: "DeveloperApiPatient" }, "access_denied"],
    ["no scope", { scope: undefined }, "invalid_scope"],
    ["an unknown scope", { scope: "external.appointment.read openid" }, "invalid_scope"],
    ["a machine's scope", { scope: "external.credential.rotate" }, "invalid_scope"],
  ])("(%s) goes to the application", async (_name, change, error) => {
    const reply = await send(bench.authorizeUrl(change));
    expect(reply.status).toBe(303);
    const location = new URL(reply.headers.location ?? "");
    expect(location.origin + location.pathname).toBe("http://localhost:8080/.pillion/callback");
    expect(Object.fromEntries(location.searchParams)).toEqual({
      error,
      error_description: expect.stringMatching(/^[ -!#-[\]-~]+$/),
      state: "the state",
      iss: `${bench.emulator.origin}/`,
    });
  });

  it("goes there without a state where none was given, and beside a query that is there", async () => {
    const change = {
      redirect_uri: "https://app.example/back?tenant=a",
      state: undefined,
      scope: 'a"\\b\u00e9',
    };
    const reply = await send(bench.authorizeUrl(change));
    const location = new URL(reply.headers.location ?? "");
    expect([...location.searchParams.keys()]).toEqual(["tenant", "error", "error_description", "iss"]);
    expect(location.searchParams.get("error_description")).toBe("Unknown scope: a??b?");
  });

  it("includes a parameter given twice", async () => {
    const reply = await send(`${bench.authorizeUrl()}&state=another`);
    expect(new URL(reply.headers.location ?? "").searchParams.get("error")).toBe("invalid_request");
  });
});

describe("the authorization endpoint", () => {
  it.each(["PUT", "DELETE", "PATCH"])("does not take %s", async (method) => {
    const reply = await send(bench.authorizeUrl(), { method });
    expect([reply.status, reply.headers.allow]).toEqual([405, "GET, HEAD, POST"]);
  });

  it("is where the service with users is, and nowhere else", async () => {
    const { search } = new URL(bench.authorizeUrl());
    const reply = await send(`${bench.emulator.origin}/qmatic/eu-west-1/authorize${search}`);
    expect(reply.status).toBe(401);
  });

  it("knows redirect URIs that were registered later", async () => {
    const change = { redirect_uri: "http://localhost:4321/.pillion/callback" };
    expect((await send(bench.authorizeUrl(change))).status).toBe(403);
    bench.emulator.registerRedirectUri(change.redirect_uri);
    expect((await send(bench.authorizeUrl(change))).status).toBe(200);
  });
});

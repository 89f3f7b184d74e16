import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type Answer,
  type AnswerTo,
  granted,
  refused,
  type ScriptedTokenEndpoint,
  silence,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { examine, findingOf, inWords, oauth2, SHORT_TIMEOUT_MS } from "./lab.ts";

const html: Answer = {
  status: 200,
  headers: { "content-type": "text/html; charset=utf-8" },
  body: "<!DOCTYPE html><title>Sign in to the network</title>",
};
const plain = (status: number, body = ""): Answer => ({ status, body });

let server: ScriptedTokenEndpoint;
beforeAll(async () => {
  server = await startTokenEndpoint();
});
afterAll(() => server.close());

async function said(answer: Answer | AnswerTo, more = "", timeoutMs?: number): Promise<string> {
  server.answer(answer);
  const findings = await examine(oauth2(server.url, more), timeoutMs === undefined ? {} : { timeoutMs });
  return inWords(findingOf(findings, "credential billing"));
}

describe("what a token endpoint answers, with its cause and a next step", () => {
  it.each<[string, Answer | AnswerTo, RegExp, string?]>([
    ["a token", granted(), /^ok a token for 3600 s \(until 2\d{3}-.*Z\), no scope, in \d+ ms/],
    [
      "a client that is not known",
      refused(401, "invalid_client"),
      /^failure .*401 invalid_client \| check client_id and client_secret.*environment/,
    ],
    [
      "a client that may not",
      refused(400, "unauthorized_client"),
      /unauthorized_client \| .*not allowed this grant/,
    ],
    [
      "a grant that is not offered",
      refused(400, "unsupported_grant_type"),
      /\| .*does not offer client credentials.*token_url/,
    ],
    [
      "a scope of its own invention",
      refused(400, "invalid_scope"),
      /invalid_scope \| .*correct scopes.*billing\.read/,
      ", scopes: [billing.read]",
    ],
    [
      "a scope too few",
      granted({ scope: "a" }),
      /^warning .*asked for, and not granted: b \| .*403/,
      ", scopes: [a, b]",
    ],
    [
      "a refusal for want of an audience",
      refused(403, "access_denied", "Missing required parameter: audience"),
      /\| set audience to the API's identifier/,
    ],
    [
      "an audience that is not known",
      refused(403, "access_denied", "Service not found: https://api.example"),
      /\| check audience \(https:\/\/api\.example\), to the letter.*slash/,
      ', audience: "https://api.example"',
    ],
    ["a target that is not known (RFC 8707)", refused(400, "invalid_target"), /\| .*audience/],
    [
      "a bare access_denied",
      refused(401, "access_denied"),
      /\| .*belong to this environment.*audience is missing/,
    ],
    [
      "a redirect",
      { status: 302, headers: { location: "https://login.example/sign-in?state=secret-state" } },
      /answered 302, a redirect to https:\/\/login\.example\/sign-in \| .*never follow redirects.*token_url/,
    ],
    ["a page", html, /answered 200 with an HTML page.*\| .*captive portal/],
    ["a page of an error", { ...html, status: 404 }, /answered 404 with an HTML page/],
    [
      "a wrong path",
      plain(404, "{}"),
      /answered 404.*\| there is no token endpoint at \/oauth\/token: check the path of token_url/,
    ],
    ["a path that takes no POST", plain(405), /answered 405.*\| there is no token endpoint at/],
    [
      "a gateway's 403",
      plain(403, "no"),
      /answered 403.*\| a gateway before the token endpoint may refuse this machine/,
    ],
    ["an outage", plain(503), /answered 503 \| the server itself fails/],
    [
      "a limit for long",
      { status: 429, headers: { "retry-after": "120" } },
      /429.*\| wait 120 s.*running sidecar/,
    ],
    [
      "an answer that is no token",
      plain(200, "{}"),
      /answered 200 without an access_token.*\| check token_url.*RFC 6749/,
    ],
    [
      "a token of another type",
      granted({ token_type: "mac" }),
      /token_type that is not Bearer.*\| check token_url/,
    ],
    ["a short life", granted({ expires_in: 20 }), /^warning .*that is short/],
  ])("%s", async (_name, answer, words, more) => {
    expect(await said(answer, more)).toMatch(words);
  });

  it("silence", async () => {
    expect(await said(silence, "", SHORT_TIMEOUT_MS)).toMatch(
      /^failure .*takes connections and did not answer a request within 0\.7 s \| check its health/,
    );
  });

  it("names the credential's host, and never what was written in the query of a redirect", async () => {
    const words = await said({ status: 302, headers: { location: "/login?code=secret-state" } });
    expect(words).toContain(`the token endpoint ${server.url.host} `);
    expect(words).not.toContain("secret-state");
  });

  it("finds the client authentication that is accepted", async () => {
    const words = await said(({ headers }, count) =>
      headers.authorization === undefined
        ? (granted()({} as never, count) as Answer)
        : refused(401, "invalid_client"),
    );
    expect(words).toMatch(/^failure .*invalid_client \| .*set client_auth: post$/);
  });

  it("finds the scope that is refused", async () => {
    const words = await said(
      (request, count) =>
        request.body.includes("billing.write")
          ? refused(400, "invalid_scope")
          : (granted()(request, count) as Answer),
      ", scopes: [billing.read, billing.write]",
    );
    expect(words).toMatch(/\| refused is billing\.write, the others are granted/);
  });

  it("asks once more where a limit was used up by somebody else", async () => {
    const before = server.requests.length;
    server.answer({ status: 429, headers: { "retry-after": "1" } }, granted());
    const [finding] = (await examine(oauth2(server.url))).slice(1);
    expect(finding?.status).toBe("ok");
    expect(server.requests.length - before).toBe(2);
  });
});

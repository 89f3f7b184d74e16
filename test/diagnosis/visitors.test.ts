import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  granted,
  refused,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { examine, findingOf, inWords } from "./lab.ts";

let server: ScriptedTokenEndpoint;
beforeAll(async () => {
  server = await startTokenEndpoint();
});
afterAll(() => server.close());

const anonymous = (): string => `credentials:
  app: { provider: zocdoc, environment: sandbox, token_url: "${server.url}", client_id: c, client_secret: { env: SECRET } }
  visitors: { provider: zocdoc, grant: anonymous, environment: sandbox, api_url: "${server.url.origin}/", app: app, app_client_id: u }
routes:
  - { name: search, path: /search/, credential: visitors }
`;
const user = (authorizeUrl: string): string => `credentials:
  users: { provider: oauth2, grant: user, authorize_url: "${authorizeUrl}", token_url: "${server.url}", client_id: u, client_secret: { env: SECRET } }
routes:
  - { name: my, path: /my/, upstream: "${server.url.origin}/", credential: users }
`;

describe("credentials of visitors", () => {
  it("anonymous: one token is minted, with the token of the app that is fetched once", async () => {
    const before = server.requests.length;
    server.answer(granted());
    const findings = await examine(anonymous());
    expect(inWords(findingOf(findings, "credential visitors"))).toMatch(
      /^ok a visitor's token for 3600 s, minted with credential app and not used$/,
    );
    const paths = server.requests.slice(before).map(({ method, path }) => `${method} ${path}`);
    expect(paths.filter((path) => path.startsWith("POST"))).toEqual([
      "POST /oauth/token",
      "POST /v1/token/anonymous-user",
    ]);
  });

  it("anonymous: without the app's token nothing is minted, and the line says where to look", async () => {
    server.answer(refused(401, "access_denied"));
    const findings = await examine(anonymous());
    expect(findingOf(findings, "credential app").status).toBe("failure");
    expect(inWords(findingOf(findings, "credential visitors"))).toMatch(
      /^failure not asked: credential app.*\| see what is said of credential app/,
    );
  });

  it("anonymous: a mint that refuses", async () => {
    server.answer(({ path }, count) =>
      path === "/oauth/token"
        ? { status: 200, body: JSON.stringify({ access_token: `t${count}`, token_type: "Bearer" }) }
        : refused(403, "access_denied"),
    );
    expect(inWords(findingOf(await examine(anonymous()), "credential visitors"))).toMatch(
      /^failure the endpoint .*\/v1\/token\/anonymous-user answered 403 access_denied \| check app_client_id/,
    );
  });

  it("users: both endpoints are reached, and neither is asked for anything", async () => {
    const before = server.requests.length;
    const findings = await examine(user(`${server.url.origin}/authorize`));
    expect(inWords(findingOf(findings, "credential users"))).toMatch(
      /^ok token endpoint .*a login itself takes a browser/,
    );
    expect(server.requests.slice(before).map(({ method }) => method)).toEqual(["HEAD"]);
  });

  it("users: an authorize URL that only browsers may reach is a warning", async () => {
    const findings = await examine(user("http://127.0.0.1:9/authorize"));
    expect(inWords(findingOf(findings, "credential users"))).toMatch(
      /^warning the authorize URL's host 127\.0\.0\.1:9 refuses.*\| .*browsers go there themselves/,
    );
  });
});

import { describe, expect, it } from "vitest";
import { configOf, faultsOf } from "./config-fixture.ts";

const config = (route: string): string => `
credentials:
  app: { provider: zocdoc, environment: sandbox, client_id: id, client_secret: { env: S } }
  user: { provider: zocdoc, grant: user, environment: sandbox, client_id: id }
  visitor: { provider: zocdoc, grant: anonymous, environment: sandbox, app: app, app_client_id: id }
  portal: { provider: oauth2, grant: user, authorize_url: "https://a/", token_url: "https://t/", client_id: id }
  fixed: { provider: static, header: X, value: { env: S } }
routes:
  - { name: r, path: /r, upstream: "https://up.example/", ${route} }`;

describe("a route's login", () => {
  it.each([
    ["credential: user", false],
    ["credential: user, login: answer", false],
    ["credential: user, login: redirect", true],
    ["credential: portal, login: redirect", true],
    ["credential: app", false],
    ["credential: visitor", false],
    ["credential: none", false],
  ])("{ %s }: a navigation is sent to the login: %s", (route, loginRedirect) => {
    expect(configOf(config(route)).routes[0]).toMatchObject({ loginRedirect });
  });

  const NOBODY = "login: is for a credential of grant user, and credential";
  it.each([
    ["credential: app, login: redirect", `${NOBODY} app is of another kind`],
    ["credential: app, login: answer", `${NOBODY} app is of another kind`],
    ["credential: visitor, login: redirect", `${NOBODY} visitor is of another kind`],
    ["credential: fixed, login: redirect", `${NOBODY} fixed is of another kind`],
    ["credential: none, login: redirect", `${NOBODY} none is of another kind`],
    ["credential: user, login: yes", 'login: expected redirect or answer, not "yes"'],
    [
      "credential: user, login: redirct",
      'login: expected redirect or answer, not "redirct" (did you mean "redirect"?)',
    ],
    ["credential: user, tenant: isb", "tenant: credential user has no tenants"],
    [
      "credential: userr, login: redirect",
      'credential: no credential has the name "userr" (did you mean "user"?)',
    ],
  ])("{ %s } is refused", (route, fault) => {
    const faults = faultsOf(config(route));
    expect(faults.map((line) => line.replace(/^\d+:\d+ routes\[0\]\./, ""))).toEqual([fault]);
    expect(faults[0]).toMatch(/^9:\d\d /);
  });

  it.each(["/.pillion", "/.pillion/", "/.pillion/x", "/.Pillion/", "/%2epillion/"])(
    "no route can take the path %s of the proxy's own pages",
    (path) => {
      const text = `routes: [{ name: r, path: "${path}", upstream: "https://up.example/", credential: none }]`;
      expect(faultsOf(text)).toEqual(["1:27 routes[0].path: /.pillion is reserved for the proxy itself"]);
    },
  );

  it.each(["user", "visitor", "app"])(
    "credential %s gives the API base as upstream, and denies rotating the client's secret",
    (credential) => {
      const text = config(`credential: ${credential}`).replace('upstream: "https://up.example/", ', "");
      const [route] = configOf(text).routes;
      expect(route?.upstream.href).toBe("https://api-developer-sandbox.zocdoc.com/");
      expect(route?.deny).toEqual([{ method: "POST", path: "/v1/credentials/rotate" }]);
      expect(route?.credential?.injectedFields).toEqual(["authorization"]);
    },
  );
});

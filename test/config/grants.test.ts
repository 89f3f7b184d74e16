import { describe, expect, it } from "vitest";
import { configOf, faultsOf, parse, withoutSection } from "./config-fixture.ts";

const app = (more = ""): string =>
  `app: { provider: zocdoc, environment: sandbox, client_id: id, client_secret: { env: S }${more} }`;
const user = (more = ""): string =>
  `user: { provider: zocdoc, grant: user, environment: sandbox, client_id: id${more} }`;
const visitor = (more = "", mint = "app"): string =>
  `visitor: { provider: zocdoc, grant: anonymous, environment: sandbox, app_client_id: id, app: ${mint}${more} }`;
const credentials = (...entries: readonly string[]): string =>
  `credentials:\n${entries.map((entry) => `  ${entry}\n`).join("")}`;

describe("a provider's grant", () => {
  it("is client_credentials where it is left out", () => {
    const kinds = [...configOf(credentials(app(), visitor(), user())).credentials.values()].map(
      ({ spec }) => spec?.kind,
    );
    expect(kinds).toEqual(["client_credentials", "anonymous", "user"]);
  });

  it.each([
    [
      app(", grant: users"),
      'credentials.app.grant: expected client_credentials, user or anonymous, not "users" (did you mean "user"?)',
    ],
    [app(", grant: 5"), "credentials.app.grant: expected client_credentials, user or anonymous, not 5"],
    [
      "o: { provider: oauth2, grant: anonymous }",
      'credentials.o.grant: expected client_credentials or user, not "anonymous"',
    ],
    [
      "f: { provider: static, grant: user, header: X, value: { env: S } }",
      "credentials.f.grant: unknown key; expected provider, header, value, tenants or tenants_directory",
    ],
    [
      app(", tenants: { a: { grant: user } }"),
      "credentials.app.tenants.a.grant: is shared by all tenants: write it on the credential",
    ],
  ])("%s is refused", (text, fault) => {
    expect(faultsOf(credentials(text)).map((line) => line.replace(/^2:\d+ /, ""))).toEqual([fault]);
  });

  const PER_VISITOR = "cannot be used here: a token belongs to one visitor, and there";
  it.each([
    [
      user,
      "client_secret: { env: S }",
      "cannot be used here: users sign in through a public client, which has no secret (PKCE takes its place)",
    ],
    [user, "tenants: { a: {} }", `${PER_VISITOR} are no tenants`],
    [user, "tenants_directory: /x", `${PER_VISITOR} are no tenants`],
    [user, "prefetch: true", `${PER_VISITOR} is none to fetch at start`],
    [user, "app: app", "is for grant anonymous, and this credential is of grant user"],
    [visitor, "tenants: { a: {} }", `${PER_VISITOR} are no tenants`],
    [visitor, "prefetch: false", `${PER_VISITOR} is none to fetch at start`],
    [
      visitor,
      "client_id: x",
      "cannot be used here: `app` names the credential that mints, and `app_client_id` the application that visitors use",
    ],
    [visitor, "client_secret: { env: S }", "cannot be used here: the credential that `app` names has it"],
    [visitor, "scopes: [a]", "is for grant user, and this credential is of grant anonymous"],
    [app, "scopes: [a]", "is for grant user, and this credential is of grant client_credentials"],
    [app, "issuer: x", "is for grant user, and this credential is of grant client_credentials"],
    [app, "app_client_id: x", "is for grant anonymous, and this credential is of grant client_credentials"],
    [user, "scope: a", 'unknown key (did you mean "scopes"?)'],
  ])("%o does not take { %s }", (credential, key, fault) => {
    const others = credential === visitor ? [app()] : [];
    const [line = "", ...more] = faultsOf(credentials(credential(`, ${key}`), ...others));
    expect(more).toEqual([]);
    expect(line.replace(/^2:\d+ credentials\.\w+\.\w+: /, "")).toBe(fault);
  });
});

describe("a credential that refers to another", () => {
  const expected = (grant: string): string => `expected one of provider zocdoc and grant ${grant}`;
  const OAUTH2 =
    "billing: { provider: oauth2, token_url: 'https://a/', client_id: id, client_secret: { env: S } }";

  it.each([
    ["before it", [app(), visitor(), user(", anonymous: visitor")]],
    ["after it", [user(", anonymous: visitor"), visitor(), app()]],
  ])("finds one that stands %s", (_, entries) => {
    const config = configOf(credentials(...entries));
    expect([...config.credentials.keys()]).toEqual(entries.map((entry) => entry.split(":")[0]));
    expect(config.credentials.get("user")?.spec).toMatchObject({ anonymous: "visitor" });
    const spec = config.credentials.get("visitor")?.spec;
    expect(spec).toMatchObject({ app: { credential: "app" } });
    expect(spec?.kind === "anonymous" && spec.app.spec).toBe(config.credentials.get("app")?.spec);
  });

  it.each([
    [
      [visitor("", "apps"), app()],
      `app: no credential has the name "apps" (did you mean "app"?); ${expected("client_credentials")}`,
    ],
    [
      [visitor("", "nothing-like-it"), app()],
      `app: no credential has the name "nothing-like-it"; ${expected("client_credentials")}`,
    ],
    [
      [visitor("", "user"), user()],
      `app: credential "user" is of another kind; ${expected("client_credentials")}`,
    ],
    [
      [visitor("", "visitor")],
      `app: credential "visitor" is of another kind; ${expected("client_credentials")}`,
    ],
    [
      [visitor("", "billing"), OAUTH2],
      `app: credential "billing" is of another kind; ${expected("client_credentials")}`,
    ],
    [
      [visitor(), app(", tenants: { a: {} }")],
      `app: credential "app" has tenants; ${expected("client_credentials")}, without tenants`,
    ],
    [
      [visitor(), app().replace("sandbox", "production")],
      "app: credential app is of environment production, and this one of sandbox; Zocdoc accepts no token of the other",
    ],
    [[visitor("", "[app]"), app()], "app: expected the name of a credential, not a list"],
    [
      [user(", anonymous: app"), app()],
      `anonymous: credential "app" is of another kind; ${expected("anonymous")}`,
    ],
    [
      [user(", anonymous: user")],
      `anonymous: credential "user" is of another kind; ${expected("anonymous")}`,
    ],
    [
      [user(", anonymous: vistor"), visitor(), app()],
      `anonymous: no credential has the name "vistor" (did you mean "visitor"?); ${expected("anonymous")}`,
    ],
    [
      [user(", anonymous: visitor").replace("sandbox", "production"), visitor(), app()],
      "anonymous: credential visitor is of environment sandbox, and this one of production; Zocdoc accepts no token of the other",
    ],
  ])("%j is refused", (entries, fault) => {
    const [line = "", ...more] = faultsOf(credentials(...entries));
    expect(more).toEqual([]);
    expect(line.replace(/^2:\d+ credentials\.\w+\./, "")).toBe(fault);
  });

  it("is not at fault where the other one is", () => {
    const faults = faultsOf(
      credentials(visitor(), app(), user(", anonymous: visitor")).replace("{ env: S }", "x"),
    );
    expect(faults).toEqual([
      "3:80 credentials.app.client_secret: a secret is not written out in the configuration: give { env: NAME } for an environment variable or { file: PATH } for a file",
    ]);
  });

  it("makes the other one used", () => {
    const route = 'routes: [{ name: a, path: /a, credential: user, upstream: "https://a.example/" }]';
    const text = `${credentials(app(), visitor(), user(", anonymous: visitor"))}${route}`;
    expect(parse(text).warnings.map(withoutSection)).toEqual([]);
    expect(parse(text.replace("anonymous: visitor", "audience: a")).warnings.map(withoutSection)).toEqual([
      "pillion.yaml:3:3 credentials.visitor: no route uses this credential",
    ]);
  });
});

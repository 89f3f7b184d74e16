import { Ajv } from "ajv";
import { expect, it } from "vitest";
import { z } from "zod";
import { clientKeys, tokenEndpointKeys } from "../../src/config/credential-keys.ts";
import { createJsonSchema } from "../../src/config/json-schema.ts";
import { defineProvider } from "../../src/config/provider-definition.ts";
import { providers } from "../../src/provider/index.ts";
import { configOf, faultsOf } from "../config/config-fixture.ts";

/** A provider that the configuration has never heard of. */
const acme = defineProvider({
  name: "acme",
  description: "A made-up provider.",
  keys: { realm: z.string().min(1).describe("Its realm."), ...clientKeys, ...tokenEndpointKeys },
  sharedKeys: ["prefetch"],
  tenantFiles: { references: ["client_secret"], texts: ["realm"] },
  injectedFields: ["authorization"],
  defaultDeny: ["* /admin/*"],
  defaultUpstream: ({ realm }) =>
    realm === undefined ? undefined : new URL(`https://${realm}.example.com/`),
  createSpec: (values, { references }) => ({
    kind: "client_credentials",
    provider: "acme",
    environment: values.realm,
    tokenUrl: new URL(`https://${values.realm}.example.com/token`),
    clientAuth: "post",
    clientId: references.value(values.client_id),
    clientSecret: references.secret(values.client_secret),
    scopes: [],
    audience: undefined,
    params: {},
    tokenRequestHeaders: [],
    injectHeaders: [],
    connection: references.connection(values),
    tokenRequestsPerSecond: Number.POSITIVE_INFINITY,
  }),
});

const TEXT = `credentials: { a: { provider: acme, realm: r1, client_id: x, client_secret: { env: S } } }
routes: [{ name: a, path: /a, credential: a }]`;

it("one definition is all that a further provider takes: parsing, faults, defaults, tenants and JSON Schema", () => {
  const all = [...providers, acme];
  const [route] = configOf(TEXT, { providers: all }).routes;
  expect(route?.upstream.href).toBe("https://r1.example.com/");
  expect(route?.deny).toEqual([{ method: "*", path: "/admin/*" }]);
  expect(route?.credential?.spec).toMatchObject({ environment: "r1", clientAuth: "post" });
  expect(faultsOf(TEXT.replace("realm:", "relm:"), { providers: all })).toEqual([
    '1:37 credentials.a.relm: unknown key (did you mean "realm"?)',
  ]);
  const validate = new Ajv({ strict: false, formats: { uri: true } }).compile(createJsonSchema(all));
  expect(
    validate({
      credentials: { a: { provider: "acme", realm: "r", client_id: "x", client_secret: { env: "S" } } },
    }),
  ).toBe(true);
  expect(
    validate({ credentials: { a: { provider: "acme", client_id: "x", client_secret: { env: "S" } } } }),
  ).toBe(false);
});

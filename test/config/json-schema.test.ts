import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { createJsonSchema } from "../../src/config/json-schema.ts";
import { providers } from "../../src/provider/index.ts";
import { BILLING, faultsOf } from "./config-fixture.ts";

const schema = createJsonSchema(providers);
const validate = new Ajv({
  strict: true,
  strictTypes: false,
  strictRequired: false,
  formats: { uri: true },
}).compile(schema);

interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | false;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
}

/** Paths of keys without a description. */
function* undescribed(node: SchemaNode, path: string): Iterable<string> {
  for (const [key, property] of Object.entries(node.properties ?? {})) {
    if (property.description === undefined) yield `${path}.${key}`;
    yield* undescribed(property, `${path}.${key}`);
  }
  const below = [node.items, node.additionalProperties, ...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  for (const next of below) if (next !== undefined && next !== false) yield* undescribed(next, path);
}

describe("the JSON Schema", () => {
  it("lies at config/pillion.schema.json as `schema` prints it: node cmd/pillion.ts schema > config/pillion.schema.json", () => {
    const file = readFileSync(new URL("../../config/pillion.schema.json", import.meta.url), "utf8");
    expect(file).toBe(`${JSON.stringify(schema, null, 2)}\n`);
  });

  it("is draft 07, which YAML language servers understand", () => {
    expect(schema["$schema"]).toBe("http://json-schema.org/draft-07/schema#");
  });

  it("describes every key", () => {
    expect([...undescribed(schema as SchemaNode, "")]).toEqual([]);
  });

  const route = (text: string): string =>
    `${BILLING}routes: [{ name: a, path: /a, credential: none, ${text} }]`;
  it.each([
    ["drain: {}"],
    [BILLING],
    [route("upstream: 'https://a/', tenant: { header: X }, timeouts: { connect: 1s }, http2: false")],
    ["credentials: { q: { provider: qmatic, tenants: { a: { client_id: x, client_secret: { env: S } } } } }"],
    ["credentials: { q: { provider: qmatic, tenants_directory: /x } }"],
    ["credentials: { u: { provider: zocdoc, grant: user, environment: sandbox, client_id: x } }"],
    ["credentials: { o: { provider: oauth2, client_id: x, tenants: { a: { client_secret: { env: S } } } } }"],
    ["session: { public_url: 'https://a', idle: 1d }"],
    ["store: { sqlite: a, encryption_keys: [{ env: K }] }"],
    ["store: { redis: { url: { env: R } }, encryption_keys: [{ env: K }, { file: k }] }"],
  ])("accepts %j", (text) => {
    expect(validate(parseYaml(text)), JSON.stringify(validate.errors)).toBe(true);
  });

  it.each([
    ["lisen: x"],
    ["drain: { delay: 30 }"],
    ["limits: { header_bytes: 16KB }"],
    ["access: { token: plain }"],
    ["access: { token: { env: A, file: b } }"],
    ["access: { token: {} }"],
    ["credentials: { c: { provider: zocdok } }"],
    ["credentials: { 'a b': { provider: static, header: A, value: { env: S } } }"],
    [BILLING.replace("client_secret", "client_secert")],
    [BILLING.replace("    client_id: my-client\n", "")],
    [BILLING.replace("billing:", "billing:\n    account: x")],
    [route("upgrade: 1")],
    [route("methods: [get]")],
    [route("replay_on_401: never")],
    [route("tenant: { header: X, host: y }")],
    [route("upstream: 'https://a/', login: yes")],
    ["credentials: { u: { provider: zocdoc, grant: usr, environment: sandbox, client_id: x } }"],
    ["credentials: { u: { provider: zocdoc, grant: user, environment: sandbox } }"],
    [
      "credentials: { u: { provider: zocdoc, grant: user, environment: sandbox, client_id: x, prefetch: true } }",
    ],
    [
      "credentials: { u: { provider: zocdoc, grant: user, environment: sandbox, client_id: x, tenants: {} } }",
    ],
    ["credentials: { v: { provider: zocdoc, grant: anonymous, environment: sandbox, app: a } }"],
    ["credentials: { s: { provider: static, grant: user, header: X, value: { env: S } } }"],
    ["session: { idle: 15 }"],
    ["store: {}"],
    ["store: { sqlite: a }"],
    ["store: { encryption_keys: [{ env: K }] }"],
    ["store: { sqlite: a, redis: { url: { env: R } }, encryption_keys: [{ env: K }] }"],
    ["store: { sqlite: a, encryption_keys: [] }"],
  ])("refuses %j, as the parser does", (text) => {
    expect(validate(parseYaml(text))).toBe(false);
    expect(faultsOf(text)).not.toEqual([]);
  });
});

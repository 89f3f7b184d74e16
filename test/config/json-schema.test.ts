import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { formsOf, type SchemaNode } from "../../docs/reference/schema-node.ts";
import { formatFault } from "../../src/config/fault.ts";
import { systemFiles } from "../../src/config/files.ts";
import { createJsonSchema } from "../../src/config/json-schema.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { providers } from "../../src/provider/index.ts";
import { BILLING, faultsOf } from "./config-fixture.ts";

const schema = createJsonSchema(providers);
const OPTIONS = { file: "pillion.yaml", directory: "/", providers, env: {}, files: systemFiles };
const validate = new Ajv({
  strict: true,
  strictTypes: false,
  strictRequired: false,
  formats: { uri: true },
}).compile(schema);

interface Key {
  readonly path: string;
  readonly node: SchemaNode;
  readonly isRequired: boolean;
}

/** Every key of the configuration, wherever it stands. */
function* keysOf(node: SchemaNode, path = ""): Iterable<Key> {
  const required = new Set([...(node.required ?? []), ...(node.then?.required ?? [])]);
  for (const [key, property] of Object.entries(node.properties ?? {})) {
    yield { path: `${path}.${key}`, node: property, isRequired: required.has(key) };
    yield* keysOf(property, `${path}.${key}`);
  }
  const below = [node.items, node.additionalProperties, ...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  for (const next of below) {
    const title = next === undefined || next === false ? undefined : next.title;
    if (next !== undefined && next !== false)
      yield* keysOf(next, title === undefined ? path : `${path}<${title}>`);
  }
}

const keys = [...keysOf(schema as SchemaNode)];
const pathsWhere = (isWrong: (key: Key) => boolean): readonly string[] =>
  keys.filter(isWrong).map(({ path }) => path);

/** Where an editor can offer every value, or the keys below, an example says nothing more. */
function isSelfExplanatory({ node }: Key): boolean {
  const listsKeys = [node, node.items, node.additionalProperties, ...(node.items?.anyOf ?? [])].some(
    (each) => each !== undefined && each !== false && (each.properties ?? each.oneOf) !== undefined,
  );
  return node.type === "boolean" || node.const !== undefined || node.enum !== undefined || listsKeys;
}

/** Every key that has a default, with it. */
function defaultsOf({ properties = {} }: SchemaNode): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([key, node]): [string, unknown][] => {
      const below = defaultsOf(node);
      if (Object.keys(below).length > 0 && node.default !== undefined) return [[key, below]];
      return node.default === undefined ? [] : [[key, node.default]];
    }),
  );
}

/** What has to be given, by its examples. */
function required({ properties = {}, required: names = [], then }: SchemaNode): Record<string, unknown> {
  return Object.fromEntries(
    [...names, ...(then?.required ?? [])].map((name) => {
      const node = properties[name];
      return [name, node?.const ?? node?.enum?.[0] ?? node?.examples?.[0]];
    }),
  );
}

/** One credential of each form and one route; `complete` adds to what each of them must have. */
function configurationOf(complete: (node: SchemaNode) => object): object {
  const { credentials, routes } = (schema as SchemaNode).properties ?? {};
  const forms = formsOf(credentials?.additionalProperties as SchemaNode);
  const route = routes?.items as SchemaNode;
  return {
    ...complete(schema as SchemaNode),
    credentials: Object.fromEntries(
      forms.map((form) => {
        // Others refer to it by this name; an account is needed only where there are no tenants.
        const name = form.title === "zocdoc, client_credentials" ? "zocdoc" : form.title?.replace(", ", "-");
        const account = form.title === "qmatic" ? { account: "isb" } : {};
        return [name, { ...required(form), ...account, ...complete(form) }];
      }),
    ),
    routes: [{ ...required(route), credential: "zocdoc", ...complete(route) }],
  };
}

describe("the JSON Schema", () => {
  it("lies at config/pillion.schema.json as `schema` prints it: node cmd/pillion.ts schema > config/pillion.schema.json", () => {
    const file = readFileSync(new URL("../../config/pillion.schema.json", import.meta.url), "utf8");
    expect(file).toBe(`${JSON.stringify(schema, null, 2)}\n`);
  });

  it("is draft 07, which YAML language servers understand", () => {
    expect(schema["$schema"]).toBe("http://json-schema.org/draft-07/schema#");
  });

  it("has a name that says what it is", () => {
    expect(schema).toMatchObject({
      $id: "urn:pillion:schema:configuration",
      title: "Pillion configuration",
      description: expect.any(String),
    });
  });

  it("describes every key in a sentence", () => {
    expect(keys.length).toBeGreaterThan(250);
    expect(pathsWhere(({ node }) => !/^[A-Z`].*\.$/.test(node.description ?? ""))).toEqual([]);
  });

  it("has an example of every key whose values cannot be listed", () => {
    expect(pathsWhere((key) => key.node.examples === undefined && !isSelfExplanatory(key))).toEqual([]);
  });

  it("has examples that it accepts itself", () => {
    const wrong = keys.flatMap(({ path, node }) =>
      (node.examples ?? [])
        .filter((example) => !new Ajv({ strict: false, formats: { uri: true } }).validate(node, example))
        .map((example) => `${path}: ${JSON.stringify(example)}`),
    );
    expect(wrong).toEqual([]);
  });

  it("says what is meant where a key is left out, but for a tenant's, which are the credential's", () => {
    const silent = pathsWhere(
      ({ path, node, isRequired }) =>
        !isRequired &&
        node.default === undefined &&
        !path.includes(".tenants.") &&
        !node.description?.includes("Default: "),
    );
    expect(silent).toEqual([]);
  });

  it("names the defaults that are applied", () => {
    const parse = (value: object) => {
      const result = parseConfig(JSON.stringify(value), OPTIONS);
      expect(result.faults.map(formatFault)).toEqual([]);
      return result.config;
    };
    const withDefaults = configurationOf(defaultsOf);
    expect(withDefaults).toMatchObject({ limits: { headers: 100 }, routes: [{ timeouts: { idle: "60s" } }] });
    expect(parse(withDefaults)).toEqual(parse(configurationOf(() => ({}))));
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

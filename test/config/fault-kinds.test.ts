import { describe, expect, it } from "vitest";
import { FAULT_KINDS, mismatch, ofKind, readWords } from "../../src/config/fault-kind.ts";
import { projectFiles, readProjectFile } from "../support/project.ts";
import { BILLING, filesOf, parse } from "./config-fixture.ts";

/** `path kind` of every fault. */
function kindsOf(text: string): readonly string[] {
  return parse(text, { files: filesOf({}) }).faults.map(({ path, kind }) => `${path} ${kind}`);
}

const credential = (keys: string): string => `credentials: { c: { ${keys} } }`;
const route = (keys: string): string =>
  `routes: [{ name: a, path: /a/, upstream: https://a.example.com/, credential: none, ${keys} }]`;

describe("the kind of a fault", () => {
  it.each([
    // The file
    ["", " not-yaml"],
    ["a: 1\n---\nb: 2", " not-yaml"],
    ["? [a]\n: 1", " not-yaml"],
    ["just text", " wrong-type"],
    // Keys
    ["__proto__: 1", "__proto__ unknown-key"],
    ["limits: { hedaers: 1 }", "limits.hedaers unknown-key"],
    [credential("provider: zocdoc, environment: sandbox, app: x"), "c.app misplaced-key"],
    [credential("provider: oauth2, token_url: https://a.example.com/"), "c.client_id missing-key"],
    [credential("provider: static, header: X"), "c.value missing-key"],
    [credential("a: 1"), "c.provider missing-key"],
    ["routes: [{ name: a }]", "routes[0].path missing-key"],
    // Values
    ["listen: 8080", "listen wrong-type"],
    ["listen:", "listen wrong-type"],
    ["limits: []", "limits wrong-type"],
    ["credentials: { c: 1 }", "c wrong-type"],
    ["routes: [1]", "routes[0] wrong-type"],
    [credential("provider: qmatic, region: eu-west-1, tenants: {}"), "c.tenants wrong-type"],
    [route("tenant: []"), "tenant wrong-type"],
    ["log: { level: loud }", "log.level not-a-choice"],
    [route("methods: [FETCH]"), "methods[0] not-a-choice"],
    [credential("provider: zocdok"), "c.provider not-a-choice"],
    [credential("provider: zocdoc, grant: usr"), "c.grant not-a-choice"],
    [
      credential(
        "provider: qmatic, region: eu-west-1, account: a, client_id: a, client_secret: { env: A }, scopes: [b]",
      ),
      "c.scopes not-a-choice",
    ],
    ["listen: here", "listen wrong-form"],
    ["access: { origins: [here] }", "access.origins[0] wrong-form"],
    ["drain: { timeout: soon }", "drain.timeout wrong-form"],
    [route("upstream: here"), " duplicate-key"],
    [route("http_proxy: here"), "http_proxy wrong-form"],
    [route("request_headers: { set: { 'a b': c } }"), "wrong-form"],
    ["drain: { timeout: 30 }", "drain.timeout no-unit"],
    ["drain: { timeout: '30' }", "drain.timeout no-unit"],
    ["limits: { header_bytes: 1024 }", "limits.header_bytes no-unit"],
    ["limits: { headers: 0 }", "limits.headers out-of-bounds"],
    ["drain: { timeout: 999999d }", "drain.timeout out-of-bounds"],
    [route("methods: []"), "methods out-of-bounds"],
    [route("request_headers: { set: { Host: c } }"), "reserved-name"],
    [route("request_headers: { set: { Authorization: c } }"), "reserved-name"],
    [route("response_headers: { remove: [Via] }"), "reserved-name"],
    ["credentials: { none: { provider: static, header: X, value: { env: A } } }", "none reserved-name"],
    // Secrets
    [credential("provider: static, header: X, value: hunter2"), "c.value secret-in-file"],
    ["store: { redis: { url: redis://:pw@a }, encryption_keys: [{ env: A }] }", "url secret-in-file"],
    [credential("provider: static, header: X, value: {}"), "c.value env-or-file"],
    // What belongs together
    [route("tls: { cert: a }"), "tls conflict"],
    [route("tenant: isb"), "tenant no-tenants"],
    ["store: { encryption_keys: [{ env: A }] }", "store conflict"],
    ["listen: 127.0.0.1:1\nadmin: 127.0.0.1:1", "listen conflict"],
    [`${BILLING}    tenants_directory: no-such`, "tenants_directory unreadable"],
    // What would be unsafe
    [route("allow_insecure_http: false").replace("https:", "http:"), "upstream plain-http"],
    ["session: { public_url: http://a.example.com/ }", "session.public_url plain-http"],
    ["store: { sqlite: a.db, encryption_keys: [] }", "encryption_keys no-store-key"],
  ])("of %j is in %j", (text, expected) => {
    const kinds = kindsOf(text);
    expect(kinds.some((kind) => kind.endsWith(expected)) ? expected : kinds).toBe(expected);
  });

  it("of a value that is not there is that it is missing", () => {
    expect([mismatch(undefined), mismatch(null), mismatch(0)]).toEqual([
      "missing-key",
      "wrong-type",
      "wrong-type",
    ]);
  });
});

describe("a schema's own check", () => {
  const sources = projectFiles().filter((path) => /^src\/(config|provider)\/.+\.ts$/.test(path));
  it.each(sources)("gives no fault without its kind: %s", (path) => {
    const custom = [...readProjectFile(path).matchAll(/code: "custom"/g)].length;
    // The type's, and the one maker's.
    expect(custom).toBe(path === "src/config/fault-kind.ts" ? 2 : 0);
  });
});

describe("a kind on its way through a schema", () => {
  it.each(FAULT_KINDS)("comes out as it went in, and leaves nothing in the message: %s", (kind) => {
    expect(readWords(ofKind(kind, "must: not"))).toEqual({ kind, message: "must: not" });
  });

  it.each(["must not be empty", "", "no-unit", "other\u0000words"])("is not read out of %j", (words) => {
    expect(readWords(words)).toBeUndefined();
  });

  it.each(FAULT_KINDS)("is fit for an anchor: %s", (kind) => {
    expect(kind).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });
});

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { faultsOf } from "./config-fixture.ts";

const CANARY = "c4n4ry-value";
const oauth2 = (secret: string): string =>
  `credentials:\n  c:\n    provider: oauth2\n    token_url: https://id.example.com/\n    client_id: x\n    ${secret}\n`;

describe("no fault shows a value that stands where a secret, or something close to one, belongs", () => {
  it.each([
    ["written out", oauth2(`client_secret: ${CANARY}`)],
    ["written out as an alias", oauth2(`client_secret: *${CANARY}`)],
    ["written out as a tag", oauth2(`client_secret: !${CANARY}`)],
    ["behind a closed quote", oauth2(`client_secret: "x" ${CANARY}`)],
    ["with a bad escape", oauth2(`client_secret: "\\${CANARY}"`)],
    ["as a block scalar's header", oauth2(`client_secret: | ${CANARY}\n`)],
    ["in a list", oauth2(`client_secret: [${CANARY}]`)],
    ["as a key", oauth2(`client_secret: { ${CANARY} }`)],
    ["as a key beside env", oauth2(`client_secret: { env: X, ${CANARY}: 1 }`)],
    ["as the name of a variable", oauth2(`client_secret: { env: "${CANARY}" }`)],
    ["under a misspelt key", oauth2(`client_secert: ${CANARY}`)],
    ["on a tenant", oauth2(`client_secret: { env: X }\n    tenants: { a: { client_secret: ${CANARY} } }`)],
    ["in place of a tenant", oauth2(`client_secret: { env: X }\n    tenants: { a: ${CANARY} }`)],
    ["in place of a credential", `credentials: { c: ${CANARY} }`],
    ["in place of all credentials", `credentials: ${CANARY}`],
    ["in place of the document", CANARY],
    ["as the access token", `access: { token: ${CANARY} }`],
    ["as a static value", `credentials: { c: { provider: static, header: A, value: ${CANARY} } }`],
    ["in a proxy's URL", oauth2(`client_secret: { env: X }\n    http_proxy: http://u:${CANARY}@proxy:1/`)],
    ["in a token URL", `credentials: { c: { provider: oauth2, token_url: "https://u:${CANARY}@id/" } }`],
    ["in a query", "routes: [{ name: a, path: /, credential: none, upstream: 'https://x/?k=c4n4ry-value' }]"],
    [
      "as a key file's content",
      oauth2(`client_secret: { env: X }\n    tls: { key: "-----BEGIN ${CANARY}" }`),
    ],
    ["in a Redis URL", `store: { redis: { url: "redis://:${CANARY}@cache" } }`],
    ["in a Redis URL's query", `store: { redis: { url: "redis://cache?password=${CANARY}" } }`],
    ["in place of a Redis URL", `store: { redis: { url: ${CANARY} } }`],
    ["in place of Redis", `store: { redis: "redis://:${CANARY}@cache" }`],
    ["in place of the store", `store: "redis://:${CANARY}@cache"`],
    ["as an encryption key", `store: { sqlite: a, encryption_keys: [${CANARY}] }`],
    ["in place of encryption keys", `store: { sqlite: a, encryption_keys: ${CANARY} }`],
    ["as a key of an encryption key", `store: { sqlite: a, encryption_keys: [{ ${CANARY} }] }`],
    [
      "in an issuer",
      `credentials: { c: { provider: oauth2, grant: user, issuer: "https://u:${CANARY}@id/" } }`,
    ],
    ["in a public URL", `session: { public_url: "https://u:${CANARY}@app.example" }`],
    ["in a header field", `routes: [{ request_headers: { set: { X: "${CANARY}\\n" } } }]`],
  ])("%s", (_, text) => {
    const faults = faultsOf(text);
    expect(faults).not.toEqual([]);
    expect(faults.join("\n")).not.toContain(CANARY);
  });

  it("whatever is written in place of a reference", () => {
    const value = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.array(fc.string()),
      fc.dictionary(fc.string(), fc.string()),
    );
    fc.assert(
      fc.property(value, (secret) => {
        const marked = JSON.stringify(secret).replace(/"([^"\\]*)"/g, `"$1${CANARY}"`);
        const text = `access: { token: ${marked} }`;
        expect(faultsOf(text).join("\n")).not.toContain(CANARY);
      }),
    );
  });
});

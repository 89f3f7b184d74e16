import { expect, it } from "vitest";
import { secretReferences } from "../../src/config/secret-source.ts";
import { watchedPaths } from "../../src/config/watch.ts";
import { configOf, filesOf } from "./config-fixture.ts";

const TEXT = `
access: { token: { file: access } }
credentials:
  a:
    provider: oauth2
    token_url: https://id.example.com/
    client_id: { file: id }
    client_secret: { env: A }
    tls: { ca: token-ca.pem }
  b:
    provider: qmatic
    region: eu-west-1
    client_secret: { env: A }
    tenants: { isb: { client_id: literal }, lhr: { client_id: { file: id } } }
    tenants_directory: tenants
  c: { provider: static, header: X, value: { file: /run/key } }
routes:
  - { name: a, path: /a, credential: a, upstream: "https://a.example/", tls: { cert: c.pem, key: k.pem } }
`;

const config = configOf(TEXT, { files: filesOf({ "/etc/pillion/tenants/khi/client_id": "x" }) });

it("every secret reference of a configuration is found, each place once", () => {
  expect(secretReferences(config)).toEqual([
    { kind: "file", path: "/etc/pillion/access" },
    { kind: "file", path: "/etc/pillion/id" },
    { kind: "env", name: "A" },
    { kind: "file", path: "/etc/pillion/tenants/khi/client_id" },
    { kind: "file", path: "/run/key" },
  ]);
});

it("the file itself, secret files, PEM files and tenants' directories are watched", () => {
  expect(watchedPaths(config)).toEqual({
    paths: [
      "/etc/pillion/pillion.yaml",
      "/etc/pillion/access",
      "/etc/pillion/id",
      "/etc/pillion/tenants/khi/client_id",
      "/run/key",
      "/etc/pillion/c.pem",
      "/etc/pillion/k.pem",
      "/etc/pillion/token-ca.pem",
    ],
    directories: ["/etc/pillion/tenants"],
  });
});

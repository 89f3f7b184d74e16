import { expect, it } from "vitest";
import { secretReferences } from "../../src/config/secret-source.ts";
import { watchedPaths } from "../../src/config/watch.ts";
import { configOf, filesOf } from "./config-fixture.ts";

const TEXT = `
access: { token: { file: access } }
store:
  redis: { url: { file: redis-url }, tls: { ca: redis-ca.pem } }
  encryption_keys: [{ file: key-new }, { env: KEY_OLD }]
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
  d:
    provider: oauth2
    grant: user
    authorize_url: https://id.example.com/
    token_url: https://id.example.com/
    client_id: { file: user-id }
    client_secret: { file: user-secret }
    tls: { ca: user-ca.pem }
  e:
    provider: zocdoc
    grant: anonymous
    environment: sandbox
    app: f
    app_client_id: { file: app-client-id }
    tls: { ca: mint-ca.pem }
  f: { provider: zocdoc, environment: sandbox, client_id: x, client_secret: { env: F } }
routes:
  - { name: a, path: /a, credential: a, upstream: "https://a.example/", tls: { cert: c.pem, key: k.pem } }
`;

const config = configOf(TEXT, { files: filesOf({ "/etc/pillion/tenants/khi/client_id": "x" }) });

it("every secret reference of a configuration is found, each place once", () => {
  expect(secretReferences(config)).toEqual([
    { kind: "file", path: "/etc/pillion/access" },
    { kind: "file", path: "/etc/pillion/key-new" },
    { kind: "env", name: "KEY_OLD" },
    { kind: "file", path: "/etc/pillion/redis-url" },
    { kind: "file", path: "/etc/pillion/id" },
    { kind: "env", name: "A" },
    { kind: "file", path: "/etc/pillion/tenants/khi/client_id" },
    { kind: "file", path: "/run/key" },
    { kind: "file", path: "/etc/pillion/user-id" },
    { kind: "file", path: "/etc/pillion/user-secret" },
    { kind: "file", path: "/etc/pillion/app-client-id" },
    { kind: "env", name: "F" },
  ]);
});

it("the file itself, secret files, PEM files and tenants' directories are watched", () => {
  expect(watchedPaths(config)).toEqual({
    paths: [
      "/etc/pillion/pillion.yaml",
      "/etc/pillion/access",
      "/etc/pillion/key-new",
      "/etc/pillion/redis-url",
      "/etc/pillion/id",
      "/etc/pillion/tenants/khi/client_id",
      "/run/key",
      "/etc/pillion/user-id",
      "/etc/pillion/user-secret",
      "/etc/pillion/app-client-id",
      "/etc/pillion/c.pem",
      "/etc/pillion/k.pem",
      "/etc/pillion/token-ca.pem",
      "/etc/pillion/user-ca.pem",
      "/etc/pillion/mint-ca.pem",
      "/etc/pillion/redis-ca.pem",
    ],
    directories: ["/etc/pillion/tenants"],
  });
});

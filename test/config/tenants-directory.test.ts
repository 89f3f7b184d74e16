import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configOf, faultsOf, filesOf, parse, withoutSection } from "./config-fixture.ts";

const QMATIC = `credentials:
  q:
    provider: qmatic
    region: eu-west-1
    tenants_directory: tenants
`;
const ROUTE = "routes:\n  - { name: q, path: '/q/{tenant}/', credential: q }\n";
const ISB = {
  "/etc/pillion/tenants/isb/client_id": "unused",
  "/etc/pillion/tenants/isb/client_secret": "unused",
};

describe("tenants_directory", () => {
  it("gives one tenant per folder: secrets as references, account and tenant id as read", () => {
    const files = filesOf({
      ...ISB,
      "/etc/pillion/tenants/isb/account": "ISB Account\n",
      "/etc/pillion/tenants/isb/tenant_id": "1001\r\n",
      "/etc/pillion/tenants/lhr/client_id": "unused",
      "/etc/pillion/tenants/lhr/client_secret": "unused",
    });
    const config = configOf(QMATIC + ROUTE, { files });
    const tenants = config.credentials.get("q")?.tenants;
    expect([...(tenants?.keys() ?? [])]).toEqual(["isb", "lhr"]);
    expect(tenants?.get("isb")).toMatchObject({
      clientId: { kind: "file", path: "/etc/pillion/tenants/isb/client_id" },
      clientSecret: { kind: "file", path: "/etc/pillion/tenants/isb/client_secret" },
      tokenRequestHeaders: ["X-ACCOUNT", "ISB Account"],
      injectHeaders: ["x-tenant-id", "1001"],
    });
    expect(tenants?.get("lhr")).toMatchObject({
      tokenRequestHeaders: ["X-ACCOUNT", "lhr"],
      injectHeaders: [],
    });
    expect(config.watchedDirectories).toEqual(["/etc/pillion/tenants"]);
  });

  it("stands beside tenants that are written out", () => {
    const text = `${QMATIC}    tenants: { lhr: { client_id: x, client_secret: { env: S } } }\n`;
    const { tenants } = configOf(text, { files: filesOf(ISB) }).credentials.get("q") ?? {};
    expect([...(tenants?.keys() ?? [])]).toEqual(["lhr", "isb"]);
  });

  it("passes over folders that are still empty, plain files, and names that are no tenant's", () => {
    const files = filesOf({
      ...ISB,
      "/etc/pillion/tenants/..data/client_id": "x",
      "/etc/pillion/tenants/.hidden/client_id": "x",
      "/etc/pillion/tenants/a b/client_id": "x",
      "/etc/pillion/tenants/README": "x",
      "/etc/pillion/tenants/new/notes": "x",
    });
    expect([...(configOf(QMATIC, { files }).credentials.get("q")?.tenants?.keys() ?? [])]).toEqual(["isb"]);
  });

  it("may be empty: tenants can come later", () => {
    const files = filesOf({ "/etc/pillion/tenants/README": "x" });
    expect(configOf(QMATIC + ROUTE, { files }).credentials.get("q")?.tenants?.size).toBe(0);
  });

  it.each([
    [
      { "/etc/pillion/tenants/isb/client_id": "x" },
      "tenant isb: client_secret is missing: give it as the file /etc/pillion/tenants/isb/client_secret, or on the credential",
    ],
    [
      { ...ISB, "/etc/pillion/tenants/isb/tenant_id": "a\nb" },
      "tenant isb: tenant_id must consist of printable ASCII characters, without blanks at the ends",
    ],
    [
      { ...ISB, "/etc/pillion/tenants/isb/account": "" },
      "tenant isb: account must consist of printable ASCII characters, without blanks at the ends",
    ],
    [{}, "cannot read the directory /etc/pillion/tenants: no such file or directory"],
  ])("%j is a fault at the key", (texts, message) => {
    expect(faultsOf(QMATIC, { files: filesOf(texts) })).toEqual([
      `5:24 credentials.q.tenants_directory: ${message}`,
    ]);
  });

  it("a tenant both written out and in the directory is a fault", () => {
    const text = `${QMATIC}    tenants: { isb: { client_id: x, client_secret: { env: S } } }\n`;
    expect(faultsOf(text, { files: filesOf(ISB) })).toEqual([
      "5:24 credentials.q.tenants_directory: tenant isb is both in tenants and in the directory; keep one",
    ]);
  });

  it("where a configuration is only checked, a directory that is not there is a warning", () => {
    const text = `${QMATIC}routes:\n  - { name: q, path: /q, credential: q, tenant: not-known-yet }\n`;
    const { config, warnings } = parse(text, { files: filesOf({}), checkOnly: true });
    expect(config?.watchedDirectories).toEqual(["/etc/pillion/tenants"]);
    expect(warnings.map(withoutSection)).toEqual([
      "pillion.yaml:5:24 credentials.q.tenants_directory: cannot read the directory /etc/pillion/tenants: no such file or directory; its tenants are not checked",
    ]);
  });

  it("a fixed tenant must be in the directory", () => {
    const text = `${QMATIC}routes:\n  - { name: q, path: /q, credential: q, tenant: isp }\n`;
    expect(faultsOf(text, { files: filesOf(ISB) })).toEqual([
      '7:49 routes[0].tenant: credential q has no tenant "isp" (did you mean "isb"?)',
    ]);
  });

  it("a static credential's tenants hold a file called value", () => {
    const text = "credentials: { k: { provider: static, header: X-Key, tenants_directory: /keys } }";
    const { tenants } =
      configOf(text, { files: filesOf({ "/keys/isb/value": "x" }) }).credentials.get("k") ?? {};
    expect(tenants?.get("isb")).toMatchObject({
      kind: "static",
      value: { kind: "file", path: "/keys/isb/value" },
    });
  });
});

describe("on a real file system", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "pillion-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("a tenant's folder mounted from a Kubernetes Secret is read through its links", () => {
    const folder = join(root, "tenants/isb");
    mkdirSync(join(folder, "..2024_01"), { recursive: true });
    for (const key of ["client_id", "client_secret", "account"]) {
      writeFileSync(join(folder, "..2024_01", key), `${key}-value\n`);
      symlinkSync(`..data/${key}`, join(folder, key));
    }
    symlinkSync("..2024_01", join(folder, "..data"));
    symlinkSync("isb", join(root, "tenants/lhr"));
    const { tenants } = configOf(QMATIC, { directory: root }).credentials.get("q") ?? {};
    expect([...(tenants?.keys() ?? [])].sort()).toEqual(["isb", "lhr"]);
    expect(tenants?.get("lhr")).toMatchObject({ tokenRequestHeaders: ["X-ACCOUNT", "account-value"] });
  });

  it("a directory in place of a file is refused", () => {
    const folder = join(root, "tenants/isb");
    mkdirSync(join(folder, "account"), { recursive: true });
    expect(faultsOf(QMATIC, { directory: root })).toEqual([
      `5:24 credentials.q.tenants_directory: cannot read tenant isb (${folder}): it is a directory`,
    ]);
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { examine, findingOf, inWords } from "./lab.ts";

/** Of both emulated services; Qmatic takes one token request a second and region, which costs the later tests a second. */
const env = {
  SANDBOX: "fake-zocdoc-sandbox-secret",
  PRODUCTION: "fake-zocdoc-production-secret",
  ISB: "fake-qmatic-isb-secret",
};

describe("what the providers' own rules make of a refusal", () => {
  let emulator: Emulator;
  beforeAll(async () => {
    emulator = createEmulator();
    await emulator.start();
  });
  afterAll(() => emulator.stop());

  async function said(credential: string, name = "credential c"): Promise<string> {
    const findings = await examine(`credentials:\n  c: { ${credential} }\n`, { env });
    return inWords(findingOf(findings, name));
  }
  const zocdoc = (environment: "sandbox" | "production", client: string, more = ""): string =>
    `provider: zocdoc, environment: ${environment}, token_url: "${emulator.endpoints[`zocdoc/${environment}`].tokenUrl}", client_id: ${client}${more}`;
  const qmatic = (tenant: string, region: "eu-west-1" | "us-east-1" = "eu-west-1"): string =>
    `provider: qmatic, region: ${region}, token_url: "${emulator.endpoints[`qmatic/${region}`].tokenUrl}", tenants: { ${tenant} }`;

  it("Zocdoc: a client of the sandbox in production", async () => {
    const words = await said(zocdoc("production", "zocdoc-sandbox-client, client_secret: { env: SANDBOX }"));
    expect(words).toMatch(
      /^failure .*403 access_denied.*\| .*one environment only.*environment: production.*those of sandbox\?/,
    );
  });

  it("Zocdoc: and the other way round", async () => {
    const words = await said(
      zocdoc("sandbox", "zocdoc-production-client, client_secret: { env: PRODUCTION }"),
    );
    expect(words).toMatch(/^failure .*access_denied.*\| .*those of production\?/);
  });

  it("Zocdoc: an audience without its slash", async () => {
    const audience =
      ', client_secret: { env: SANDBOX }, audience: "https://api-developer-sandbox.zocdoc.com"';
    const words = await said(zocdoc("sandbox", "zocdoc-sandbox-client", audience));
    expect(words).toMatch(/^failure .*\| check audience .*slash at its end counts/);
  });

  it("Zocdoc: no audience, for a client that is configured as any other", async () => {
    const { tokenUrl } = emulator.endpoints["zocdoc/sandbox"];
    const words = await said(
      `provider: oauth2, token_url: "${tokenUrl}", client_auth: json, client_id: zocdoc-sandbox-client, client_secret: { env: SANDBOX }`,
    );
    expect(words).toMatch(/^ok .*opaque: should the API answer 401, it may want an audience/);
  });

  it("Qmatic: an account that is not the tenant's", async () => {
    const tenant = `isb: { account: ISB System, tenant_id: "1001", client_id: qmatic-isb-client, client_secret: { env: ISB } }`;
    const words = await said(qmatic(tenant), "credential c, tenant isb");
    expect(words).toMatch(
      /^failure .*unauthorized_client.*\| account \(X-ACCOUNT\) was "ISB System".*lower case without spaces/,
    );
  });

  it("Qmatic: a client of another region, and a tenant without its id", async () => {
    const tenant = "isb: { client_id: qmatic-isb-client, client_secret: { env: ISB } }";
    const [abroad, nameless] = await Promise.all([
      said(qmatic(tenant, "us-east-1"), "credential c, tenant isb"),
      said(qmatic(tenant), "credential c, tenant isb"),
    ]);
    expect(abroad).toMatch(/^failure .*invalid_client.*\| .*one tenant and one region.*region: us-east-1/);
    expect(nameless).toMatch(/^warning .*without X-TENANT-ID \| set tenant_id/);
  });
});

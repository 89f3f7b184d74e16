import { mkdirSync, renameSync, rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEmulator, type Emulator } from "../../src/emulator/emulator.ts";
import { eventually } from "./support/eventually.ts";
import { send } from "./support/http-client.ts";
import { type Serving, serve } from "./support/serve.ts";
import { createWorkspace, type Workspace } from "./support/workspace.ts";

describe("tenants_directory", () => {
  let emulator: Emulator;
  let workspace: Workspace;
  let pillion: Serving;
  beforeAll(async () => {
    emulator = createEmulator();
    await emulator.start();
    workspace = createWorkspace();
    addTenant("isb", {
      client_id: "qmatic-isb-client",
      client_secret: "fake-qmatic-isb-secret\n",
      tenant_id: "1001",
    });
    const { tokenUrl, apiUrl } = emulator.endpoints["qmatic/eu-west-1"];
    pillion = await serve(
      `credentials:
  qmatic:
    provider: qmatic
    region: eu-west-1
    token_url: ${tokenUrl}
    tenants_directory: tenants
routes:
  - { name: qmatic, path: "/qmatic/{tenant}/", credential: qmatic, upstream: "${apiUrl}" }
`,
      { workspace },
    );
  });
  afterAll(async () => {
    await pillion.stop();
    await emulator.stop();
  });

  /** A folder that appears with all its files, as a mounted Secret does. */
  function addTenant(name: string, files: Readonly<Record<string, string>>): void {
    mkdirSync(workspace.path("tenants"), { recursive: true });
    workspace.mount(`staging-${name}`, files);
    renameSync(workspace.path(`staging-${name}`), workspace.path(`tenants/${name}`));
  }

  const ask = (tenant: string) => send(`${pillion.origin}/qmatic/${tenant}/services`);

  it("serves the tenants that are there, and no others", async () => {
    expect((await ask("isb")).status).toBe(200);
    const unknown = await ask("riverside");
    expect(unknown.status).toBe(404);
    expect(unknown.json).toMatchObject({ code: "TENANT_UNKNOWN" });
  });

  it("takes up a tenant that is added, without a restart", async () => {
    addTenant("riverside", {
      client_id: "qmatic-riverside-client",
      client_secret: "fake-qmatic-riverside-secret",
      account: "riverside\n",
      tenant_id: "1002\n",
    });
    await eventually("the new tenant is served", async () => (await ask("riverside")).status === 200);
    expect((await ask("isb")).status).toBe(200);
  });

  it("forgets a tenant that is removed", async () => {
    rmSync(workspace.path("tenants/isb"), { recursive: true });
    const gone = await eventually("the tenant is gone", async () => {
      const reply = await ask("isb");
      return reply.status !== 200 && reply;
    });
    expect(gone.status).toBe(404);
    expect(gone.json).toMatchObject({ code: "TENANT_UNKNOWN" });
    expect((await ask("riverside")).status).toBe(200);
  });
});

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  granted,
  refused,
  type ScriptedTokenEndpoint,
  startTokenEndpoint,
} from "../support/token-endpoint.ts";
import { eventually } from "./support/eventually.ts";
import { send } from "./support/http-client.ts";
import { scrape } from "./support/metrics.ts";
import { type Serving, serve } from "./support/serve.ts";
import { startUpstream, type Upstream } from "./support/upstream.ts";
import { createWorkspace, type KubernetesVolume, type Workspace } from "./support/workspace.ts";

describe("a secret that the token endpoint refuses", () => {
  let tokenEndpoint: ScriptedTokenEndpoint;
  let upstream: Upstream;
  let workspace: Workspace;
  let volume: KubernetesVolume;
  let pillion: Serving;
  let url: string;
  beforeEach(async () => {
    tokenEndpoint = await startTokenEndpoint();
    tokenEndpoint.answer((request, count) =>
      request.body.includes("fake-good") ? granted()(request, count) : refused(401, "invalid_client"),
    );
    upstream = await startUpstream();
    workspace = createWorkspace();
    volume = workspace.mount("secrets", { "client-secret": "fake-wrong" });
  });
  afterEach(async () => {
    await pillion.stop();
    await upstream.close();
    await tokenEndpoint.close();
  });

  async function start(more: string): Promise<void> {
    pillion = await serve(
      `credentials:
  billing:
    provider: oauth2
    client_auth: post
    token_url: ${tokenEndpoint.url}
    client_id: client
    client_secret: { file: secrets/client-secret }
routes:
  - { name: billing, path: /billing/, credential: billing, upstream: "${upstream.origin}/" }
${more}`,
      { workspace },
    );
    url = `${pillion.origin}/billing/x`;
  }

  it("is asked with once for many requests, and tried again at once when it is exchanged", async () => {
    await start("");
    const replies = await Promise.all(Array.from({ length: 20 }, () => send(url)));
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 502));
    expect((await send(url)).status).toBe(502);
    expect(tokenEndpoint.requests).toHaveLength(1);

    volume.swap({ "client-secret": "fake-good" });
    await eventually("the good secret is in use", async () => (await send(url)).status === 200);
    expect(tokenEndpoint.requests).toHaveLength(2);
    const metrics = await scrape(pillion.adminOrigin);
    expect(metrics.total("pillion_secret_reloads_total", { outcome: "success" })).toBe(1);
    expect(metrics.total("pillion_token_requests_total", { outcome: "rejected" })).toBe(1);
  });

  it("is read again where nobody watches, and the one that lies there now is tried at once", async () => {
    await start("reload: { watch: false }\n");
    volume.swap({ "client-secret": "fake-good" });
    expect((await send(url)).status).toBe(200);
    expect(tokenEndpoint.requests).toHaveLength(2);
  });

  it("is not missed while its file is gone: the last good value stays in use", async () => {
    volume.swap({ "client-secret": "fake-good" });
    await start("");
    expect((await send(url)).status).toBe(200);
    volume.swap({});
    await pillion.logged("secret_reload_failed");
    expect((await send(url)).status).toBe(200);
    const metrics = await scrape(pillion.adminOrigin);
    expect(metrics.total("pillion_secret_reloads_total", { outcome: "failure" })).toBeGreaterThan(0);
  });
});
